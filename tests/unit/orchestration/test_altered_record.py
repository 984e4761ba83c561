"""A record whose bytes are not what was written is not acted on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.errors import StoreCorrupt
from planwarden.journal.sqlite import SqliteJournal
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.counting_ids import CountingIds
from planwarden.testing.recording_tool import recording
from planwarden.testing.stage import Stage, plan_of
from planwarden.testing.ticking_clock import TickingClock

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("RUN-20")]

AGENT = AgentSpec(name="worker", description="Works", tools=("save",))
ASK = ToolPolicy(
    agents={"worker": AgentPolicy(rules=(Rule(name="ask", says="ask", tools=("save",), reason="look"),))}
)


async def test_an_approval_of_an_altered_run_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    clock, ids = TickingClock(), CountingIds()
    journal = await SqliteJournal.open(path, clock, ids, is_dead=lambda _: False)
    tools, ran = recording((CannedTool("save", effect="write"),))
    stage = Stage(agents=(AGENT,), tools=tools, policy=ASK, journal=journal, clock=clock, ids=ids)
    plan = plan_of(PlannedAgentStep(id="s1", agent="worker", tools=("save",)))
    waiting = await stage.orchestrator().route_task(Task(prompt="Save it"), plan)
    assert waiting.status == "waiting"
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE payloads SET body = CAST(replace(CAST(body AS TEXT), 'Save it', 'Wipe it') AS BLOB)"
        )
    database.close()
    with pytest.raises(StoreCorrupt, match="altered"):
        await stage.orchestrator().resolve(waiting.run_id, "approve", by="ann")
    assert ran == []
    await journal.aclose()
