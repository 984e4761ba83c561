from __future__ import annotations

import math
from random import Random

import pytest

from planwarden.contracts.calibration import IsotonicMap
from planwarden.evaluation.calibration.confidence_map import LEAST_PLANS, HeldOutPlan, fit_confidence
from planwarden.planning.confidence.signals import Beliefs, combined, plan_signals

pytestmark = pytest.mark.requirement("CAL-4")


def held_out(count: int) -> list[HeldOutPlan]:
    """Make plans of two tools whose probabilities boast: those right less often than they say."""
    random = Random(2)
    plans: list[HeldOutPlan] = []
    for place in range(count):
        sure = random.random()
        tools = {"a": 0.5 + sure / 2, "b": 0.5 + sure / 2, "c": 0.3 * random.random()}
        beliefs = Beliefs(tools=tools, chosen=("a", "b"), prior=tools)
        rights = (random.random() < 0.9 * sure, random.random() < 0.9)
        plans.append(
            HeldOutPlan(
                fold=place % 5,
                signals=plan_signals(beliefs),
                raw=tools["a"] * tools["b"] * (1 - tools["c"]),
                right=all(rights),
                steps=((tools["a"], rights[0]), (tools["b"], rights[1])),
            )
        )
    return plans


def test_calibrated_confidence_is_nearer_to_what_is_right_than_the_raw_one() -> None:
    plans = held_out(300)
    fit = fit_confidence(plans)
    raw = [abs(each.raw - each.right) for each in plans]
    told = [abs(confidence - right) for confidence, right in fit.cases]
    assert sum(told) < sum(raw)
    assert fit.plans.ece.mean < 0.1
    assert fit.plans.auroc is not None
    assert fit.plans.auroc.low > 0.6
    assert fit.steps is not None
    assert fit.steps.ece.mean < 0.06


def test_the_maps_are_what_the_contract_takes() -> None:
    fit = fit_confidence(held_out(300))
    plans, steps = IsotonicMap(points=fit.plan_points), IsotonicMap(points=fit.step_points)
    assert plans.value(0.0) <= plans.value(0.5) <= plans.value(1.0)
    assert steps.value(0.55) < steps.value(0.99)
    assert set(fit.signal_weights) == {*held_out(1)[0].signals, "bias"}


def test_with_too_few_plans_no_map_is_fitted() -> None:
    fit = fit_confidence(held_out(LEAST_PLANS - 1))
    assert (fit.plan_points, fit.step_points, fit.signal_weights) == ((), (), {})
    assert fit.plans.cases == LEAST_PLANS - 1


def test_signals_speak_of_the_set_its_rivals_and_who_agrees() -> None:
    tools = {"a": 0.9, "b": 0.6, "c": 0.1}
    said = plan_signals(Beliefs(tools=tools, chosen=("a", "b"), prior=tools, model={"a": 0.8, "c": 0.7}))
    assert said["exact"] == pytest.approx(math.log(0.9 * 0.6 * 0.9))
    assert said["f1"] == pytest.approx(2 * 1.5 / (2 + 1.6))
    assert said["margin"] == pytest.approx(2 * 1.5 / 3.6 - 2 * 1.6 / 4.6)
    assert said["agreement"] == pytest.approx(1 / 3)
    surer = plan_signals(Beliefs(tools={**tools, "b": 0.95}, chosen=("a", "b"), prior=tools))
    assert all(surer[name] > said[name] for name in ("exact", "weakest", "f1", "margin"))
    assert combined(said, {"bias": 0.0, "f1": 0.0}) == 0.5
    assert combined(said, {"f1": 2.0}) > combined(said, {"f1": 1.0}) > 0.5
