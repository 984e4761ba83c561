"""The rung `cache` of the ladder: a repeat whose own plan was refused gets the one that did it before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from planning_world import ASKED, GOOD, make_catalog, make_policy, planner, wire

from planwarden.contracts.memory import RememberedPlan, RememberedStep
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.task import Exchange, Task
from planwarden.errors import ModelUnavailable
from planwarden.planning.memory.key import repeat_key
from planwarden.planning.planner import Planning
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("MEM-4")]

TASK = Task(prompt=ASKED)
CATALOG, POLICY = make_catalog(), make_policy()
GONE = ModelUnavailable("Nothing answers.", remedy="Start it.")


def known(**given: Any) -> RememberedPlan:
    value: dict[str, Any] = {
        "id": "m1",
        "tenant": "default",
        "request": ASKED,
        "repeat_key": repeat_key(TASK),
        "steps": (RememberedStep(agent="research_agent", tools=("research.search",)),),
        "origin": "run",
        "catalog_digest": CATALOG.digest,
        "policy_digest": POLICY.digest,
        "run_id": "r1",
    }
    return RememberedPlan(**{**value, **given})


async def plan_with(
    llm: ScriptedLLM | FunctionLLM,
    remembered: Sequence[RememberedPlan],
    task: Task = TASK,
    **settings: object,
) -> Planning:
    working = planner(llm, **settings)
    try:
        return await working.plan(task, CATALOG, POLICY, remembered)
    finally:
        working.close()


def the_plan(planning: Planning) -> PlannerPlan:
    assert planning.decision.plan is not None
    return planning.decision.plan


def rungs(planning: Planning) -> list[tuple[str, str]]:
    return [(refusal.rung, refusal.reason) for refusal in planning.decision.refusals]


async def test_after_a_failed_repair_the_plan_that_did_the_same_task_is_followed() -> None:
    with ScriptedLLM("nonsense", "nonsense") as llm:
        planning = await plan_with(llm, [known()])
    plan = the_plan(planning)
    assert (plan.metadata.source, plan.steps[0].tools) == ("cached", ("research.search",))
    assert rungs(planning) == [("parse", "not_json"), ("repair", "not_json")]
    assert plan.metadata.refusals == planning.decision.refusals
    assert len(planning.exchanges) == 2


async def test_when_the_model_cannot_be_had_too() -> None:
    with ScriptedLLM(GONE) as llm:
        plan = the_plan(await plan_with(llm, [known()]))
    assert plan.metadata.source == "cached"


async def test_a_plan_of_the_models_own_that_is_valid_goes_before() -> None:
    with ScriptedLLM(GOOD) as llm:
        plan = the_plan(await plan_with(llm, [known()]))
    assert plan.metadata.source == "planner"


async def test_a_plan_less_sure_than_the_minimum_gives_way_to_the_one_that_worked() -> None:
    with ScriptedLLM(GOOD) as llm:
        planning = await plan_with(llm, [known()], min_confidence=0.5)
    assert the_plan(planning).metadata.source == "cached"
    assert rungs(planning) == [("semantics", "confidence_too_low")]


async def test_where_a_person_is_to_say_the_person_is_asked() -> None:
    with ScriptedLLM(GOOD) as llm:
        planning = await plan_with(llm, [known()], min_confidence=0.5, on_low_confidence="person")
    assert planning.needs_person
    assert the_plan(planning).metadata.source == "planner"


@pytest.mark.parametrize(
    "other",
    [
        {"repeat_key": repeat_key(Task(prompt="Something else."))},
        {"policy_digest": "sha256:" + "0" * 64},
        {"tenant": "other"},
        {"conversation": "c1"},
    ],
)
async def test_a_plan_for_anything_else_leaves_the_fallback(other: dict[str, Any]) -> None:
    with ScriptedLLM(GONE) as llm:
        planning = await plan_with(llm, [known(**other)])
    assert the_plan(planning).metadata.source == "fallback"
    assert rungs(planning) == [("constrained_output", "model_unavailable")]


async def test_in_a_conversation_that_went_on_the_same_words_are_not_the_same_task() -> None:
    later = TASK.model_copy(update={"exchanges": (Exchange(role="user", content="Of MSFT."),)})
    with ScriptedLLM(GONE) as llm:
        planning = await plan_with(llm, [known()], later)
    assert the_plan(planning).metadata.source == "fallback"


async def test_a_remembered_plan_that_may_not_be_followed_now_is_refused_on_its_rung() -> None:
    steps = (RememberedStep(agent="finance_agent", tools=("research.search",)),)
    with ScriptedLLM(GONE) as llm:
        planning = await plan_with(llm, [known(steps=steps)])
    assert the_plan(planning).metadata.source == "fallback"
    assert rungs(planning) == [("constrained_output", "model_unavailable"), ("cache", "tool_not_of_agent")]
    assert the_plan(planning).metadata.refusals == planning.decision.refusals


async def test_never_means_never() -> None:
    with ScriptedLLM(GONE) as llm:
        planning = await plan_with(llm, [known()], reuse_plans="never")
    assert the_plan(planning).metadata.source == "fallback"


async def test_first_means_that_the_model_is_not_asked() -> None:
    with ScriptedLLM() as llm:
        planning = await plan_with(llm, [known()], reuse_plans="first")
    assert the_plan(planning).metadata.source == "cached"
    assert (planning.exchanges, planning.decision.refusals) == ((), ())


async def test_first_asks_the_model_where_nothing_is_remembered_or_what_is_may_not_be_followed() -> None:
    with ScriptedLLM(GOOD) as llm:
        assert the_plan(await plan_with(llm, [], reuse_plans="first")).metadata.source == "planner"
    steps = (RememberedStep(agent="finance_agent", tools=("research.search",)),)
    with ScriptedLLM(wire("ghost/x"), GONE) as llm:
        planning = await plan_with(llm, [known(steps=steps)], reuse_plans="first")
    assert the_plan(planning).metadata.source == "fallback"
    assert [rung for rung, _ in rungs(planning)] == ["cache", "schema", "repair"]
