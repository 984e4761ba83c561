"""A run goes on from every prefix of its journal: same answer, same number of effects, same end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from planwarden.contracts.event import RunEvent
from planwarden.contracts.fold import fold
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import RunState, final_answer
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.value import Json
from planwarden.errors import ToolFailed
from planwarden.journal.memory import MemoryJournal
from planwarden.journal.port import Journal, Owner
from planwarden.journal.sqlite import SqliteJournal
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.planning.planner import PlannerSettings
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.runtime.asking import AgentSettings
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.counting_ids import CountingIds
from planwarden.testing.recording_tool import recording
from planwarden.testing.scripted_llm import FunctionLLM, asking
from planwarden.testing.stage import Stage, plan_of
from planwarden.testing.ticking_clock import TickingClock
from planwarden.tools.tool import Done, NotDone, Tool, ToolContext, Unknown, Verification

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("RUN-14")]

OLD = Owner(id="old", host="elsewhere", pid=1)
NEW = Owner(id="new", host="elsewhere", pid=2)
TASK = Task(prompt="Do it.", limits=TaskLimits(max_parallel_steps=2))


class Outside:
    """What really happened, seen from outside: effects by idempotency key."""

    def __init__(self) -> None:
        self.done: list[str] = []


class Effect(CannedTool):
    """A tool with an effect on the outside, that can say whether it was done or not."""

    def __init__(self, name: str, outside: Outside, *, can_say: bool) -> None:
        says = Unknown(reason="asked") if can_say else None
        super().__init__(name, {"text": f"{name} done"}, effect="external", says=says)
        self._outside = outside

    async def invoke(self, arguments: Any, context: ToolContext) -> Json:
        self._outside.done.append(context.idempotency_key)
        return await super().invoke(arguments, context)

    async def verify(self, arguments: Any, context: ToolContext) -> Verification:
        if context.idempotency_key in self._outside.done:
            return Done(value={"text": f"{self.spec.name} done"})
        return NotDone()


def reply(request: LLMRequest) -> str:
    """Answer by the request alone, as a model at temperature 0 does; arguments are wrong the first time."""
    said = request.messages[-1].content
    if request.output_schema is None:
        return f"All is well, {said.count('[s')}."
    if "prefixItems" in str(request.output_schema):
        return '{"plan":["look"]}'
    return '{"text":"right"}' if "refused" in said else '{"wrong":1}'


def calling(request: LLMRequest) -> str | LLMReply:
    """Drive a step by native calls: all of its tools at once, some wrongly; what stands in; the answer."""
    planned = _planned(request)
    if not planned:
        return reply(request)
    if not any(message.role == "assistant" for message in request.messages):
        calls: list[tuple[str, dict[str, Json] | str]] = [("nowhere", {})]
        for tool in planned:
            if tool == "typed":
                calls.append(("typed", "{"))
            calls.append((tool, {"text": "right"} if tool == "typed" else {}))
        return asking(*calls, text="First this.")
    said = [message.content for message in request.messages if message.role == "tool"]
    if any("failed" in each for each in said) and "spared" not in str(said):
        return asking(("spare", {}))
    return f"All is well, {str(said).count('[s')}."


def giving_up(request: LLMRequest) -> str | LLMReply:
    """Call the first tool natively, then answer before the plan is done, until the step goes on directed."""
    planned = _planned(request)
    if not planned:
        return reply(request)
    first = not any(message.role == "assistant" for message in request.messages)
    return asking((planned[0], '{"text":"right"}' if planned[0] == "typed" else {})) if first else "Enough."


def _planned(request: LLMRequest) -> list[str]:
    """Give the tools of a step that is driven by its model; none for any other request."""
    _, marked, rest = request.messages[0].content.partition("uses, in this order: ")
    return rest.partition(". Answer only")[0].split(", ") if marked else []


PLAN_NAMES = ("sequential", "parallel", "failing", "planned by the model")
MODELS = {
    "directed": (FunctionLLM(reply), AgentSettings()),
    "free": (FunctionLLM(calling, calls_tools=True), AgentSettings(execution="free")),
    "falling": (FunctionLLM(giving_up, calls_tools=True), AgentSettings(execution="free")),
}


CASES = [
    *(("directed", name, says) for name in PLAN_NAMES for says in ("allow", "ask")),
    ("free", "sequential", "ask"),
    ("free", "parallel", "allow"),
    ("free", "failing", "allow"),
    ("falling", "sequential", "allow"),
    ("falling", "parallel", "ask"),
]


def a_step(name: str, *tools: str, after: tuple[str, ...] = (), **more: Any) -> PlannedAgentStep:
    return PlannedAgentStep(id=name, agent="worker", tools=tools, depends_on=after, **more)


PLANS = {
    "sequential": plan_of(
        a_step("s1", "look", "typed"),
        a_step("s2", "seek", after=("s1",), fallback_tools=("spare",)),
        a_step("s3", "save", "send", after=("s2",)),
    ),
    "parallel": plan_of(
        a_step("s1", "look"),
        a_step("s2", "save"),
        a_step("s3", "typed", "send", after=("s1", "s2")),
        handoff="parallel",
    ),
    "failing": plan_of(a_step("s1", "save"), a_step("s2", "seek", after=("s1",)), a_step("s3", "look")),
    "planned by the model": None,
}
RULES = {
    "allow": (Rule(name="all", says="allow", tools=("*",)),),
    "ask": (
        Rule(name="ask", says="ask", tools=("save", "send")),
        Rule(name="all", says="allow", tools=("*",)),
    ),
}


def a_stage(
    journal: Journal, owner: Owner, outside: Outside, says: str = "allow", how: str = "directed"
) -> Stage:
    tools: tuple[Tool, ...] = (
        CannedTool("look", {"text": "seen"}),
        CannedTool("typed", {"text": "typed"}, parameters=ONE_TEXT),
        CannedTool("seek", ToolFailed("broken.", remedy="Mend it.")),
        CannedTool("spare", {"text": "spared"}),
        Effect("save", outside, can_say=True),
        Effect("send", outside, can_say=False),
    )
    wrapped, _ = recording(tools)
    return Stage(
        agents=(AgentSpec(name="worker", description="Works", tools=tuple(wrapped)),),
        tools=wrapped,
        policy=ToolPolicy(agents={"worker": AgentPolicy(rules=RULES[says])}),
        agent_llm=MODELS[how][0],
        agent_settings=MODELS[how][1],
        planner_llm=FunctionLLM(reply),
        planner_settings=PlannerSettings(min_confidence=0.999, on_low_confidence="person"),
        journal=journal,
        owner=owner,
    )


def in_memory() -> MemoryJournal:
    return MemoryJournal(TickingClock(), CountingIds(), is_dead=lambda owner: owner == OLD, lease_s=3600)


async def brought_to_its_end(stage: Stage, state: RunState, outside: Outside) -> RunState:
    """Say to a waiting run what a person would who looks at what really happened."""
    orchestrator = stage.orchestrator()
    while state.status in ("waiting", "in_doubt"):
        waiting = [call for call in state.calls if call.status in ("asked", "in_doubt")]
        if not waiting:
            state = await orchestrator.resolve(state.run_id, "approve", by="ann")
            continue
        call = waiting[0].call
        happened = call.idempotency_key(state.run_id) in outside.done
        verb = "approve" if waiting[0].status == "asked" else ("done" if happened else "not_done")
        result = {"text": f"{call.tool} done"} if verb == "done" else None
        state = await orchestrator.resolve(state.run_id, verb, by="ann", call_id=call.id, result=result)
    return state


def essence(state: RunState) -> dict[str, Any]:
    """What must be the same from wherever the run went on."""
    answer = final_answer(state)
    return {
        "ended": state.ended,
        "answer": answer.text if answer else None,
        "evidence": answer.evidence if answer else None,
        "adherence": state.adherence,
        "execution": [(step.execution, step.fell) for step in state.steps.values()],
        "calls": [
            (c.call.id, c.call.tool, c.call.arguments, c.status, c.value, c.failure) for c in state.calls
        ],
        "refused": [(r.tool, r.refusal) for step in state.steps.values() for r in step.refused],
        "deviations": sorted(
            (d.kind, d.step or "", d.tool or "") for d in state.deviations if d.kind != "outcome_in_doubt"
        ),
    }


def crash_points(events: Sequence[RunEvent]) -> list[int]:
    """Give the lengths that a crash can leave: facts of one moment were written in one transaction."""
    ends = [n for n in range(1, len(events)) if events[n].at != events[n - 1].at]
    assert len(ends) >= len(events) - 4
    return [*ends, len(events)]


async def seeded(journal: Journal, events: Sequence[RunEvent]) -> None:
    """Write a run's first events as a process that then died."""
    (first, *rest) = events
    lease, _ = await journal.create(first.run_id, "default", OLD, [first.fact])
    for event in rest:
        await journal.append(lease, [event.fact])


