"""The plan contract: what is written is read back the same, and nothing can be changed in place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from planwarden.contracts.plan import (
    MAX_STEPS,
    ConfidenceMethod,
    LiteralValue,
    PlanDecision,
    PlanMetadata,
    PlannedAgentStep,
    PlannerPlan,
    Refusal,
)

pytestmark = pytest.mark.requirement("CON-1")

NAMES = st.sampled_from(["a.x", "b.y", "c.z", "d"])
PROBABILITIES = st.floats(0, 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def plans(draw: st.DrawFn) -> PlannerPlan:
    steps: list[PlannedAgentStep] = []
    for number in range(draw(st.integers(1, MAX_STEPS))):
        named = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
        split = draw(st.integers(1, len(named)))
        earlier = [step.id for step in steps]
        binding = {"tool": named[0], "arguments": {"x": {"kind": "literal", "value": draw(VALUES)}}}
        step: dict[str, Any] = {
            "id": f"s{number}",
            "agent": draw(NAMES),
            "tools": tuple(named[:split]),
            "fallback_tools": tuple(named[split:]),
            "depends_on": tuple(draw(st.lists(st.sampled_from(earlier), unique=True))) if earlier else (),
            "reason": draw(TEXTS),
            "confidence": draw(PROBABILITIES),
            "bindings": (binding,) if draw(st.booleans()) else (),
        }
        steps.append(PlannedAgentStep.model_validate(step))
    metadata = PlanMetadata(
        source=draw(st.sampled_from(["planner", "repaired", "prior", "cached", "fallback", "edited"])),
        handoff_strategy=draw(st.sampled_from(["sequential", "parallel"])),
        latency_s=draw(st.none() | st.floats(0, 1e6)),
        prompt_tokens=draw(st.none() | st.integers(0, 10**9)),
        confidence_method=ConfidenceMethod(method=draw(st.sampled_from(["token_probability", "none"]))),
        refusals=(Refusal(rung="parse", reason="not_json", message=draw(TEXTS)),),
    )
    return PlannerPlan(steps=tuple(steps), metadata=metadata, confidence=draw(PROBABILITIES))


@given(plans())
def test_a_plan_written_and_read_is_the_same_plan_with_the_same_digest(plan: PlannerPlan) -> None:
    again = PlannerPlan.model_validate_json(plan.model_dump_json(), strict=True)
    assert again == plan
    assert again.digest() == plan.digest()
    decision = PlanDecision(plan=plan, refusals=plan.metadata.refusals)
    assert PlanDecision.model_validate_json(decision.model_dump_json()) == decision


def a_plan(**step: Any) -> PlannerPlan:
    steps = (PlannedAgentStep.model_validate({"id": "s1", "agent": "a", "tools": ("t",), **step}),)
    return PlannerPlan(steps=steps, metadata=PlanMetadata(source="planner"))


def test_whatever_is_enforced_is_in_the_digest() -> None:
    binding = {"tool": "t", "arguments": {"x": {"kind": "literal", "value": 1}}}
    other = {"tool": "t", "arguments": {"x": {"kind": "literal", "value": 2}}}
    variants = [
        a_plan(),
        a_plan(id="s2"),
        a_plan(agent="b"),
        a_plan(tools=("t", "u")),
        a_plan(tools=("u", "t")),
        a_plan(fallback_tools=("u",)),
        a_plan(bindings=(binding,)),
        a_plan(bindings=(other,)),
        a_plan().model_copy(update={"metadata": PlanMetadata(source="edited")}),
        a_plan().model_copy(update={"metadata": PlanMetadata(source="planner", handoff_strategy="parallel")}),
    ]
    assert len({plan.digest() for plan in variants}) == len(variants)


def test_a_plan_is_steps_metadata_confidence_and_its_version() -> None:
    assert set(PlannerPlan.model_fields) == {"schema_version", "steps", "metadata", "confidence"}
    assert a_plan().schema_version == 2


def test_a_plan_cannot_be_changed() -> None:
    plan = a_plan()
    with pytest.raises(ValidationError, match="frozen"):
        plan.steps[0].tools = ("other",)
    with pytest.raises(KeyError):
        plan.step("ghost")
    assert plan.step("s1") is plan.steps[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", object(), {1, 2}, [float("-inf")]])
def test_a_literal_is_a_value_that_can_be_stored(value: object) -> None:
    with pytest.raises(ValidationError, match="not a JSON value"):
        LiteralValue(value=value)


@pytest.mark.parametrize("confidence", [True, "0.5", None, -0.1, 1.1, float("nan"), float("inf")])
def test_a_confidence_is_a_number_within_0_to_1(confidence: Any) -> None:
    with pytest.raises(ValidationError):
        a_plan(confidence=confidence)
