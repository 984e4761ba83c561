"""Erasure over many runs: chosen by who asked, page by page, and a run taken meanwhile is left."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from planwarden import Planwarden, Task, load_settings
from planwarden.app.archive import keeping
from planwarden.contracts.facts import RunEnded, RunStarted
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.task import Principal
from planwarden.errors import LeaseHeld, RunErased, RunNotOver
from planwarden.journal.erasure import Selection
from planwarden.journal.port import Owner
from planwarden.journal.sqlite.journal import SqliteJournal

pytestmark = pytest.mark.anyio

DIGEST = "sha256:" + "0" * 64
WHO = ModelIdentity(provider="p", model="m")
HERE = Owner(id="me", host="here", pid=1)


def begun(who: str, tenant: str) -> RunStarted:
    return RunStarted(
        task=Task(prompt=f"asked by {who}", principal=Principal(id=who), tenant=tenant),
        planner=WHO,
        agents=WHO,
        catalog_digest=DIGEST,
        policy_digest=DIGEST,
        planwarden_version="0",
    )


async def a_run(journal: SqliteJournal, run_id: str, who: str, *, tenant: str = "red") -> None:
    lease, _ = await journal.create(run_id, tenant, HERE, [begun(who, tenant)])
    await journal.append(lease, [RunEnded(outcome="completed")])
    await journal.release(lease)


def holding(folder: Path, secret: bytes) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if secret in path.read_bytes()]


@pytest.mark.requirement("KEEP-5")
async def test_all_that_a_principal_asked_is_found_over_any_number_of_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PAGE", 4)
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        journal = await planwarden.journal()
        for number in range(23):
            await a_run(journal, f"r{number:02}", "ann" if number % 3 else "bob", tenant=f"t{number % 2}")
        chosen = Selection(principal="bob")
        would = await planwarden.archive.keeping.erase(chosen, by="dpo", reason="asked", dry_run=True)
        assert (would.runs, would.payloads, (await journal.head("r00")).last_kind) == (8, 0, "run_ended")
        done = await planwarden.archive.keeping.erase(chosen, by="dpo", reason="asked")
        assert (done.runs, done.payloads, done.left, done.wiped) == (8, 16, 0, True)
        assert done.named == [f"r{number:02}" for number in range(0, 23, 3)]
        for number in range(23):
            assert await planwarden.record.verify(f"r{number:02}") == ()
            assert ((await journal.head(f"r{number:02}")).last_kind == "payloads_erased") == (number % 3 == 0)
        assert sum([1 async for _ in planwarden.record.summaries()]) == 23
    assert not holding(tmp_path, b"asked by bob")
    assert holding(tmp_path, b"asked by ann")


@pytest.mark.requirement("KEEP-1")
async def test_a_run_that_a_process_holds_cannot_be_erased_nor_an_erased_one_taken(tmp_path: Path) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        journal = await planwarden.journal()
        await a_run(journal, "r1", "ann")
        await planwarden.record.bring_up_to_date()
        lease = await journal.acquire("r1", HERE)
        with pytest.raises(LeaseHeld):
            await journal.erasure.erase("r1", by="dpo", reason="asked")
        with pytest.raises(RunNotOver):
            await planwarden.archive.keeping.erase(Selection(runs=("r1",)), by="dpo", reason="asked")
        await journal.append(lease, [RunEnded(outcome="failed")])
        await journal.release(lease)
        with pytest.raises(LeaseHeld, match="went on just now"):
            await journal.erasure.erase("r1", by="dpo", reason="asked")
        await planwarden.record.bring_up_to_date()
        assert await journal.erasure.erase("r1", by="dpo", reason="asked") == 3
        with pytest.raises(RunErased):
            await journal.erasure.erase("r1", by="dpo", reason="asked")
        with pytest.raises(RunErased):
            await journal.acquire("r1", HERE)
        with pytest.raises(RunErased):
            await planwarden.request_cancel("r1", by="ann")
        assert await journal.verify("r1") == ()


@pytest.mark.requirement("KEEP-5")
async def test_an_imported_run_with_which_nobody_goes_on_can_be_erased_as_it_is(tmp_path: Path) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        journal = await planwarden.journal()
        lease, _ = await journal.create("r1", "red", HERE, [begun("ann", "red")])
        await journal.release(lease)
        with pytest.raises(RunNotOver):
            await planwarden.archive.keeping.erase(Selection(runs=("r1",)), by="dpo", reason="asked")
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
            database.execute("UPDATE runs SET origin = ?", ("0" * 64,))
        done = await planwarden.archive.keeping.erase(Selection(runs=("r1",)), by="dpo", reason="asked")
        assert (done.runs, done.payloads) == (1, 1)
        assert (await planwarden.record.tombstone("r1")).reason == "asked"
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
            database.execute("UPDATE runs SET summarised_seq = 0")  # as one that was erased where it began
            database.execute("DELETE FROM summaries")
        assert (await planwarden.record.tombstone("r1")).summary is None
        assert await planwarden.record.reindex() == 1
        assert (await planwarden.record.tombstone("r1")).summary is None
