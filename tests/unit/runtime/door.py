"""What tests of the tool session share: a stage with seven tools, and how to see that nothing happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.lowlevel

from planwarden.contracts.calls import RefusalKind
from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import (
    CallRefused,
    Fact,
)
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.value import Json
from planwarden.errors import ToolFailed
from planwarden.journal.port import Journal, Lease
from planwarden.orchestration.run_log import RunLog
from planwarden.runtime.tool_session import (
    ToolSession,
)
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.recording_tool import Invocation, recording
from planwarden.testing.stage import Stage, plan_of

BROKEN = ToolFailed("it is broken.", remedy="Mend it.")
AGENT = AgentSpec(
    name="worker", description="Works", tools=("look", "seek", "save", "send", "spare", "spare2", "typed")
)


def a_stage(**given: Any) -> tuple[Stage, list[Invocation]]:
    tools, log = recording(
        given.pop(
            "tools",
            (
                CannedTool("look"),
                CannedTool("seek", BROKEN),
                CannedTool("save", effect="write"),
                CannedTool("send", effect="external"),
                CannedTool("spare"),
                CannedTool("spare2"),
                CannedTool("typed", parameters=ONE_TEXT),
            ),
        )
    )
    return Stage(agents=given.pop("agents", (AGENT,)), tools=tools, **given), log


def a_step(*tools: str, fallback: tuple[str, ...] = (), name: str = "s1", agent: str = "worker") -> Any:
    return PlannedAgentStep(id=name, agent=agent, tools=tools, fallback_tools=fallback)


async def opened(stage: Stage, step: PlannedAgentStep, **limits: Any) -> tuple[ToolSession, RunLog]:
    log = await stage.begin(plan_of(step), Task(prompt="Do it.", limits=TaskLimits(**limits)))
    return await stage.open_step(log), log


async def called(session: ToolSession, tool: str, arguments: dict[str, Json] | None = None) -> None:
    await session.call(tool, arguments or {})


def refusals(log: RunLog) -> list[tuple[str, RefusalKind]]:
    return [(fact.tool, fact.refusal) for step in log.state.steps.values() for fact in step.refused]


async def on_record(journal: Journal, run_id: str) -> list[tuple[str, str]]:
    events = await journal.read(run_id)
    return [(e.fact.tool, e.fact.refusal) for e in events if isinstance(e.fact, CallRefused)]


async def assert_blocked(
    stage: Stage, log: RunLog, ran: list[Invocation], *expected: tuple[str, RefusalKind]
) -> None:
    """Nothing ran; each refusal is in the state, in the journal, and a deviation of its own kind."""
    assert ran == []
    assert refusals(log) == list(expected)
    assert await on_record(stage.record, log.state.run_id) == list(expected)
    assert [(d.tool, d.kind) for d in log.state.deviations] == list(expected)
    assert log.state.calls == ()
    assert (await stage.state(log.state.run_id)) == log.state


def slowly(stage: Stage) -> None:
    """Let every write of the journal take its time, as a disk does, so that calls at once overlap."""
    journal = stage.record
    original = journal.append

    async def append(lease: Lease, facts: Sequence[Fact]) -> tuple[RunEvent, ...]:
        await anyio.lowlevel.checkpoint()
        return await original(lease, facts)

    journal.append = append
