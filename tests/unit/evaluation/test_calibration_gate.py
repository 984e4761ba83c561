"""Whether a new calibration is installed, by values made by hand on a plan that is known to be right."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from planwarden.app.assembly import make_planner
from planwarden.configuration.settings import PlannerModel
from planwarden.contracts.calibration import PRIOR_ALONE, IsotonicMap, PlannerCalibration, PriorConfidence
from planwarden.evaluation.calibration.calibrate import Calibrated, calibrate, said
from planwarden.evaluation.calibration.collecting import Asked, ask_all
from planwarden.evaluation.calibration.gate import FEWEST, Beside, gate
from planwarden.evaluation.calibration.reading import evenly, shipped_tasks
from planwarden.evaluation.calibration.tasks import judge
from planwarden.evaluation.intervals import Estimate
from planwarden.evaluation.own_benchmark import shipped_world
from planwarden.planning.fusion.compose import compose
from planwarden.planning.fusion.fuse import fuse
from planwarden.testing.scripted_llm import FunctionLLM

pytestmark = pytest.mark.requirement("GAP-4")


def nobody(_asked: Asked) -> None:
    """Hear of each task and say nothing."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Asked, ...]:
    """Ask about tasks without hearing anything: each is planned by the prior alone."""
    tasks = evenly(shipped_tasks(shipped_world(tmp_path_factory.mktemp("state"))), FEWEST)
    planner = make_planner(PlannerModel(reasons="catalog"), FunctionLLM(lambda _: "\x00"))
    try:
        return anyio.run(ask_all, tasks, planner, (), nobody)
    finally:
        planner.close()


def alone(each: Asked) -> float:
    """Give the node-F1 of the prior's own plan; 1 where it is exactly right, below where it is not."""
    known = each.considered
    verdict = judge(each.task, said(compose(fuse(known.prior, None, PRIOR_ALONE), known.bounds)))
    return verdict.node_f1 if not verdict.exact else 1.0


def sure(confidence: float) -> PlannerCalibration:
    """Give one in force that leaves the prior's plan as it is, and is always as sure of it."""
    return PlannerCalibration(
        model="m",
        label="m",
        prompt_version="p",
        weights=PRIOR_ALONE,
        measured=True,
        tasks=FEWEST,
        at="2026-11-25",
        confidence=IsotonicMap(points=((0.0, confidence),)),
    )


def found(base: Calibrated, *, f1: float, sure: float, right: bool = True) -> Calibrated:
    """Give one that was just measured, with the same plan's score and confidence for each task."""
    confidence = replace(base.confidence, cases=((sure, right),) * FEWEST)
    return replace(base, scores=(f1,) * FEWEST, confidence=confidence)


def test_one_whose_plans_or_whose_confidence_are_better_is_installed_an_equal_or_a_worse_one_is_not(
    asked: tuple[Asked, ...],
) -> None:
    base = calibrate(asked)
    right = (next(each for each in asked if alone(each) == 1.0),) * FEWEST
    surer = gate(found(base, f1=1.0, sure=0.9), right, sure(0.6))
    assert surer.beside is not None
    assert surer.beside.node_f1_gain.mean == pytest.approx(0.0)
    assert surer.beside.brier_fall.low == pytest.approx(0.16 - 0.01)
    assert (surer.beside.better, surer.against) == (True, "")
    for f1, confidence, gain, fall in ((1.0, 0.6, 0.0, 0.0), (1.0, 0.3, 0.0, -0.33), (0.5, 0.9, -0.5, 0.15)):
        other = gate(found(base, f1=f1, sure=confidence), right, sure(0.6))
        assert other.beside is not None
        assert other.beside.node_f1_gain.mean == pytest.approx(gain)
        assert other.beside.brier_fall.mean == pytest.approx(fall)
        assert not other.beside.better
        assert "not better beyond doubt" in other.against
    wrong = next(each for each in asked if alone(each) < 1.0)
    planned = gate(found(base, f1=1.0, sure=0.0), (wrong,) * FEWEST, sure(0.0))
    assert planned.beside is not None
    assert planned.beside.node_f1_gain.low == pytest.approx(1.0 - alone(wrong))
    assert planned.beside.brier_fall.mean == pytest.approx(-1.0)
    assert planned.against == ""


@pytest.mark.parametrize(
    ("gain", "fall", "better"),
    [
        ((0.2, 0.1), (-0.2, -0.3), True),
        ((0.2, 0.0), (0.2, 0.1), True),
        ((0.0, -0.1), (0.2, 0.1), True),
        ((-0.01, -0.1), (0.2, 0.1), False),
        ((0.2, 0.0), (0.2, 0.0), False),
        ((0.0, 0.0), (0.0, 0.0), False),
        ((0.1, -0.1), (0.1, -0.1), False),
    ],
)
def test_better_is_beyond_doubt_by_plans_or_by_confidence_with_plans_no_worse(
    gain: tuple[float, float], fall: tuple[float, float], *, better: bool
) -> None:
    made = [Estimate(mean, low, 2 * mean - low, FEWEST) for mean, low in (gain, fall)]
    assert Beside(node_f1_gain=made[0], brier_fall=made[1]).better is better


def test_too_few_tasks_install_nothing_and_one_that_was_never_measured_stands_in_no_way(
    asked: tuple[Asked, ...],
) -> None:
    base = calibrate(asked)
    few = gate(found(base, f1=1.0, sure=1.0), asked[:-1], sure(0.0).model_copy(update={"measured": False}))
    assert (few.tasks, few.in_force, few.beside) == (FEWEST - 1, "never measured", None)
    assert f"fewer than {FEWEST}" in few.against
    enough = gate(found(base, f1=0.0, sure=0.0), asked, sure(0.0).model_copy(update={"measured": False}))
    assert enough.against == ""


def test_what_is_in_force_is_judged_as_planning_reads_plans_for_which_no_model_was_heard(
    asked: tuple[Asked, ...],
) -> None:
    base = calibrate(asked)
    right = (next(each for each in asked if alone(each) == 1.0),) * FEWEST
    maps = PriorConfidence(
        prior_version="r",
        tasks=1,
        at="2026-11-25",
        planwarden_version="0",
        step_confidence=IsotonicMap(),
        signal_weights={},
        confidence=IsotonicMap(points=((0.0, 0.9),)),
        figures={},
    )
    beside = gate(found(base, f1=1.0, sure=0.9), right, sure(0.1).model_copy(update={"alone": maps})).beside
    assert beside is not None
    assert beside.brier_fall.mean == pytest.approx(0.0)
