"""The index over all runs: kept beside the record, found by every facet, made anew at will."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from planwarden.app.assembly import assemble_world
from planwarden.catalog.catalog import read_catalog
from planwarden.configuration.settings import load_settings
from planwarden.contracts.facts import CancelRequested, RunStarted
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.summary import RunSummary
from planwarden.contracts.task import Task
from planwarden.contracts.value import canonical_json, digest
from planwarden.errors import StoreCorrupt
from planwarden.journal.index import RunQuery, Unreadable
from planwarden.journal.port import Owner
from planwarden.journal.snapshot import Snapshot
from planwarden.journal.sqlite import SqliteJournal
from planwarden.policy.rules import read_policy
from planwarden.testing.counting_ids import CountingIds

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DIGEST = "sha256:" + "0" * 64
ME = Owner(id="me", host="here", pid=1)
WHO = ModelIdentity(provider="p", model="m")


class HandClock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class Desk:
    """A journal in a file with runs and their summaries."""

    def __init__(self, journal: SqliteJournal, clock: HandClock, path: Path) -> None:
        self.journal, self.clock, self.path = journal, clock, path

    async def run(self, run_id: str, **given: Any) -> RunSummary:
        started = RunStarted(
            task=Task(prompt="x", tenant=given.get("tenant", "default")),
            planner=WHO, agents=WHO, catalog_digest=DIGEST, policy_digest=DIGEST, planwarden_version="0",
        )  # fmt: skip
        await self.journal.create(run_id, started.task.tenant, ME, [started])
        summary = RunSummary.model_validate(
            {
                "run_id": run_id, "tenant": "default", "seq": 1, "status": "completed",
                "started_at": self.clock.at, "updated_at": self.clock.at, "planner_provider": "p",
                "planner_model": "m", "agents_model": "m", "catalog_digest": DIGEST, "policy_digest": DIGEST,
            } | given
        )  # fmt: skip
        await self.journal.index.put([summary])
        self.clock.at += timedelta(hours=1)
        return summary

    async def found(self, **wanted: Any) -> list[str]:
        return [each.run_id for each in await self.journal.index.search(RunQuery(**wanted))]


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Desk]:
    clock = HandClock()
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path, clock, CountingIds(), is_dead=lambda _: False)
    yield Desk(journal, clock, path)
    await journal.aclose()


@pytest.mark.requirement("IDX-2")
async def test_runs_are_found_by_each_facet_and_by_all_together_newest_first(desk: Desk) -> None:
    await desk.run("r1", agents=("finance",), tools=("quote", "send"), deviations={"tool_failed": 2})
    await desk.run("r2", agents=("finance", "writer"), tools=("quote",), status="failed")
    await desk.run("r3", agents=("writer",), tools=("send",), tenant="red")
    assert await desk.found() == ["r3", "r2", "r1"]
    assert await desk.found(agent="finance") == ["r2", "r1"]
    assert await desk.found(tool="send") == ["r3", "r1"]
    assert await desk.found(deviation="tool_failed") == ["r1"]
    assert await desk.found(status="failed") == ["r2"]
    assert await desk.found(tenant="red", tool="send") == ["r3"]
    assert await desk.found(agent="finance", tool="quote", status="completed") == ["r1"]
    assert await desk.found(agent="finance", tool="nothing") == []
    assert await desk.found(tool="quote", limit=1) == ["r2"]
    assert await desk.found(tool="quote", limit=0) == []


@pytest.mark.requirement("IDX-2")
async def test_a_time_span_takes_in_its_beginning_and_leaves_out_its_end(desk: Desk) -> None:
    for run_id in ("r1", "r2", "r3"):
        await desk.run(run_id, tools=("quote",))
    span = {"since": NOW + timedelta(hours=1), "until": NOW + timedelta(hours=2)}
    assert await desk.found(**span) == ["r2"]
    assert await desk.found(tool="quote", **span) == ["r2"]
    assert await desk.found(since=NOW + timedelta(hours=1)) == ["r3", "r2"]


@pytest.mark.requirement("IDX-2")
@pytest.mark.parametrize("awkward", ["%", "' OR 1=1 --", "a\x00b", "Grüße \U0001f600"])
async def test_a_tool_is_found_by_exactly_its_name(desk: Desk, awkward: str) -> None:
    await desk.run("r1", tools=(awkward,))
    await desk.run("r2", tools=("plain",))
    assert await desk.found(tool=awkward) == ["r1"]


@pytest.mark.requirement("IDX-3")
async def test_a_run_that_went_on_is_due_until_its_summary_covers_its_last_event(desk: Desk) -> None:
    summary = await desk.run("r1")
    assert await desk.journal.index.due(0, limit=9) == ()
    lease = await desk.journal.acquire("r1", Owner(id="other", host="here", pid=2))
    await desk.journal.append(lease, [CancelRequested(by="me")])
    assert await desk.journal.index.due(0, limit=9) == ((1, "r1", 2),)
    await desk.journal.index.put([summary.model_copy(update={"seq": 2, "status": "cancelled"})])
    await desk.journal.index.put([summary])
    assert await desk.found(status="cancelled") == ["r1"]
    assert await desk.found(status="completed") == []
    assert await desk.journal.index.due(0, limit=9) == ()


@pytest.mark.requirement("IDX-3")
async def test_a_run_that_cannot_be_read_stands_as_unreadable_and_is_not_found(desk: Desk) -> None:
    await desk.run("r1", tools=("quote",))
    await desk.run("r2", tools=("quote",))
    await desk.journal.index.put([Unreadable(run_id="r1", seq=1)])
    assert await desk.found(tool="quote") == ["r2"]
    kept = [summary for _, summary in await desk.journal.index.after(0, limit=9)]
    assert kept[0] == Unreadable(run_id="r1", seq=1)
    assert await desk.journal.index.after(2, limit=9) == ()


@pytest.mark.requirement("IDX-3")
async def test_a_damaged_index_is_said_and_can_be_made_anew(desk: Desk) -> None:
    summary = await desk.run("r1")
    with closing(sqlite3.connect(desk.path)) as connection:
        connection.execute("UPDATE summaries SET body = CAST('{}' AS BLOB)")
        connection.commit()
    with pytest.raises(StoreCorrupt, match="index is damaged"):
        await desk.found()
    await desk.journal.index.forget()
    assert await desk.journal.index.due(0, limit=9) == ((1, "r1", 1),)
    await desk.journal.index.put([summary])
    assert await desk.found() == ["r1"]


@pytest.mark.requirement("IDX-4")
async def test_a_snapshot_is_given_back_by_its_digest_and_a_changed_one_is_refused(desk: Desk) -> None:
    body = canonical_json({"tools": []})
    kept = Snapshot(digest=digest({"tools": []}), kind="catalog", body=body)
    await desk.journal.snapshots.keep([kept])
    await desk.journal.snapshots.keep([kept])
    assert await desk.journal.snapshots.find(kept.digest) == kept
    assert await desk.journal.snapshots.find(DIGEST) is None
    with pytest.raises(ValueError, match="not what its digest"):
        await desk.journal.snapshots.keep([Snapshot(digest=DIGEST, kind="policy", body=body)])
    with closing(sqlite3.connect(desk.path)) as connection:
        connection.execute("UPDATE snapshots SET body = CAST('{}' AS BLOB)")
        connection.commit()
    with pytest.raises(StoreCorrupt, match="its digest does not match"):
        await desk.journal.snapshots.find(kept.digest)


@pytest.mark.requirement("IDX-4")
def test_catalog_and_policy_are_read_back_from_their_bytes_as_they_were() -> None:
    world = assemble_world(load_settings(), (), {})
    assert read_catalog(world.catalog.body) == world.catalog
    assert read_catalog(world.catalog.body).digest == world.catalog.digest
    assert read_policy(world.policy.body) == world.policy
    with pytest.raises(ValueError, match="another version"):
        read_catalog(world.catalog.body.replace(b'{"agents"', b'{ "agents"'))
    with pytest.raises(ValueError, match="another version"):
        read_policy(world.policy.body.replace(b"{", b"{ ", 1))
