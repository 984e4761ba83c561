"""What an open journal says of itself: how it is set up, whether it can be written, whether it is whole."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from planwarden.journal.sqlite.schema import schema_version


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterFacts:
    """What holds for everything that is written."""

    journal_mode: str
    synchronous: int
    """2 is FULL: a commit is on disk before it returns."""
    schema_version: int
    file_bytes: int
    runs: int


def writer_facts(connection: sqlite3.Connection) -> WriterFacts:
    """Read how the writer's connection is set up, and write a table and take it back.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    connection.execute("SAVEPOINT probe")
    connection.execute("CREATE TABLE probe (number INTEGER)")
    connection.execute("INSERT INTO probe VALUES (1)")
    connection.execute("ROLLBACK TO probe")
    connection.execute("RELEASE probe")
    pages = int(_value(connection, "PRAGMA page_count")) * int(_value(connection, "PRAGMA page_size"))
    return WriterFacts(
        journal_mode=_value(connection, "PRAGMA journal_mode"),
        synchronous=int(_value(connection, "PRAGMA synchronous")),
        schema_version=schema_version(connection),
        file_bytes=pages,
        runs=int(_value(connection, "SELECT count(*) FROM runs")),
    )


def damage(connection: sqlite3.Connection) -> str | None:
    """Have SQLite look through the whole file; None when it is sound. Reads every page."""
    verdict = _value(connection, "PRAGMA quick_check(1)")
    return None if verdict == "ok" else verdict


def _value(connection: sqlite3.Connection, statement: str) -> str:
    row: tuple[object] = connection.execute(statement).fetchone()
    return str(row[0])
