"""The calibration in force makes the confidence, and the confidence gates."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.calibration import IsotonicMap, PlannerCalibration, PlannerWeights, PriorConfidence
from planwarden.contracts.specs import AgentSpec, JsonSchema, ToolSpec
from planwarden.contracts.task import Task
from planwarden.planning.planner import LLMOrchestrationPlanner, PlannerSettings, Planning
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.scripted_llm import FunctionLLM

pytestmark = pytest.mark.requirement("CAL-10")

LEVEL = ((0.0, 0.0), (1.0, 1.0))


def tool(name: str, description: str) -> ToolSpec:
    schema: JsonSchema = {"type": "object", "properties": {}, "additionalProperties": False}
    return ToolSpec(name=name, description=description, effect="read", parameters=schema)


TOOLS = {
    each.name: each for each in (tool("weather", "The weather of a town"), tool("news", "News of the day"))
}
CATALOG = Catalog(
    agents={FALLBACK_AGENT: AgentSpec(name=FALLBACK_AGENT, description="All", tools=tuple(TOOLS))},
    tools=TOOLS,
)
POLICY = ToolPolicy(
    agents={FALLBACK_AGENT: AgentPolicy(rules=(Rule(name="all", says="allow", tools=("*",)),))}
)


def calibration(
    points: tuple[tuple[float, float], ...],
    *,
    signals: Mapping[str, float] | None = None,
    measured: bool = True,
) -> PlannerCalibration:
    return PlannerCalibration(
        model="m",
        label="m",
        prompt_version="p",
        weights=PlannerWeights(model=0.5),
        measured=measured,
        confidence=IsotonicMap(points=points),
        step_confidence=IsotonicMap(points=((0.0, 0.6), (1.0, 0.6))),
        signal_weights=signals or {},
    )


def plan(made: PlannerCalibration, **settings: object) -> Planning:
    chosen = PlannerSettings(ask="always", **settings)  # pyright: ignore[reportArgumentType] - knobs by name
    llm = FunctionLLM(lambda _: '{"plan":["weather"]}')
    planner = LLMOrchestrationPlanner(llm, chosen, calibrated=lambda _: made)
    try:
        return anyio.run(planner.plan, Task(prompt="How is the weather?"), CATALOG, POLICY)
    finally:
        planner.close()


def test_the_maps_in_force_make_the_confidence_of_plan_and_steps() -> None:
    made = plan(calibration(((0.0, 0.3), (1.0, 0.3)))).decision.plan
    assert made is not None
    assert (made.confidence, made.steps[0].confidence) == (0.3, 0.6)
    assert made.metadata.confidence_method.calibrated
    assert made.metadata.confidence_method.method == "fused"


def test_the_weighed_signals_are_what_the_map_reads() -> None:
    low = plan(calibration(LEVEL, signals={"bias": -2.0})).decision.plan
    high = plan(calibration(LEVEL, signals={"bias": 2.0, "weakest": 0.0})).decision.plan
    assert low is not None
    assert high is not None
    assert (low.confidence, high.confidence) == (pytest.approx(0.1192), pytest.approx(0.8808))


@pytest.mark.requirement("CAL-11")
def test_a_plan_for_which_no_model_was_heard_is_read_by_what_was_measured_of_the_prior() -> None:
    level = IsotonicMap(points=((0.0, 0.7), (1.0, 0.7)))
    alone = PriorConfidence(
        prior_version="ranker",
        tasks=1_000,
        at="2026-11-25",
        planwarden_version="0",
        step_confidence=IsotonicMap(points=((0.0, 0.9), (1.0, 0.9))),
        signal_weights={"bias": 0.0},
        confidence=level,
        figures={},
    )
    known = calibration(((0.0, 0.3), (1.0, 0.3)), measured=False).model_copy(update={"alone": alone})
    heard, unheard = plan(known).decision.plan, plan(known, mode="prior").decision.plan
    assert heard is not None
    assert unheard is not None
    assert (heard.confidence, heard.metadata.confidence_method.calibrated) == (0.3, False)
    assert (unheard.confidence, unheard.steps[0].confidence) == (0.7, 0.9)
    assert unheard.metadata.confidence_method.method == "prior"
    assert unheard.metadata.confidence_method.calibrated


def test_without_a_map_confidence_is_said_to_be_uncalibrated() -> None:
    made = plan(calibration(())).decision.plan
    default = plan(calibration(LEVEL, measured=False)).decision.plan
    assert made is not None
    assert default is not None
    assert not made.metadata.confidence_method.calibrated
    assert not default.metadata.confidence_method.calibrated


def test_the_minimum_is_compared_with_the_calibrated_number() -> None:
    unsure = calibration(((0.0, 0.3), (1.0, 0.3)))
    followed = plan(unsure, min_confidence=0.2)
    assert followed.decision.plan is not None
    assert followed.decision.plan.metadata.source != "fallback"
    gated = plan(unsure, min_confidence=0.5)
    assert gated.decision.plan is not None
    assert gated.decision.plan.metadata.source == "fallback"
    assert [each.reason for each in gated.decision.refusals] == ["confidence_too_low"]
    assert not gated.needs_person


def test_a_plan_below_the_minimum_waits_for_a_person_where_that_is_set() -> None:
    gated = plan(calibration(((0.0, 0.3), (1.0, 0.3))), min_confidence=0.5, on_low_confidence="person")
    assert gated.needs_person
    assert gated.decision.plan is not None
    assert gated.decision.plan.confidence == 0.3
