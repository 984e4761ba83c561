"""Totals that are kept from one look to the next: each run counts once, and only open ones are read again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from planwarden.app.archive.record import Record
from planwarden.app.archive.tally import Tally
from planwarden.audit.metrics.totals import Totals
from planwarden.contracts.facts import CancelRequested, RunEnded, RunStarted
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.summary import RunSummary
from planwarden.contracts.task import Task
from planwarden.errors import StoreUnavailable
from planwarden.journal.index import Unreadable
from planwarden.journal.port import Lease, Owner
from planwarden.journal.sqlite import SqliteJournal
from planwarden.testing.counting_ids import CountingIds

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("MET-7")]

WHO = ModelIdentity(provider="ollama", model="m")
DIGEST = "sha256:" + "0" * 64
ME = Owner(id="me", host="here", pid=1)


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 5, 4, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


class Desk:
    """A journal in a file, its record, and which runs the index was asked for."""

    def __init__(self, journal: SqliteJournal, folder: Path) -> None:
        self.journal = journal
        self.asked: list[str] = []
        self.dead: set[str] = set()
        self.leases: dict[str, Lease] = {}

        async def opened() -> SqliteJournal:
            return journal

        self.record = Record(journal=opened, dossier_folder=folder)
        self.tally = self.record.tally()

    async def begin(self, *run_ids: str) -> None:
        for run_id in run_ids:
            started = RunStarted(
                task=Task(prompt="x"), planner=WHO, agents=WHO, catalog_digest=DIGEST, policy_digest=DIGEST,
                planwarden_version="0",
            )  # fmt: skip
            self.leases[run_id], _ = await self.journal.create(run_id, "default", ME, [started])

    async def end(self, *run_ids: str) -> None:
        for run_id in run_ids:
            await self.journal.append(self.leases[run_id], [RunEnded(outcome="completed")])

    async def look(self) -> tuple[int, int]:
        """Give how many runs are over, and how many run."""
        self.asked.clear()
        return counts(await self.tally.look())


def counts(totals: Totals) -> tuple[int, int]:
    over, open_runs = totals.of("planwarden_runs", "completed"), totals.of("planwarden_open_runs", "running")
    return int(over), int(open_runs)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> AsyncIterator[Desk]:
    dead: set[str] = set()
    journal = await SqliteJournal.open(
        tmp_path / "journal.db", StillClock(), CountingIds(), is_dead=lambda owner: owner.id in dead
    )
    desk = Desk(journal, tmp_path)
    desk.dead = dead
    given = type(journal.index).of

    async def noting(self: object, run_ids: Sequence[str]) -> tuple[RunSummary | Unreadable, ...]:
        desk.asked.extend(run_ids)
        return await given(journal.index, run_ids)

    monkeypatch.setattr(type(journal.index), "of", noting)
    yield desk
    await journal.aclose()


async def test_runs_that_are_over_are_read_once_and_open_ones_at_each_look(desk: Desk) -> None:
    await desk.begin("r1", "r2", "r3")
    await desk.end("r1")
    assert await desk.look() == (1, 2)
    assert await desk.look() == (1, 2)
    assert sorted(desk.asked) == ["r2", "r3"]
    await desk.end("r2")
    await desk.begin("r4")
    assert await desk.look() == (2, 2)
    assert await desk.look() == (2, 2)
    assert sorted(desk.asked) == ["r3", "r4"]
    assert await desk.record.metrics() == await desk.tally.look()


async def test_more_runs_than_fit_a_page_are_all_counted(desk: Desk) -> None:
    names = [f"r{number}" for number in range(450)]
    await desk.begin(*names)
    await desk.end(*names[::2])
    assert await desk.look() == (225, 225)
    await desk.end(*names[1::2])
    assert await desk.look() == (450, 0)


async def test_a_run_begun_while_the_index_was_brought_up_to_date_is_not_lost(desk: Desk) -> None:
    await desk.begin("before")

    async def and_then_another_begins() -> None:
        await desk.record.bring_up_to_date()
        if "late" not in desk.leases:
            await desk.begin("late", "later")
            await desk.end("later")
            later = await desk.journal.read("later")
            from planwarden.contracts.summary import summarise

            await desk.journal.index.put([summarise(later)])

    tally = Tally(desk.record.journal, and_then_another_begins)
    assert counts(await tally.look()) == (1, 1)
    await desk.end("late")
    assert counts(await tally.look()) == (2, 1)


async def test_a_look_that_fails_half_way_counts_nothing_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.begin("r1", "r2")
    await desk.end("r1")
    given = type(desk.journal).backlog

    async def gone(self: object) -> None:
        raise StoreUnavailable("gone", remedy="Put it back.")

    monkeypatch.setattr(type(desk.journal), "backlog", gone)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await desk.tally.look()
    monkeypatch.setattr(type(desk.journal), "backlog", given)
    assert await desk.look() == (1, 1)


@pytest.mark.requirement("MET-5")
async def test_the_queue_shows_what_no_living_process_works_on_and_what_was_posted(desk: Desk) -> None:
    async def queue() -> dict[str, int]:
        totals = await desk.tally.look()
        kinds = ("interrupted", "waiting", "in_doubt", "posted")
        return {kind: int(totals.of("planwarden_queue_depth", kind)) for kind in kinds}

    await desk.begin("worked_on", "given_back", "over")
    await desk.end("over")
    await desk.journal.release(desk.leases["over"])
    assert await queue() == {"interrupted": 0, "waiting": 0, "in_doubt": 0, "posted": 0}
    await desk.journal.release(desk.leases["given_back"])
    assert (await queue())["interrupted"] == 1
    desk.dead.add(ME.id)
    assert (await queue())["interrupted"] == 2
    for run_id in ("worked_on", "worked_on", "over"):  # nobody takes up what is posted to one that is over
        await desk.journal.post(run_id, CancelRequested(by="ada"))
    assert await queue() == {"interrupted": 2, "waiting": 0, "in_doubt": 0, "posted": 2}


@pytest.mark.requirement("GAP-3")
async def test_an_imported_run_that_is_not_over_waits_in_no_queue(desk: Desk, tmp_path: Path) -> None:
    elsewhere = await SqliteJournal.open(
        tmp_path / "elsewhere.db", StillClock(), CountingIds(), is_dead=lambda _: True
    )
    try:
        theirs = Desk(elsewhere, tmp_path)
        await theirs.begin("theirs")
        assert (await theirs.tally.look()).of("planwarden_queue_depth", "interrupted") == 1
        taken = await elsewhere.transfer.take("theirs")
    finally:
        await elsewhere.aclose()
    await desk.journal.transfer.put(taken, (), origin="sha256:" + "1" * 64)
    totals = await desk.tally.look()
    assert await desk.journal.transfer.imported() == {"theirs"}
    assert totals.of("planwarden_queue_depth", "interrupted") == 0
