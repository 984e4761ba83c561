"""Copying an SQLite file while others work on it; what a journal that lies still has in it. Blocks."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from planwarden.contracts.value import canonical_json
from planwarden.journal.sqlite.examination import damage
from planwarden.journal.sqlite.file import connect, open_for_writing
from planwarden.journal.sqlite.refusal import SQLITE_ERRORS, StoredIn, corrupt, refusal
from planwarden.journal.sqlite.schema import require_ours, schema_version


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFacts:
    """What is in a journal."""

    schema_version: int
    runs: int
    events: int
    heads: str
    """Digest over all runs; see `BackupManifest.heads`."""
    damaged: int
    """Runs that do not end with the head that is kept of them."""


def copy_database(source: Path, target: Path, which: StoredIn, *, anew: bool) -> None:
    """Copy a database as of one moment; those who write to it are not held up.

    With `anew` the copy is written anew, so that nothing of what was deleted comes along.

    Raises:
        StoreError: it cannot be read, or is damaged; or the copy cannot be written.
    """
    try:
        with closing(connect(source, "mode=ro")) as there, closing(connect(target, "mode=rwc")) as here:
            there.backup(here)
            here.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            if anew:
                here.execute("VACUUM")
            found = damage(here)
    except SQLITE_ERRORS as error:
        raise refusal(error, source, which) from error
    if found is not None:
        raise corrupt(source, f"SQLite finds damage: {found}", which)


def journal_facts(path: Path) -> JournalFacts:
    """Say what is in a journal of any schema version that nobody works on.

    Raises:
        StoreError: it is not a journal of this or an older Planwarden, or is damaged.
    """
    try:
        with closing(connect(path, "mode=ro")) as connection:
            require_ours(connection, path)
            found = damage(connection)
            if found is not None:
                raise corrupt(path, f"SQLite finds damage: {found}")
            return _facts(connection)
    except SQLITE_ERRORS as error:
        raise refusal(error, path) from error


def stored_version(path: Path) -> int | None:
    """Say which schema version a journal has; None where there is none.

    Raises:
        StoreError: it is not a journal of this or an older Planwarden.
    """
    try:
        if not path.exists():
            return None
        with closing(connect(path, "mode=ro")) as connection:
            require_ours(connection, path)
            return schema_version(connection)
    except SQLITE_ERRORS as error:
        raise refusal(error, path) from error


def bring_up_to_date(path: Path) -> None:
    """Give a journal that nobody works on the schema of this Planwarden, and leave no log beside it.

    Raises:
        StoreError: it cannot be used.
    """
    try:
        with closing(open_for_writing(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except SQLITE_ERRORS as error:
        raise refusal(error, path) from error


def _facts(connection: sqlite3.Connection) -> JournalFacts:
    whole, runs = hashlib.sha256(), 0
    for row in connection.execute("SELECT run_id, last_seq, head FROM runs ORDER BY number"):
        whole.update(canonical_json(list(row)) + b"\n")
        runs += 1
    (events,) = connection.execute("SELECT count(*) FROM events").fetchone()
    (damaged,) = connection.execute(
        "SELECT count(*) FROM runs LEFT JOIN events"
        " ON events.run_id = runs.run_id AND events.seq = runs.last_seq"
        " WHERE events.hash IS NOT runs.head"
    ).fetchone()
    return JournalFacts(
        schema_version=schema_version(connection),
        runs=runs,
        events=events,
        heads=f"sha256:{whole.hexdigest()}",
        damaged=damaged,
    )
