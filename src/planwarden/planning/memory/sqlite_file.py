"""The file of remembered plans: made, opened, and rid of what was deleted.

A file of its own, apart from the journal: from the journal nothing is ever deleted, and from here a person
may have anything deleted for good.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from planwarden.errors import StoreUnavailable
from planwarden.journal.sqlite.refusal import SQLITE_ERRORS, corrupt, other_version, refusal, unreachable

APPLICATION_ID = 0x504C574D
"""`PLWM`."""
SCHEMA_VERSION = 1
_BUSY_S = 5.0
"""How long to wait for another process's transaction. Ours take milliseconds."""

_TABLES = (
    """CREATE TABLE plans (
         tenant TEXT NOT NULL,
         id TEXT NOT NULL,
         conversation TEXT,
         origin TEXT NOT NULL,
         at TEXT,
         change INTEGER NOT NULL,
         body BLOB NOT NULL,
         PRIMARY KEY (tenant, id)
       )""",
    "CREATE INDEX plans_by_age ON plans (tenant, conversation, at)",
    """CREATE TABLE taught (
         tenant TEXT NOT NULL,
         run_id TEXT NOT NULL,
         plan_id TEXT NOT NULL,
         PRIMARY KEY (tenant, run_id)
       ) WITHOUT ROWID""",
    "CREATE INDEX taught_by_plan ON taught (tenant, plan_id)",
    """CREATE TABLE forgotten_runs (
         tenant TEXT NOT NULL,
         run_id TEXT NOT NULL,
         PRIMARY KEY (tenant, run_id)
       ) WITHOUT ROWID""",
    "CREATE TABLE forgotten_tenants (tenant TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE counts (born TEXT NOT NULL, changes INTEGER NOT NULL, deletions INTEGER NOT NULL)",
    "INSERT INTO counts VALUES (hex(randomblob(8)), 0, 0)",
)
"""`taught`: which runs taught a plan. `forgotten_*`: what must not come back, without a word of it."""


@contextmanager
def reading(path: Path) -> Generator[sqlite3.Connection | None]:
    """Open the file to read in one transaction; None where there is none, or nothing in it yet.

    Raises:
        StoreUnavailable, StoreCorrupt, StoreVersionMismatch: it cannot be used.
    """
    with _typed(path):
        if not _exists(path):
            yield None
            return
        with closing(_connect(path, "mode=ro")) as connection:
            connection.execute("BEGIN")
            yield connection if _is_made(connection, path) else None


@contextmanager
def writing(path: Path) -> Generator[sqlite3.Connection]:
    """Open the file to write in one transaction, on disk at the end; made where there is none.

    Raises:
        StoreUnavailable, StoreCorrupt, StoreVersionMismatch: it cannot be used; nothing was written.
    """
    with _typed(path):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():  # it holds what people asked, whatever its folder lets others see
                path.touch(mode=0o600)
        except OSError as error:
            raise unreachable(path, str(error), "memory") from error
        with closing(_connect(path, "mode=rw")) as connection:
            _set_up(connection, path)
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not _is_made(connection, path):
                    _make(connection)
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")


def scrub(path: Path) -> None:
    """Leave no byte of what was deleted in the file or its write-ahead log.

    Deleted content is overwritten as it is deleted (`secure_delete`); the file is then written anew, for what
    moves between pages leaves traces, and the log emptied.

    Raises:
        StoreUnavailable: another process keeps reading; what was forgotten is deleted, but not yet wiped.
    """
    with _typed(path), closing(_connect(path, "mode=rw")) as connection:
        _set_up(connection, path)
        connection.execute("VACUUM")
        busy: tuple[int, int, int] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy[0]:
        raise StoreUnavailable(
            f"What was forgotten is deleted, but may still lie in {path}-wal: another process keeps reading.",
            remedy="Run the command again when no other Planwarden is at work.",
        )


def _make(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _is_made(connection: sqlite3.Connection, path: Path) -> bool:
    """Say whether the tables are there; refuse what is not ours.

    Raises:
        StoreCorrupt, StoreVersionMismatch: it is not.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return False
    if application != APPLICATION_ID:
        raise corrupt(path, "another program made it", "memory")
    if version != SCHEMA_VERSION:
        raise other_version(path, found=version, ours=SCHEMA_VERSION, which="memory")
    return True


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY_S, isolation_level=None
    )


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        reason = f"its file system cannot share a write-ahead log (journal mode {mode})"
        raise unreachable(path, reason, "memory")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise unreachable(path, str(error), "memory") from error


@contextmanager
def _typed(path: Path) -> Generator[None]:
    try:
        yield
    except SQLITE_ERRORS as error:
        raise refusal(error, path, "memory") from error
