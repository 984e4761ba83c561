"""Random plans, random policies, random calls: whatever an agent tries, the door holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planwarden.contracts.facts import RunEnded
from planwarden.contracts.fold import fold
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.verdict import Allowed
from planwarden.errors import ToolFailed
from planwarden.orchestration.run_log import RunLog
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.runtime.tool_session import CallOutcome, CallSucceeded, CallWasRefused
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.recording_tool import Invocation, recording
from planwarden.testing.stage import Stage, plan_of

pytestmark = pytest.mark.requirement("ENF-12")

FAILED = ToolFailed("it is broken.", remedy="Mend it.")
NAMES = ("read_a", "read_b", "read_c", "write_a", "write_b", "send_a")
EFFECTS = {"read": "read", "write": "write", "send": "external"}


@dataclass(frozen=True)
class Attempt:
    step: int
    tool: str
    good: bool
    at_once: bool


@dataclass(frozen=True)
class Scene:
    steps: tuple[PlannedAgentStep, ...]
    policy: ToolPolicy
    broken: frozenset[str]
    attempts: tuple[Attempt, ...]
    limits: TaskLimits


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    steps: list[PlannedAgentStep] = []
    for position in range(draw(st.integers(1, 3))):
        named = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
        cut = draw(st.integers(1, len(named)))
        step = PlannedAgentStep(
            id=f"s{position}",
            agent=draw(st.sampled_from(("one", "two"))),
            tools=tuple(named[:cut]),
            fallback_tools=tuple(named[cut:]),
        )
        steps.append(step)
    says = st.sampled_from(("allow", "allow", "allow", "deny"))
    policies = {
        agent: AgentPolicy(
            rules=tuple(Rule(name=f"r-{name}", says=draw(says), tools=(name,)) for name in NAMES)
        )
        for agent in ("one", "two")
        if draw(st.integers(0, 5))
    }
    attempt = st.builds(
        Attempt,
        step=st.integers(0, len(steps) - 1),
        tool=st.sampled_from((*NAMES, "alias_a", "nowhere")),
        good=st.sampled_from((True, True, True, False)),
        at_once=st.booleans(),
    )
    limits = st.builds(TaskLimits, max_tool_calls=st.integers(1, 12), max_calls_per_step=st.integers(1, 6))
    return Scene(
        steps=tuple(steps),
        policy=ToolPolicy(agents=policies),
        broken=frozenset(draw(st.sets(st.sampled_from(NAMES)))),
        attempts=tuple(draw(st.lists(attempt, max_size=25))),
        limits=draw(limits),
    )


@dataclass(frozen=True)
class Played:
    stage: Stage
    log: RunLog
    ran: list[Invocation]
    outcomes: list[CallOutcome]


async def play(scene: Scene) -> Played:
    tools, ran = recording(
        CannedTool(
            name,
            *([FAILED] if name in scene.broken else []),
            effect=EFFECTS[name.partition("_")[0]],  # type: ignore[arg-type]  # looked up in a table of literals
            parameters=ONE_TEXT,
        )
        for name in NAMES
    )
    agents = tuple(AgentSpec(name=name, description="Works", tools=NAMES) for name in ("one", "two"))
    stage = Stage(agents=agents, tools=tools, policy=scene.policy, aliases={"alias_a": "write_a"})
    log = await stage.begin(plan_of(*scene.steps), Task(prompt="Do it.", limits=scene.limits))
    sessions = [await stage.open_step(log, step.id) for step in scene.steps]
    outcomes: list[CallOutcome] = []

    async def attempt(each: Attempt) -> None:
        arguments = {"text": "x"} if each.good else {"text": "x", "override": True}
        outcomes.append(await sessions[each.step].call(each.tool, arguments))

    together: list[Attempt] = []
    for each in (*scene.attempts, None):
        if each is not None:
            together.append(each)
        if each is None or not each.at_once:
            async with anyio.create_task_group() as tasks:
                for one in together:
                    tasks.start_soon(attempt, one)
            together.clear()

    return Played(stage, log, ran, outcomes)


def assert_step_kept(scene: Scene, step: PlannedAgentStep, mine: list[Invocation]) -> None:
    """Everything that ran in a step was planned, allowed, well-formed and in turn."""
    failures = 0
    stood_in: list[str] = []
    done: list[str] = []
    for each in mine:
        assert each.tool in (*step.tools, *step.fallback_tools)
        assert isinstance(scene.policy.decide(step.agent, each.tool), Allowed)
        assert each.arguments == {"text": "x"}
        if each.tool in step.fallback_tools and each.tool not in stood_in:
            stood_in.append(each.tool)
            assert failures >= len(stood_in), "a fallback ran without a failure to stand in for"
            assert any(name in done and name in scene.broken for name in step.tools)
            assert stood_in == list(step.fallback_tools[: len(stood_in)])
        if each.tool not in done:
            done.append(each.tool)
            failures += each.tool in scene.broken
    primaries = [name for name in done if name in step.tools]
    assert primaries == list(step.tools[: len(primaries)])
    effects = Counter(each.tool for each in mine if not each.tool.startswith("read"))
    assert all(count == 1 for count in effects.values())
    assert len(mine) <= scene.limits.max_calls_per_step


def assert_record_kept(scene: Scene, played: Played) -> None:
    """The record holds all that ran, and nothing that did not."""
    state, ran, outcomes = played.log.state, played.ran, played.outcomes
    refused = sum(isinstance(outcome, CallWasRefused) for outcome in outcomes)
    assert len(ran) == len(state.calls) == len(scene.attempts) - refused
    assert len(ran) <= scene.limits.max_tool_calls
    assert {each.context.call_id for each in ran} == {call.call.id for call in state.calls}
    assert len({each.context.idempotency_key for each in ran}) == len(ran)
    assert sum(len(step.refused) for step in state.steps.values()) == refused
    returned = [call for call in state.calls if call.status == "returned"]
    assert sum(isinstance(outcome, CallSucceeded) for outcome in outcomes) == len(returned)
    got = {(call.call.step, call.call.tool) for call in returned}
    kept = sum(all((step.id, tool) in got for tool in step.tools) for step in scene.steps)
    assert state.adherence is None  # until the run is over
    assert replace(state, ended=RunEnded(outcome="failed")).adherence == kept / len(scene.steps)


async def play_and_check(scene: Scene) -> None:
    played = await play(scene)
    for step in scene.steps:
        mine = [each for each in played.ran if each.context.call_id.startswith(f"{step.id}.")]
        assert_step_kept(scene, step, mine)
    assert_record_kept(scene, played)
    run_id, journal = played.log.state.run_id, played.stage.record
    assert fold(await journal.read(run_id)) == played.log.state
    assert await journal.verify(run_id) == ()


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_no_call_leaves_plan_and_policy_and_no_effect_happens_twice(scene: Scene) -> None:
    anyio.run(play_and_check, scene)
