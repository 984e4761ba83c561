from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from benchmarks.planner.baselines import NearestPlan, PlainRetrieval, words
from benchmarks.planner.bench import Crossed
from benchmarks.planner.confidence import cases_of, cross_mapped, honesty
from benchmarks.planner.hostile import HOSTILE, HostileLLM
from benchmarks.planner.remembering import RememberingLLM
from benchmarks.planner.run import NEEDS_DATA, dev_tasks
from benchmarks.planner.synthetic import OWN, distinct_tools, many_tools, task_over

from planwarden.contracts.json_schema import schema_fault
from planwarden.contracts.model import Message, ModelUsage
from planwarden.contracts.plan import PlanMetadata, PlannedAgentStep, PlannerPlan
from planwarden.errors import ModelUnavailable, ReplyInvalid
from planwarden.evaluation.contestants import Attempted
from planwarden.evaluation.plan_benchmark import Judged
from planwarden.evaluation.plan_scores import score_plan
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, OfferedTool, PlanTask, Prediction
from planwarden.llm.service import LLMRequest
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.ticking_clock import TickingClock

pytestmark = pytest.mark.anyio

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "plan": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 3},
        "why": {"type": "string"},
    },
    "required": ["plan"],
    "additionalProperties": False,
    "$defs": {"item": {"anyOf": [{"enum": ["a", "b"]}, {"const": "none"}]}},
}


def request(schema: dict[str, Any] | None = None) -> LLMRequest:
    said = (Message(role="user", content="what now"),)
    return LLMRequest(messages=said, output_schema=schema, top_logprobs=3)


@pytest.mark.requirement("BEN-5")
async def test_the_same_seed_draws_the_same_noise_and_another_seed_other_noise() -> None:
    for kind in ("random bytes", "random valid names"):
        replies = [
            [(await HostileLLM(kind, HOSTILE[kind], seed).complete(request(SCHEMA))).text for _ in range(1)]
            for seed in (1, 1, 2)
        ]
        assert replies[0] == replies[1]
        assert replies[0] != replies[2] or kind == "random valid names"
    texts = {HOSTILE["random bytes"](Random(seed), request()) for seed in range(20)}
    assert len(texts) == 20


@pytest.mark.requirement("BEN-5")
async def test_names_drawn_at_random_keep_to_the_schema_and_tokens_add_up_to_the_text() -> None:
    llm = HostileLLM("random valid names", HOSTILE["random valid names"], 7)
    assert schema_fault(SCHEMA) is None
    drawn: set[str] = set()
    for _ in range(60):
        reply = await llm.complete(request(SCHEMA))
        value = json.loads(reply.text)
        assert 1 <= len(value["plan"]) <= 3
        drawn.update(value["plan"])
        assert "".join(token.text for token in reply.tokens) == reply.text
    assert drawn == {"a", "b", "none"}


@pytest.mark.requirement("BEN-5")
async def test_a_model_that_says_nothing_fails_as_every_real_service_does() -> None:
    with pytest.raises(ReplyInvalid):
        await HostileLLM("nothing", HOSTILE["nothing"], 1).complete(request(SCHEMA))


@pytest.mark.requirement("BEN-3")
async def test_the_same_question_is_asked_once_and_a_failure_stays_one() -> None:
    with ScriptedLLM("one", ModelUnavailable("gone", remedy="start it"), "three") as inner:
        llm = RememberingLLM(inner)
        assert (await llm.complete(request())).text == "one"
        for _ in range(2):
            with pytest.raises(ModelUnavailable):
                await llm.complete(request(SCHEMA))
        assert (await llm.complete(request())).text == "one"
        other = LLMRequest(messages=(Message(role="user", content="and now"),))
        assert (await llm.complete(other)).text == "three"
        assert len(inner.requests) == 3


@pytest.mark.requirement("BEN-10")
def test_a_catalog_of_any_size_has_each_name_once_and_is_the_same_each_time() -> None:
    for count in (3, 14, 1_000):
        tools = many_tools(count, OWN)
        assert len({tool.name for tool in tools}) == count
        assert tools == many_tools(count, OWN)
    assert many_tools(7, OWN) == OWN
    late = many_tools(1_000, OWN)[-1]
    assert late.description.startswith(OWN[999 % 7].description)


@pytest.mark.requirement("BEN-10")
def test_each_tool_that_tasks_offer_is_taken_once() -> None:
    first, second = OfferedTool(name="a", description="1"), OfferedTool(name="b", description="2")
    tasks = [task_over((first, second), "r", "t"), task_over((second, first), "r", "u")]
    assert distinct_tools(tasks) == (first, second)


