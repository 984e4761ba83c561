"""Wiping: due once something was erased, and not while others would have to wait for long."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from planwarden.errors import StoreUnavailable
from planwarden.journal.sqlite import wiping
from planwarden.journal.sqlite.file import connect_to_wipe, open_for_writing

pytestmark = pytest.mark.requirement("KEEP-6")


def test_a_journal_is_wiped_when_that_is_due(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    open_for_writing(path).close()
    assert wiping.wipe(path, others_at_work=False) is False
    wiping.mark_for_wiping(path)
    assert wiping.wipe(path, others_at_work=True) is True
    assert not wiping.is_due(path)


def test_what_is_marked_while_a_journal_is_wiped_is_still_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    open_for_writing(path).close()

    def erased_meanwhile(path: Path) -> sqlite3.Connection:
        wiping.mark_for_wiping(path)
        return connect_to_wipe(path)

    wiping.mark_for_wiping(path)
    monkeypatch.setattr(wiping, "connect_to_wipe", erased_meanwhile)
    assert wiping.wipe(path, others_at_work=False) is True
    monkeypatch.setattr(wiping, "connect_to_wipe", connect_to_wipe)
    assert wiping.is_due(path)
    assert wiping.wipe(path, others_at_work=False) is True
    assert not wiping.is_due(path)
    assert [each.name for each in tmp_path.glob("*.wipe*")] == []


def test_a_large_journal_is_not_wiped_while_others_are_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    open_for_writing(path).close()
    wiping.mark_for_wiping(path)
    monkeypatch.setattr(wiping, "BESIDE_OTHERS_BYTES", 1000)
    with pytest.raises(StoreUnavailable, match="another process is in the way"):
        wiping.wipe(path, others_at_work=True)
    assert wiping.is_due(path)
    assert wiping.wipe(path, others_at_work=False) is True


def test_a_mark_that_cannot_be_made_is_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        wiping.mark_for_wiping(tmp_path / "file" / "journal.db")
