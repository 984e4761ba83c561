"""How the journal's file is opened."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from planwarden.errors import StoreUnavailable
from planwarden.journal.sqlite.file import open_for_reading, open_for_writing


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.requirement("JRN-8")
def test_every_commit_is_flushed_to_a_write_ahead_log_and_references_are_enforced(tmp_path: Path) -> None:
    with closing(open_for_writing(tmp_path / "journal.sqlite")) as connection:
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "synchronous") == 2
        assert pragma(connection, "fullfsync") == 1
        assert pragma(connection, "foreign_keys") == 1
        assert pragma(connection, "busy_timeout") == 5000


@pytest.mark.requirement("JRN-10")
def test_a_journal_that_another_process_made_first_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.sqlite"
    link = os.link

    def beaten(source: str | Path, target: str | Path) -> None:
        monkeypatch.setattr(os, "link", link)
        with closing(open_for_writing(path)) as theirs:
            theirs.execute("PRAGMA foreign_keys = OFF")
            theirs.execute("INSERT INTO inbox (run_id, at, nonce, body) VALUES ('theirs', '', '', '')")
        link(source, target)

    monkeypatch.setattr(os, "link", beaten)
    with closing(open_for_writing(path)) as connection:
        assert connection.execute("SELECT run_id FROM inbox").fetchall() == [("theirs",)]


@pytest.mark.requirement("JRN-10")
def test_a_journal_that_cannot_be_finished_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str | Path, target: str | Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreUnavailable, match="Operation not permitted"):
        open_for_writing(tmp_path / "journal.sqlite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.requirement("JRN-11")
def test_a_connection_for_reading_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    open_for_writing(path).close()
    with (
        closing(open_for_reading(path)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("DELETE FROM inbox")
