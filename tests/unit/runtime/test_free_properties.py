"""Whatever a model emits in its turns, only what plan and policy allow runs, and the step ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import anyio
import pytest
from free_kit import FREE, Caller
from hypothesis import given, settings
from hypothesis import strategies as st

from planwarden.audit.dossier import build_dossier
from planwarden.contracts.fold import fold
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.verdict import Denied
from planwarden.errors import ModelError, ReplyIncomplete, ReplyInvalid, ToolCallingUnsupported, ToolFailed
from planwarden.llm.service import LLMReply
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.recording_tool import Invocation, recording
from planwarden.testing.scripted_llm import asking
from planwarden.testing.stage import Stage, plan_of

pytestmark = pytest.mark.requirement("FREE-2")

FAILED = ToolFailed("it is broken.", remedy="Mend it.")
NAMES = ("read_a", "read_b", "read_c", "write_a", "write_b", "send_a")
EFFECTS = {"read": "read", "write": "write", "send": "external"}
GOOD = '{"text": "x"}'
ERRORS: tuple[ModelError, ...] = (
    ReplyIncomplete("Cut.", remedy="More."),
    ReplyInvalid("Broken.", remedy="Look."),
    ToolCallingUnsupported("No tools.", remedy="Directed."),
)


@dataclass(frozen=True)
class Scene:
    step: PlannedAgentStep
    policy: ToolPolicy
    broken: frozenset[str]
    turns: tuple[str | LLMReply | ModelError, ...]
    limits: TaskLimits


def _asking(calls: list[tuple[str, str]], text: str) -> LLMReply:
    return asking(*calls, text=text)


def emitted() -> st.SearchStrategy[str | LLMReply | ModelError]:
    tool = st.one_of(st.sampled_from((*NAMES, *NAMES, "alias_a", "read-a", "")), st.text(max_size=8))
    bad = st.sampled_from(
        ("", "{", "[]", "null", '{"text": 5}', '{"text": "x", "override": true}', '"x"', "NaN")
    )
    arguments = st.one_of(st.just(GOOD), st.just(GOOD), st.just(GOOD), bad, st.text(max_size=8))
    requests = st.lists(st.tuples(tool, arguments), max_size=6)
    replies = st.builds(_asking, requests, st.sampled_from(("", "So it is.")))
    return st.one_of(replies, replies, replies, st.text(max_size=12), st.sampled_from(ERRORS))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    named = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    cut = draw(st.integers(1, len(named)))
    says = st.sampled_from(("allow", "allow", "allow", "allow", "deny", "ask"))
    rules = tuple(Rule(name=f"r-{name}", says=draw(says), tools=(name,)) for name in NAMES)
    limits = st.builds(
        TaskLimits,
        max_tool_calls=st.integers(1, 12),
        max_calls_per_step=st.integers(1, 6),
        max_refusals_per_step=st.integers(1, 6),
        max_turns_per_step=st.integers(1, 6),
    )
    return Scene(
        step=PlannedAgentStep(
            id="s1", agent="worker", tools=tuple(named[:cut]), fallback_tools=tuple(named[cut:])
        ),
        policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}),
        broken=frozenset(draw(st.sets(st.sampled_from(NAMES)))),
        turns=tuple(draw(st.lists(emitted(), min_size=1, max_size=8))),
        limits=draw(limits),
    )


def a_stage(scene: Scene) -> tuple[Stage, list[Invocation], Caller]:
    tools, ran = recording(
        CannedTool(
            name,
            *([FAILED] if name in scene.broken else []),
            effect=EFFECTS[name.partition("_")[0]],  # type: ignore[arg-type]  # looked up in a table of literals
            parameters=ONE_TEXT,
        )
        for name in NAMES
    )
    llm = Caller(*scene.turns)
    stage = Stage(
        agents=(AgentSpec(name="worker", description="Works", tools=NAMES),),
        tools=tools,
        policy=scene.policy,
        aliases={"alias_a": "write_a"},
        agent_llm=llm,
        agent_settings=FREE,
    )
    return stage, ran, llm


def assert_kept(scene: Scene, ran: list[Invocation]) -> None:
    """Everything that ran was planned, allowed, well-formed and in turn."""
    step, failures = scene.step, 0
    stood_in: list[str] = []
    done: list[str] = []
    for each in ran:
        assert each.tool in (*step.tools, *step.fallback_tools)
        assert not isinstance(scene.policy.decide("worker", each.tool), Denied)
        assert each.arguments == {"text": "x"}
        if each.tool in step.fallback_tools and each.tool not in stood_in:
            stood_in.append(each.tool)
            assert failures >= len(stood_in), "a fallback ran without a failure to stand in for"
            assert stood_in == list(step.fallback_tools[: len(stood_in)])
        if each.tool not in done:
            done.append(each.tool)
            failures += each.tool in scene.broken
    assert [name for name in done if name in step.tools] == list(step.tools)[
        : len([n for n in done if n in step.tools])
    ]
    effects = Counter(each.tool for each in ran if not each.tool.startswith("read"))
    assert all(count == 1 for count in effects.values())
    assert len(ran) <= min(scene.limits.max_calls_per_step, scene.limits.max_tool_calls)


def assert_ended(scene: Scene, state: RunState, llm: Caller) -> None:
    step = state.steps["s1"]
    assert state.status in ("completed", "failed")
    assert len(llm.work) <= scene.limits.max_turns_per_step
    assert len(step.refused) <= scene.limits.max_refusals_per_step
    if state.status == "completed":
        assert any(call.status == "returned" for call in step.calls)
        ran = {call.call.tool for call in step.ran}
        assert set(step.planned.tools) <= ran, "the step answered without a planned tool having run"


async def play(scene: Scene) -> None:
    stage, ran, llm = a_stage(scene)
    orchestrator = stage.orchestrator()
    state = await orchestrator.route_task(Task(prompt="Do it.", limits=scene.limits), plan_of(scene.step))
    while state.status == "waiting":
        approved = [call.call.id for call in state.calls if call.status == "approved"]
        assert not approved
        state = await orchestrator.resolve(state.run_id, "approve", by="ann")
    assert_kept(scene, ran)
    assert_ended(scene, state, llm)
    events = await stage.record.read(state.run_id)
    assert fold(events) == state
    assert len(ran) == len(state.calls)
    build_dossier(events, await stage.record.links(state.run_id))


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_whatever_a_model_emits_nothing_outside_plan_and_policy_runs_and_the_step_ends(scene: Scene) -> None:
    anyio.run(play, scene)
