"""Erasure over many runs: chosen by who asked, page by page, and a run taken meanwhile is left."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from planwarden import Planwarden, Task, load_settings
from planwarden.app.archive import keeping
from planwarden.audit.export import delete_dossier, dossier_path, write_dossier
from planwarden.contracts.facts import PayloadsErased, RunEnded, RunStarted
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.task import Principal
from planwarden.errors import LeaseHeld, RunErased, RunNotOver, StoreCorrupt
from planwarden.journal.erasure import Selection
from planwarden.journal.index import RunQuery, Unreadable
from planwarden.journal.port import Owner
from planwarden.journal.sqlite import erasure
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.journal.sqlite.wiping import mark_for_wiping

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
        assert (await journal.erasure.erase("r1", by="dpo", reason="asked")).payloads == 3
        with pytest.raises(RunErased):
            await journal.erasure.erase("r1", by="dpo", reason="asked")
        with pytest.raises(RunErased):
            await journal.acquire("r1", HERE)
        with pytest.raises(RunErased):
            await planwarden.request_cancel("r1", by="ann")
        assert await journal.verify("r1") == ()


async def _erased_by_another(home: Path, run_id: str) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": home})) as other:
        await other.archive.keeping.erase(Selection(runs=(run_id,)), by="other", reason="faster")


async def _taken_by_another(home: Path, run_id: str) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": home})) as other:
        await (await other.journal()).acquire(run_id, HERE)


@pytest.mark.requirement("KEEP-6")
@pytest.mark.parametrize("taken", [False, True])
async def test_a_run_that_another_process_erases_or_takes_at_the_same_time_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    by_another = _taken_by_another if taken else _erased_by_another

    def meanwhile(folder: Path, run_id: str) -> None:
        if run_id == "r1":
            monkeypatch.setattr(keeping, "delete_dossier", delete_dossier)
            asyncio.run(by_another(tmp_path, run_id))
        delete_dossier(folder, run_id)

    settings = load_settings({"planwarden_home": tmp_path})
    async with Planwarden.open(settings) as planwarden:
        for run_id in ("r1", "r2"):
            await a_run(await planwarden.journal(), run_id, "ann")
            write_dossier(settings.dossier_folder, await planwarden.record.dossier(run_id))
        monkeypatch.setattr(keeping, "delete_dossier", meanwhile)
        done = await planwarden.archive.keeping.erase(Selection(tenant="red"), by="dpo", reason="asked")
        assert (done.runs, done.named, done.payloads) == (1, ["r2"], 2)
        assert (done.already, done.left_named) == ((0, ["r1"]) if taken else (1, []))
        for run_id in ("r1", "r2"):
            assert await planwarden.record.verify(run_id) == ()
            assert dossier_path(settings.dossier_folder, run_id).exists()
        if not taken:
            assert (await planwarden.record.tombstone("r1")).erased_by == "other"


@pytest.mark.requirement("KEEP-6")
async def test_a_journal_is_marked_for_wiping_where_nobody_can_wipe_it_before_the_erasure_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []

    def marked(path: Path) -> None:
        mark_for_wiping(path)
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as wiper:
            try:
                wiper.execute("VACUUM")
            except sqlite3.OperationalError as error:
                refused.append(error.sqlite_errorcode)

    monkeypatch.setattr(erasure, "mark_for_wiping", marked)
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        await a_run(await planwarden.journal(), "r1", "ann")
        done = await planwarden.archive.keeping.erase(Selection(runs=("r1",)), by="dpo", reason="asked")
        assert (done.runs, done.wiped, refused) == (1, True, [sqlite3.SQLITE_BUSY])


@pytest.mark.requirement("KEEP-7")
async def test_where_only_sound_runs_are_meant_one_that_was_altered_keeps_what_shows_it(
    tmp_path: Path,
) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        journal = await planwarden.journal()
        for run_id in ("r1", "r2", "r3", "r4"):
            await a_run(journal, run_id, "ann")
        await planwarden.record.bring_up_to_date()
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
            database.execute("UPDATE payloads SET body = replace(body, 'ann', 'bob') WHERE run_id = 'r2'")
            database.execute("UPDATE payloads SET body = CAST(body AS BLOB)")
            database.execute("DELETE FROM facets WHERE number = 3 AND kind = 'status'")
        before = await journal.verify("r2")
        assert before
        keeping_ = planwarden.archive.keeping
        kept = Selection(tenant="red", sound=True, keep=("failed",))
        would = await keeping_.erase(kept, by="time", reason="old", dry_run=True)
        assert (would.runs, would.altered, would.altered_named) == (2, 2, ["r2", "r3"])
        with pytest.raises(StoreCorrupt, match="not what was written"):
            await journal.erasure.erase("r2", by="time", reason="old", sound=True)
        done = await keeping_.erase(kept, by="time", reason="old")
        assert (done.runs, done.altered, done.left, done.unverified) == (2, 2, 0, 0)
        assert await journal.verify("r2") == before
        done = await keeping_.erase(Selection(tenant="red", sound=True), by="time", reason="old")
        assert (done.named, done.altered_named) == (["r3"], ["r2"])
        done = await keeping_.erase(Selection(runs=("r2",)), by="dpo", reason="asked")
        assert (done.runs, done.altered, done.unverified) == (1, 0, 1)
        stones = [(await planwarden.record.tombstone(run_id)).verified for run_id in ("r1", "r2", "r3", "r4")]
        assert stones == [True, False, True, True]


@pytest.mark.requirement("KEEP-2")
@pytest.mark.parametrize("body", [b"{}", b"\xff", "text"])
async def test_a_spoilt_summary_of_an_erased_run_is_let_go_by_a_new_index(
    tmp_path: Path, body: bytes | str
) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        journal = await planwarden.journal()
        for run_id in ("r1", "r2", "r3"):
            await a_run(journal, run_id, "ann")
        await planwarden.archive.keeping.erase(Selection(runs=("r1", "r2")), by="dpo", reason="asked")
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
            database.execute("UPDATE summaries SET body = ? WHERE number = 1", (body,))
        with pytest.raises(StoreCorrupt, match="index is damaged"):
            await planwarden.record.metrics()
        assert await planwarden.record.reindex() == 1
        summaries = [each async for each in planwarden.record.summaries()]
        assert [each.run_id for each in summaries if isinstance(each, Unreadable)] == ["r1"]
        assert [each.run_id for each in await planwarden.record.search(RunQuery(tenant="red"))] == [
            "r3",
            "r2",
        ]
        await planwarden.record.metrics()
        (fault,) = await planwarden.record.verify("r1")
        assert "the summary that is kept is not the one" in fault.problem


@pytest.mark.requirement("KEEP-2")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE summaries SET body = CAST(replace(body, 'completed', 'failed') AS BLOB)", "not the one"),
        ("UPDATE summaries SET body = NULL", "not the one"),
        ("UPDATE summaries SET body = CAST(body AS TEXT)", "not the one"),
        ("DELETE FROM summaries", "not the one"),
        ("UPDATE runs SET tenant = 'blue'", "names another tenant"),
    ],
)
async def test_what_is_left_of_an_erased_run_is_held_against_its_last_event(
    tmp_path: Path, change: str, told: str
) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        await a_run(await planwarden.journal(), "r1", "ann")
        await planwarden.archive.keeping.erase(Selection(runs=("r1",)), by="dpo", reason="asked")
        await planwarden.record.reindex()
        assert await planwarden.record.verify("r1") == ()
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
            database.execute(change)
        (fault,) = await planwarden.record.verify("r1")
        assert told in fault.problem


@pytest.mark.requirement("KEEP-2")
async def test_of_a_run_that_could_not_be_read_when_it_was_erased_no_summary_may_be_kept(
    tmp_path: Path,
) -> None:
    async with Planwarden.open(load_settings({"planwarden_home": tmp_path})) as planwarden:
        journal = await planwarden.journal()
        for run_id in ("r1", "r2"):
            await a_run(journal, run_id, "ann")
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as database:
            database.execute("UPDATE payloads SET body = X'FF' WHERE run_id = 'r1' AND seq = 1")
            await planwarden.archive.keeping.erase(Selection(tenant="red"), by="dpo", reason="asked")
            assert await planwarden.record.verify("r1") == await planwarden.record.verify("r2") == ()
            database.execute("UPDATE summaries SET body = (SELECT body FROM summaries WHERE number = 2)")
        (fault,) = await planwarden.record.verify("r1")
        assert "not the one" in fault.problem


@pytest.mark.requirement("KEEP-1")
def test_what_an_older_planwarden_wrote_of_an_erasure_says_that_nobody_looked() -> None:
    written = '{"kind": "payloads_erased", "by": "dpo", "reason": "asked", "payloads": 3}'
    fact = PayloadsErased.model_validate_json(written)
    assert (fact.verified, fact.summary_digest) == (None, None)


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
