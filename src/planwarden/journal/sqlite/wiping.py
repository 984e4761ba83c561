"""Leaving no byte of what was erased in the journal's file, its free pages or its write-ahead log.

A marker beside the file says that wiping is due, so that it is made up for when a process died in between.
It is made inside the transaction that erases, and whoever wipes takes it for itself first: what is erased
while a file is written anew leaves a marker of its own.
"""

from __future__ import annotations

import glob
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from planwarden.errors import StoreUnavailable
from planwarden.journal.sqlite.file import connect_to_wipe
from planwarden.journal.sqlite.refusal import SQLITE_ERRORS, refusal, unreachable

BESIDE_OTHERS_BYTES = 128 * 2**20
"""Up to this size a journal is wiped while runs go on in other processes: they wait about a second."""


def marker(path: Path) -> Path:
    """Give the file that says that the journal at `path` has to be wiped."""
    return path.with_name(f"{path.name}.wipe")


def is_due(path: Path) -> bool:
    """Tell whether the journal has to be wiped: it is marked, or somebody who took the mark is not done."""
    return marker(path).exists() or bool(_taken(path))


def mark_for_wiping(path: Path) -> None:
    """Note that the journal has to be wiped; in the transaction that makes it so. Blocks.

    Raises:
        StoreUnavailable: the folder cannot be written.
    """
    try:
        marker(path).touch()
    except OSError as error:
        raise unreachable(marker(path), str(error)) from error


def wipe(path: Path, *, others_at_work: bool) -> bool:
    """Write the file anew and empty its log, if that is due; tells whether it was. Blocks.

    Deleted content is overwritten as it is deleted (`secure_delete`), but what moves between pages leaves
    traces, and older journals were written without.

    Raises:
        StoreUnavailable: another process is in the way; what was erased is gone, but not yet wiped.
    """
    if not is_due(path):
        return False
    if others_at_work and path.stat().st_size > BESIDE_OTHERS_BYTES:
        raise _in_the_way(path)
    taken = _take(path)
    try:
        with closing(connect_to_wipe(path)) as connection:
            connection.execute("VACUUM")
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise refusal(error, path) from error
        busy = 1
    except SQLITE_ERRORS as error:
        raise refusal(error, path) from error
    if busy:
        raise _in_the_way(path)
    for each in taken:
        each.unlink(missing_ok=True)
    return True


def _take(path: Path) -> list[Path]:
    """Make the mark our own, and give it with those that others took before: we do what they have to do.

    Raises:
        StoreUnavailable: the folder cannot be written.
    """
    try:
        handle, mine = tempfile.mkstemp(dir=path.parent, prefix=f"{marker(path).name}-")
        os.close(handle)
        try:
            marker(path).replace(mine)
        except FileNotFoundError:  # somebody else took it
            Path(mine).unlink()
    except OSError as error:
        raise unreachable(marker(path), str(error)) from error
    return _taken(path)


def _taken(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{glob.escape(marker(path).name)}-*"))


def _in_the_way(path: Path) -> StoreUnavailable:
    return StoreUnavailable(
        "What was erased is gone from the record, but bytes of it may still lie in free pages of"
        f" {path} or in its -wal file: another process is in the way.",
        remedy="Run `planwarden journal erase` once more, without naming runs, when no other Planwarden"
        " is at work.",
    )
