"""The doubles that ship: what others' tests rest on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from planwarden.contracts.facts import CancelRequested
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.errors import ToolFailed
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.counting_ids import CountingIds
from planwarden.testing.failing_journal import FailingJournal, Moment
from planwarden.testing.recording_tool import recording
from planwarden.testing.stage import Stage, plan_of
from planwarden.testing.ticking_clock import BEGINNING, TickingClock
from planwarden.tools.tool import Done, ToolContext, Unknown

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("RUN-15")]

CONTEXT = ToolContext(run_id="r1", call_id="s1.1", idempotency_key="k", now=BEGINNING)


def test_a_ticking_clock_never_shows_the_same_moment_twice_and_moves_when_told() -> None:
    clock = TickingClock(tick_s=1)
    assert [clock.now() - BEGINNING, clock.now() - BEGINNING] == [timedelta(seconds=1), timedelta(seconds=2)]
    clock.advance(10)
    assert clock.monotonic() == 13


def test_ids_are_counted() -> None:
    ids = CountingIds()
    assert (ids.run_id(), ids.run_id(), ids.nonce()) == ("r1", "r2", "0" * 31 + "1")


async def test_a_recording_tool_notes_each_invocation_in_one_order_and_does_what_the_tool_does() -> None:
    broken = ToolFailed("broken.", remedy="Mend it.")
    tools, log = recording((CannedTool("a", broken, {"n": 2}, says=Done(value=1)), CannedTool("b")))
    with pytest.raises(ToolFailed):
        await tools["a"].invoke({}, CONTEXT)
    assert await tools["b"].invoke({"x": 1}, CONTEXT) == {"text": "b says so"}
    assert await tools["a"].invoke({}, CONTEXT) == await tools["a"].invoke({}, CONTEXT) == {"n": 2}
    assert [each.tool for each in log] == ["a", "b", "a", "a"]
    assert [each.arguments for each in tools["b"].invocations] == [{"x": 1}]
    assert await tools["a"].verify({}, CONTEXT) == Done(value=1)
    assert isinstance(await tools["b"].verify({}, CONTEXT), Unknown)
    assert (len(tools["a"].verifications), len(log)) == (1, 4)


class Struck(Exception):
    pass


def strike() -> None:
    raise Struck


@pytest.mark.parametrize(("when", "written"), [("before", 0), ("after", 1)])
async def test_a_failing_journal_strikes_once_right_before_or_right_after_its_write(
    when: Moment, written: int
) -> None:
    stage = Stage(
        agents=(AgentSpec(name="worker", description="Works", tools=("a",)),), tools={"a": CannedTool("a")}
    )
    inner = stage.record
    stage.journal = FailingJournal(inner, at=2, when=when, strike=strike)
    plan = plan_of(PlannedAgentStep(id="s1", agent="worker", tools=("a",)))
    log = await stage.begin(plan, Task(prompt="Do it."))
    with pytest.raises(Struck):
        await log.record(CancelRequested(by="me"))
    assert len(await inner.read("r1")) == 2 + written
    await log.record(CancelRequested(by="me"))
    assert len(await inner.read("r1")) == 3 + written