def effects_in(events: Sequence[RunEvent], run_id: str, *, happened: bool) -> list[str]:
    """Give the keys of the effects that a prefix speaks of; of an open intent, when it happened."""
    keys: dict[str, str] = {}
    for event in events:
        if event.fact.kind == "call_intended" and event.fact.call.tool in ("save", "send"):
            keys[event.fact.call.id] = event.fact.idempotency_key
    over = {event.fact.call_id for event in events if event.fact.kind == "call_returned"}
    return [key for call_id, key in keys.items() if happened or call_id in over]


@pytest.mark.requirement("FREE-5")
@pytest.mark.parametrize(("how", "name", "says"), CASES)
async def test_resuming_from_any_prefix_gives_the_same_end(how: str, name: str, says: str) -> None:
    outside = Outside()
    whole = a_stage(in_memory(), OLD, outside, says, how)
    state = await whole.orchestrator().route_task(TASK, PLANS[name])
    finished = await brought_to_its_end(whole, state, outside)
    assert finished.ended is not None
    fallen = [step.fell is not None for step in finished.steps.values() if step.status != "pending"]
    assert [(any(fallen), any(step.turns for step in finished.steps.values()))] == [
        {"directed": (False, False), "free": (False, True), "falling": (True, True)}[how]
    ]
    events = await whole.record.read(finished.run_id)
    expected = essence(finished)
    resumed = 0
    for length in crash_points(events):
        for happened in (False, True):
            prefix = events[:length]
            journal = in_memory()
            await seeded(journal, prefix)
            seen = Outside()
            seen.done += effects_in(prefix, finished.run_id, happened=happened)
            stage = a_stage(journal, NEW, seen, says, how)
            state = await stage.orchestrator().resume(finished.run_id)
            state = await brought_to_its_end(stage, state, seen)
            where = f"after event {length} of {len(events)} ({prefix[-1].fact.kind})"
            assert essence(state) == expected, where
            assert sorted(seen.done) == sorted(outside.done), where
            assert await stage.state(state.run_id) == state, where
            assert await journal.verify(state.run_id) == (), where
            resumed += 1
    assert resumed >= 2 * len(events) - 8


