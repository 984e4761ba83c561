"""The tables, as numbered migrations. PRAGMA `user_version` is the schema version, `application_id` ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from planwarden.journal.entry import conversation_in
from planwarden.journal.sqlite.refusal import other_application, other_version

Migration = Sequence[str | Callable[[sqlite3.Connection], None]]
"""Statements, and work on rows that SQL alone cannot do."""

APPLICATION_ID = 0x504C5744
"""`PLWD`."""

_FIRST: Migration = (
    """CREATE TABLE runs (
         number INTEGER PRIMARY KEY,
         run_id TEXT NOT NULL UNIQUE,
         tenant TEXT NOT NULL,
         created_at TEXT NOT NULL,
         updated_at TEXT NOT NULL,
         last_seq INTEGER NOT NULL,
         last_kind TEXT NOT NULL,
         head TEXT NOT NULL,
         epoch INTEGER NOT NULL,
         expires_at TEXT NOT NULL,
         owner_id TEXT,
         owner_host TEXT,
         owner_pid INTEGER
       )""",
    "CREATE INDEX runs_by_age ON runs (created_at)",
    """CREATE TABLE events (
         run_id TEXT NOT NULL REFERENCES runs (run_id),
         seq INTEGER NOT NULL,
         at TEXT NOT NULL,
         epoch INTEGER NOT NULL,
         kind TEXT NOT NULL,
         payload_digest TEXT NOT NULL,
         previous TEXT NOT NULL,
         hash TEXT NOT NULL,
         PRIMARY KEY (run_id, seq)
       ) WITHOUT ROWID""",
    """CREATE TABLE payloads (
         run_id TEXT NOT NULL,
         seq INTEGER NOT NULL,
         nonce TEXT,
         body BLOB,
         erased INTEGER NOT NULL DEFAULT 0,
         PRIMARY KEY (run_id, seq),
         FOREIGN KEY (run_id, seq) REFERENCES events (run_id, seq)
       )""",
    """CREATE TABLE inbox (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         run_id TEXT NOT NULL REFERENCES runs (run_id),
         at TEXT NOT NULL,
         nonce TEXT NOT NULL,
         body BLOB NOT NULL
       )""",
    "CREATE INDEX inbox_by_run ON inbox (run_id)",
)


def _read_conversations(connection: sqlite3.Connection) -> None:
    """Note the conversation of each run by what its first payload says, where that can be read."""
    first = connection.execute("SELECT run_id, body FROM payloads WHERE seq = 1")
    found = ((conversation_in(body), run_id) for run_id, body in first)
    connection.executemany(
        "UPDATE runs SET conversation = ? WHERE run_id = ?", (row for row in found if row[0] is not None)
    )


_CONVERSATIONS: Migration = (
    "ALTER TABLE runs ADD COLUMN conversation TEXT",
    _read_conversations,
    """CREATE INDEX runs_by_conversation ON runs (conversation, tenant, created_at)
       WHERE conversation NOT NULL""",
)

_RECORD: Migration = (
    "ALTER TABLE runs ADD COLUMN summarised_seq INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX runs_due ON runs (number) WHERE summarised_seq < last_seq",
    """CREATE TABLE summaries (
         number INTEGER PRIMARY KEY REFERENCES runs (number),
         seq INTEGER NOT NULL,
         created_at TEXT NOT NULL,
         body BLOB
       )""",
    "CREATE INDEX summaries_by_age ON summaries (created_at, number) WHERE body NOT NULL",
    """CREATE TABLE facets (
         kind TEXT NOT NULL,
         value TEXT NOT NULL,
         created_at TEXT NOT NULL,
         number INTEGER NOT NULL REFERENCES runs (number),
         PRIMARY KEY (kind, value, created_at, number)
       ) WITHOUT ROWID""",
    "CREATE INDEX facets_by_run ON facets (number)",
    """CREATE TABLE snapshots (
         digest TEXT PRIMARY KEY,
         kind TEXT NOT NULL,
         body BLOB NOT NULL
       ) WITHOUT ROWID""",
    """CREATE TABLE anchors (
         number INTEGER PRIMARY KEY,
         at TEXT NOT NULL,
         runs INTEGER NOT NULL,
         root TEXT NOT NULL,
         previous TEXT NOT NULL,
         hash TEXT NOT NULL
       )""",
    """CREATE TABLE anchored (
         anchor INTEGER NOT NULL REFERENCES anchors (number),
         place INTEGER NOT NULL,
         run_id TEXT NOT NULL,
         seq INTEGER NOT NULL,
         hash TEXT NOT NULL,
         PRIMARY KEY (anchor, place)
       ) WITHOUT ROWID""",
    "CREATE INDEX anchored_by_run ON anchored (run_id, anchor)",
    "ALTER TABLE runs ADD COLUMN anchored_seq INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX runs_to_anchor ON runs (number) WHERE anchored_seq < last_seq",
    "ALTER TABLE runs ADD COLUMN origin TEXT",
)
"""Summaries to search by, snapshots, daily anchors over all runs, and where an imported run comes from."""

MIGRATIONS: tuple[Migration, ...] = (_FIRST, _CONVERSATIONS, _RECORD)
"""Number n, from 1, takes a journal from schema version n - 1 to n. One that was released is never edited."""

SCHEMA_VERSION = len(MIGRATIONS)


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database of another program or of a newer schema; reads only.

    Raises:
        StoreVersionMismatch: it is one of these.
    """
    application, version = _pragma(connection, "application_id"), schema_version(connection)
    if application != APPLICATION_ID:
        raise other_application(path, found=application, version=version, ours=SCHEMA_VERSION)
    if not 1 <= version <= SCHEMA_VERSION:
        raise other_version(path, found=version, ours=SCHEMA_VERSION)


def schema_version(connection: sqlite3.Connection) -> int:
    """Read the schema version."""
    return _pragma(connection, "user_version")


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the tables up to date, all missing migrations in one transaction.

    Begins to write also when there is nothing to do: a journal that cannot be written is found here.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = schema_version(connection)
        for statements in migrations[found:]:
            for step in statements:
                connection.execute(step) if isinstance(step, str) else step(connection)
        if found < len(migrations):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    row: tuple[int] = connection.execute(f"PRAGMA {name}").fetchone()
    return row[0]
