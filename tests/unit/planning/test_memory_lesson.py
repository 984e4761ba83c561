"""What a run teaches: real runs on a stage, and the lesson that is drawn from each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.deviations import DEVIATION_KINDS, Deviation
from planwarden.contracts.facts import RunEnded
from planwarden.contracts.memory import MAX_REQUEST_CHARS, RememberedPlan, RememberedStep
from planwarden.contracts.plan import (
    CallBinding,
    LiteralValue,
    PlanDecision,
    PlannedAgentStep,
    PlannerPlan,
    PlanSource,
    WayOut,
)
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Exchange, Task
from planwarden.errors import ModelUnavailable, ToolFailed
from planwarden.planning.attempt import PlannerSettings
from planwarden.planning.memory.lesson import HARMLESS, example, lesson
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage, plan_of
from planwarden.tools.tool import Tool

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("MEM-1")]

WIRE = '{"plan":["look"]}'
BROKEN = ToolFailed("Broken.", remedy="Mend it.")
TASK = Task(prompt="Do it.")
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def a_step(*tools: str, name: str = "s1", agent: str = "worker", **more: Any) -> PlannedAgentStep:
    return PlannedAgentStep(id=name, agent=agent, tools=tools, **more)


def a_stage(*given_tools: Tool, **given: Any) -> Stage:
    tools = given_tools or (CannedTool("look"),)
    names = tuple(each.spec.name for each in tools)
    agents = (
        AgentSpec(name="worker", description="Works", tools=names),
        AgentSpec(name="general_agent", description="Helps", may_answer_without_tools=True),
    )
    given.setdefault("agent_llm", FunctionLLM(lambda _: "Done."))
    given.setdefault("agents", agents)
    given.setdefault("planner_settings", PlannerSettings(mode="model"))
    return Stage(tools={each.spec.name: each for each in tools}, **given)


async def a_run(stage: Stage, plan: PlannerPlan | None, task: Task = TASK) -> RunState:
    return await stage.orchestrator().route_task(task, plan)


def of_source(plan: PlannerPlan, source: PlanSource, way_out: WayOut | None = None) -> PlannerPlan:
    return plan.model_copy(
        update={"metadata": plan.metadata.model_copy(update={"source": source, "way_out": way_out})}
    )


def taught(state: RunState) -> RememberedPlan:
    found = lesson(state)
    assert found is not None
    return found


async def test_a_planned_run_that_completed_teaches_its_request_and_its_plan() -> None:
    stage = a_stage(CannedTool("look"), planner_llm=FunctionLLM(lambda _: WIRE))
    state = await a_run(stage, None, Task(prompt="Look there.", tenant="acme", conversation="c1"))
    found = taught(state)
    assert (found.request, found.origin, found.run_id) == ("Look there.", "run", state.run_id)
    assert (found.tenant, found.conversation, found.at) == ("acme", "c1", state.updated_at)
    assert found.steps == (RememberedStep(agent="worker", tools=("look",)),)
    assert (found.catalog_digest, found.policy_digest) == (stage.catalog.digest, stage.world.policy.digest)
    assert found.repeat_key is not None


async def test_steps_keep_their_order_links_and_fallbacks() -> None:
    stage = a_stage(*(CannedTool(name) for name in "abc"))
    plan = plan_of(
        a_step("a", name="x"),
        a_step("b", name="y", fallback_tools=("c",)),
        a_step("c", name="z", depends_on=("x", "y")),
        handoff="parallel",
    )
    found = taught(await a_run(stage, plan))
    assert [step.depends_on for step in found.steps] == [(), (), (0, 1)]
    assert [step.fallback_tools for step in found.steps] == [(), ("c",), ()]
    assert found.handoff == "parallel"


async def test_a_plan_that_a_person_brought_along_teaches_as_an_edit() -> None:
    assert taught(await a_run(a_stage(CannedTool("look")), plan_of(a_step("look")))).origin == "edit"


async def test_the_same_request_done_by_the_same_plan_is_one_lesson_wherever_it_was_run() -> None:
    runs = [await a_run(a_stage(CannedTool("look")), plan_of(a_step("look"))) for _ in range(2)]
    later = replace(runs[1], run_id="r77")
    assert taught(runs[0]).id == taught(later).id
    elsewhere = await a_run(
        a_stage(CannedTool("look")), plan_of(a_step("look")), Task(prompt="Do it.", tenant="other")
    )
    otherwise = await a_run(
        a_stage(CannedTool("look"), CannedTool("see")), plan_of(a_step("look"), a_step("see", name="s2"))
    )
    assert len({taught(run).id for run in (runs[0], elsewhere, otherwise)}) == 3


async def test_a_failed_run_teaches_nothing() -> None:
    state = await a_run(a_stage(CannedTool("look", BROKEN)), plan_of(a_step("look")))
    assert (state.status, lesson(state)) == ("failed", None)


async def test_a_run_that_goes_on_waits_or_was_cancelled_teaches_nothing() -> None:
    rule = Rule(name="ask", says="ask", tools=("*",), reason="a person must say")
    asking = ToolPolicy(agents={"worker": AgentPolicy(rules=(rule,))})
    stage = a_stage(CannedTool("look"), policy=asking)
    waiting = await a_run(stage, plan_of(a_step("look")))
    assert (waiting.status, lesson(waiting)) == ("waiting", None)
    cancelled = await stage.orchestrator().cancel(waiting.run_id, by="me")
    assert (cancelled.status, lesson(cancelled)) == ("cancelled", None)


async def test_a_run_in_which_a_fallback_did_the_work_teaches_nothing() -> None:
    stage = a_stage(CannedTool("look", BROKEN), CannedTool("see"))
    state = await a_run(stage, plan_of(a_step("look", fallback_tools=("see",))))
    assert (state.status, lesson(state)) == ("completed", None)


async def test_a_run_in_which_one_of_two_planned_tools_failed_teaches_nothing() -> None:
    stage = a_stage(CannedTool("look", BROKEN), CannedTool("see"))
    state = await a_run(stage, plan_of(a_step("look", "see")))
    assert (state.status, state.adherence, lesson(state)) == ("completed", 0.0, None)


async def test_a_fallback_plan_never_teaches() -> None:
    stage = a_stage(
        CannedTool("look"), planner_llm=FunctionLLM(lambda _: ModelUnavailable("Gone.", remedy="Start it."))
    )
    state = await a_run(stage, None)
    assert state.decision is not None
    assert state.decision.plan is not None
    assert (state.status, state.decision.plan.metadata.source) == ("completed", "fallback")
    assert lesson(state) is None


async def test_a_cached_plan_does_not_confirm_itself() -> None:
    plan = plan_of(a_step("look"))
    assert taught(await a_run(a_stage(CannedTool("look")), of_source(plan, "prior"))).origin == "run"
    assert lesson(await a_run(a_stage(CannedTool("look")), of_source(plan, "cached"))) is None


async def test_that_nothing_fits_is_learned_from_a_person_only() -> None:
    alone = plan_of(a_step(agent="general_agent"))
    by_model = await a_run(a_stage(), of_source(alone, "planner", "answer_without_tools"))
    assert (by_model.status, lesson(by_model)) == ("completed", None)
    approved = taught(replace(by_model, plan_approval="approved"))
    assert (approved.way_out, approved.origin) == ("answer_without_tools", "run")
    by_person = await a_run(a_stage(), of_source(alone, "edited", "answer_without_tools"))
    assert taught(by_person).way_out == "answer_without_tools"


async def test_a_question_back_teaches_nothing() -> None:
    state = await a_run(a_stage(), of_source(plan_of(a_step(agent="general_agent")), "edited", "ask_user"))
    assert (state.status, lesson(state)) == ("asked", None)


@pytest.mark.parametrize("kind", DEVIATION_KINDS)
async def test_each_deviation_either_says_nothing_against_the_plan_or_lets_the_run_teach_nothing(
    kind: Any,
) -> None:
    state = await a_run(a_stage(CannedTool("look")), plan_of(a_step("look")))
    deviated = replace(state, deviations=(Deviation(kind=kind, seq=1),))
    assert (lesson(deviated) is not None) == (kind in HARMLESS)
    against = {"unplanned_tool_blocked", "policy_denied", "approval_denied", "fallback_used", "tool_skipped"}
    assert not {*against, "step_replanned", "fallback_plan_used", "step_not_run"} & HARMLESS


async def test_a_plan_that_a_person_refused_never_teaches() -> None:
    state = await a_run(a_stage(CannedTool("look")), plan_of(a_step("look")))
    assert lesson(replace(state, plan_approval="denied")) is None


async def test_what_leans_on_a_conversation_without_a_name_teaches_nobody() -> None:
    earlier = (
        Exchange(role="user", content="Look at the mill."),
        Exchange(role="assistant", content="Done."),
    )
    plan, leaning = plan_of(a_step("look")), Task(prompt="And again.", exchanges=earlier)
    assert lesson(await a_run(a_stage(CannedTool("look")), plan, leaning)) is None
    named = leaning.model_copy(update={"conversation": "c1"})
    found = taught(await a_run(a_stage(CannedTool("look")), plan, named))
    assert (found.conversation, found.repeat_key) == ("c1", None)


async def test_a_plan_with_bindings_is_remembered_but_never_to_be_followed_as_it_is() -> None:
    bound = CallBinding(tool="look", arguments={"text": LiteralValue(value="Heron", origin="person")})
    stage = a_stage(CannedTool("look", parameters=ONE_TEXT))
    found = taught(await a_run(stage, plan_of(a_step("look", bindings=(bound,)))))
    assert found.repeat_key is None
    assert "Heron" not in found.model_dump_json()


async def test_what_is_remembered_holds_neither_answer_nor_reason_nor_metadata() -> None:
    plan = plan_of(a_step("look", reason="because of Walrus"))
    task = Task(prompt="Do it.", metadata={"who": "Otter"})
    state = await a_run(a_stage(CannedTool("look", {"text": "Badger"})), plan, task)
    assert isinstance(state.steps["s1"].answer, StepAnswer)
    kept = taught(state).model_dump_json()
    assert not [word for word in ("Walrus", "Otter", "Badger", "Done.") if word in kept]


async def test_the_middle_of_a_long_request_is_left_out() -> None:
    task = Task(prompt="begin " + "x" * 10_000 + " end")
    found = taught(await a_run(a_stage(CannedTool("look")), plan_of(a_step("look")), task))
    assert len(found.request) <= MAX_REQUEST_CHARS
    assert (found.request[:5], found.request[-3:]) == ("begin", "end")
    other = task.model_copy(update={"prompt": task.prompt.replace("xxxxx", "xxxxy", 1)})
    assert example(other, plan_of(a_step("look")), at=NOW).repeat_key != found.repeat_key


async def test_a_run_without_a_plan_teaches_nothing() -> None:
    state = await a_run(a_stage(CannedTool("look")), plan_of(a_step("look")))
    assert lesson(replace(state, decision=PlanDecision(plan=None))) is None
    assert lesson(replace(state, ended=RunEnded(outcome="failed"))) is None