def judged(task_id: str, confidence: float | None, right: bool) -> Judged:
    gold = GoldPlan(steps=(GoldStep(tool="a"),))
    task = PlanTask(id=task_id, source="s", request="r", tools=(OfferedTool(name="a"),), gold=gold)
    said = Prediction(id=task_id, steps=gold.steps if right else ())
    plan = None
    if confidence is not None:
        step = PlannedAgentStep(id="s1", agent="general_agent", tools=("a",))
        plan = PlannerPlan(steps=(step,), metadata=PlanMetadata(source="planner"), confidence=confidence)
    attempted = Attempted(prediction=said, usage=ModelUsage(), seconds=1.0, source="planner", plan=plan)
    return Judged(task=task, attempted=attempted, score=score_plan(task, said))


@pytest.mark.requirement("BEN-11")
def test_a_plans_confidence_is_mapped_by_what_came_of_the_other_folds_alone() -> None:
    """The two folds contradict each other: each is told what the other one learned."""
    ids = [(f"{fold}-{n}", fold) for fold in (0, 1) for n in range(200)]
    found = [judged(name, 0.9, right=fold == 0) for name, fold in ids]
    mapped = cross_mapped(found, dict(ids))
    first = [sure for sure, right in mapped if right]
    second = [sure for sure, right in mapped if not right]
    assert len(first) == len(second) == 200
    assert max(first) < 0.1  # fold 0 is right, but fold 1, all wrong, says how sure to be
    assert min(second) > 0.9


@pytest.mark.requirement("BEN-11")
def test_a_task_without_a_plan_is_a_case_of_no_confidence_and_both_planners_have_figures() -> None:
    assert cases_of([judged("a", None, right=False), judged("b", 0.7, right=True)]) == [
        (0.0, False),
        (0.7, True),
    ]
    some = tuple(judged(f"t{n}", n / 40, right=n > 20) for n in range(40))
    fold: Mapping[str, int] = {f"t{n}": n % 5 for n in range(40)}
    section = honesty(Crossed(judged={"prior": some, "model": (), "fused": some}, fold=fold))
    assert [each.name.partition(", ")[2] for each in section.figures] == [
        f"{mode}, 40 plans" for mode in ("fused", "fused", "prior", "prior")
    ]
    auroc, error = section.figures[:2]
    assert auroc.value is not None
    assert auroc.value > 0.9
    assert error.value is not None
    assert {each.name for each in section.tables} >= {"confidence", "reliability_fused", "risk_fused"}


@pytest.mark.requirement("BEN-9")
def test_without_the_dev_set_it_says_where_it_looked_and_what_is_left_out(tmp_path: Path) -> None:
    told: list[str] = []
    assert dev_tasks({"PLANWARDEN_PLAN_DATA": str(tmp_path)}, told.append) == ()
    said = " ".join(told)
    assert str(tmp_path) in said
    assert "PLANWARDEN_PLAN_DATA" in said
    assert all(part in said for part in NEEDS_DATA)


@pytest.mark.requirement("BEN-9")
async def test_plain_retrieval_ranks_by_words_and_copies_only_plans_whose_tools_are_offered() -> None:
    tools = (
        OfferedTool(name="getWeather", description="The weather of a city"),
        OfferedTool(name="send_mail", description="Send a letter to somebody"),
    )
    task = task_over(tools, "How is the weather in Oslo?", "t")
    clock = TickingClock()
    best = await PlainRetrieval(clock=clock, top=1).attempt(task)
    assert best.prediction.tools == ("getWeather",)
    assert words("getWeather_of2Cities") == ["get", "weather", "of", "2", "cities"]
    gold = GoldPlan(steps=(GoldStep(tool="send_mail"), GoldStep(tool="getWeather")), edges=((0, 1),))
    near = task_over(tools, "How is the weather today?", "near").model_copy(update={"gold": gold})
    alien = near.model_copy(
        update={"request": "How is the weather in Oslo?", "gold": GoldPlan(steps=(GoldStep(tool="alien"),))}
    )
    copied = await NearestPlan([alien, near], clock).attempt(task)
    assert copied.prediction.tools == ("send_mail", "getWeather")
    assert copied.prediction.edges == ((0, 1),)
    fallen_back = await NearestPlan([alien], clock).attempt(task)
    assert fallen_back.prediction.tools == ("getWeather", "send_mail")