@asynccontextmanager
async def on_disk(path: Path) -> AsyncGenerator[SqliteJournal]:
    journal = await SqliteJournal.open(
        path, TickingClock(), CountingIds(), is_dead=lambda owner: owner == OLD, lease_s=3600
    )
    try:
        yield journal
    finally:
        await journal.aclose()


async def test_resuming_from_any_prefix_works_the_same_from_a_file(tmp_path: Path) -> None:
    outside = Outside()
    whole = a_stage(in_memory(), OLD, outside)
    finished = await whole.orchestrator().route_task(TASK, PLANS["sequential"])
    events = await whole.record.read(finished.run_id)
    for length in crash_points(events):
        path = tmp_path / f"{length}.sqlite"
        async with on_disk(path) as journal:
            await seeded(journal, events[:length])
        async with on_disk(path) as journal:
            seen = Outside()
            seen.done += effects_in(events[:length], finished.run_id, happened=True)
            stage = a_stage(journal, NEW, seen)
            state = await stage.orchestrator().resume(finished.run_id)
            state = await brought_to_its_end(stage, state, seen)
            assert essence(state) == essence(finished)
            assert sorted(seen.done) == sorted(outside.done)


async def test_the_fold_of_a_prefix_is_the_state_the_run_had_there() -> None:
    outside = Outside()
    stage = a_stage(in_memory(), OLD, outside)
    states: list[RunState] = []
    log = await stage.begin(plan_of(a_step("s1", "save")), TASK)
    states.append(log.state)
    session = await stage.open_step(log)
    states.append(log.state)
    await session.call("save", {})
    events = await stage.record.read(log.state.run_id)
    assert [fold(events[: state.seq]) for state in states] == states
    assert fold(events) == log.state
