"""Numbered migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from planwarden.journal.sqlite.schema import MIGRATIONS, SCHEMA_VERSION, migrate, schema_version

pytestmark = pytest.mark.requirement("JRN-10")

SECOND = ("ALTER TABLE inbox ADD COLUMN note TEXT",)
BROKEN = ("CREATE TABLE third (x)", "CREATE TABLE runs (x)")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_an_older_journal_gets_the_migrations_it_lacks_and_keeps_its_rows(
    connection: sqlite3.Connection,
) -> None:
    migrate(connection)
    assert schema_version(connection) == SCHEMA_VERSION == len(MIGRATIONS)
    connection.execute("INSERT INTO inbox (run_id, at, nonce, body) VALUES ('r1', '', '', '')")
    migrate(connection, (*MIGRATIONS, SECOND))
    assert schema_version(connection) == SCHEMA_VERSION + 1
    assert connection.execute("SELECT run_id, note FROM inbox").fetchall() == [("r1", None)]
    migrate(connection, (*MIGRATIONS, SECOND))


def test_a_migration_that_fails_leaves_the_journal_as_it_was(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before = tables(connection)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection, (*MIGRATIONS, SECOND, BROKEN))
    assert tables(connection) == before
    assert schema_version(connection) == SCHEMA_VERSION
    assert not connection.in_transaction
