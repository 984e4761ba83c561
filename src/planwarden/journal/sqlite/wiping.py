"""Leaving no byte of what was erased in the journal's file, its free pages or its write-ahead log.

A marker beside the file says that wiping is due, so that it is made up for when a process died in between.
"""

from __future__ import annotations

import sqlite3
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


def mark_for_wiping(path: Path) -> None:
    """Note that the journal has to be wiped. Blocks.

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
    if not marker(path).exists():
        return False
    if others_at_work and path.stat().st_size > BESIDE_OTHERS_BYTES:
        raise _in_the_way(path)
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
    marker(path).unlink(missing_ok=True)
    return True


def _in_the_way(path: Path) -> StoreUnavailable:
    return StoreUnavailable(
        "What was erased is gone from the record, but bytes of it may still lie in free pages of"
        f" {path} or in its -wal file: another process is in the way.",
        remedy="Run `planwarden journal erase` once more, without naming runs, when no other Planwarden"
        " is at work.",
    )
