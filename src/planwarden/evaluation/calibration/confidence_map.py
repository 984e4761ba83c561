"""From what is measured of a plan to the probability that it is right. Pure.

A small logistic model puts the signals of a plan in one number; an isotonic map makes a probability of it.
Both are fitted on plans made with weights that had not seen their tasks, and the figures given are of plans
that neither had seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planwarden.evaluation.calibration.logistic import fit_logistic
from planwarden.evaluation.calibration.sureness import Case, Sureness, sureness
from planwarden.evaluation.calibration.worth import FOLDS
from planwarden.planning.confidence.isotonic import Point, fit_isotonic, read_isotonic
from planwarden.planning.confidence.signals import Signals, combined

LEAST_PLANS = 30
"""With fewer plans no map is fitted, and confidence stays uncalibrated."""
RIDGE = 2.0
"""On signals scaled to unit variance."""
LEAST_IN_A_BLOCK = 8
MOST_BLOCKS = 20
IMAGINED = 20.0
"""Cases that bear a block's score out, beside its own. From 60 plans to 800, maps with 20 have less
calibration error on others than with 2 or 10, and no more that can be told than with 40 (decision 0031)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutPlan:
    """A plan made with weights that had not seen its task."""

    fold: int
    signals: Signals
    raw: float
    """Its probability of being right, were all its choices independent."""
    right: bool
    """Whether it is exactly right: the tools, and the order of them."""
    steps: tuple[Case, ...] = ()
    """For each step the fused probability of its tool and agent, and whether a right plan has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceFit:
    """Maps for plans and for steps, and how good they are on what they were not fitted on."""

    signal_weights: Mapping[str, float]
    """Signal → coefficient, and `bias`; empty where too few plans were there to fit to."""
    plan_points: tuple[Point, ...]
    step_points: tuple[Point, ...]
    plans: Sureness
    steps: Sureness | None
    """None where no plan had a step."""
    cases: tuple[Case, ...]
    """Each plan's confidence as it came out held out, and whether it was right; in the order given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlanMap:
    weights: Mapping[str, float]
    points: tuple[Point, ...]

    def read(self, signals: Signals) -> float:
        return read_isotonic(self.points, combined(signals, self.weights))


def fit_confidence(plans: Sequence[HeldOutPlan]) -> ConfidenceFit:
    """Fit both maps, and measure them by cross-fitting.

    Args:
        plans: at least one.
    """
    if len(plans) < LEAST_PLANS:
        raw = tuple((each.raw, each.right) for each in plans)
        steps = [case for each in plans for case in each.steps]
        return ConfidenceFit(
            signal_weights={},
            plan_points=(),
            step_points=(),
            plans=sureness(raw),
            steps=sureness(steps) if steps else None,
            cases=raw,
        )
    final = _plan_map(plans)
    cases = _cross_fitted(plans)
    step_points, step_cases = _step_map(plans)
    return ConfidenceFit(
        signal_weights=final.weights,
        plan_points=final.points,
        step_points=step_points,
        plans=sureness(cases),
        steps=sureness(step_cases) if step_cases else None,
        cases=cases,
    )


def _cross_fitted(plans: Sequence[HeldOutPlan]) -> tuple[Case, ...]:
    maps = {
        fold: _plan_map([each for each in plans if each.fold != fold]) for fold in {p.fold for p in plans}
    }
    return tuple((maps[each.fold].read(each.signals), each.right) for each in plans)


def _plan_map(plans: Sequence[HeldOutPlan]) -> _PlanMap:
    """Fit the logistic model on everything, the isotonic map on what it says of plans it has not seen."""
    folds = {each.fold for each in plans}
    if len(folds) == 1:
        folds = set[int]()
    parts = {fold: _signal_weights([each for each in plans if each.fold != fold]) for fold in folds}
    whole = _signal_weights(plans)
    raws = [combined(each.signals, parts.get(each.fold, whole)) for each in plans]
    return _PlanMap(weights=whole, points=_fitted(raws, [each.right for each in plans]))


def _signal_weights(plans: Sequence[HeldOutPlan]) -> Mapping[str, float]:
    names = sorted(plans[0].signals)
    values = np.array([[each.signals[name] for name in names] for each in plans])
    middle, spread = values.mean(axis=0), values.std(axis=0)
    varied = spread > 1e-9  # a signal that never changes says nothing
    scaled = np.where(varied, (values - middle) / np.where(varied, spread, 1.0), 0.0)
    right = np.array([float(each.right) for each in plans])
    base = (right.sum() + 0.5) / (len(right) + 1.0)
    towards = np.zeros(len(names) + 1)
    towards[-1] = np.log(base / (1.0 - base))
    found = fit_logistic(np.column_stack([scaled, np.ones(len(plans))]), right, towards, ridge=RIDGE)
    slopes = np.where(varied, found[:-1] / np.where(varied, spread, 1.0), 0.0)
    weights = {name: round(float(slope), 4) for name, slope in zip(names, slopes, strict=True)}
    return {**weights, "bias": round(float(found[-1] - slopes @ middle), 4)}


def _step_map(plans: Sequence[HeldOutPlan]) -> tuple[tuple[Point, ...], tuple[Case, ...]]:
    """Fit the map from a step's fused probability to its share right; give the cases read held out."""
    if not any(each.steps for each in plans):
        return (), ()

    def fitted(kept: Sequence[HeldOutPlan]) -> tuple[Point, ...]:
        cases = [case for each in kept for case in each.steps]
        if not cases:
            return ()
        return _fitted([score for score, _ in cases], [right for _, right in cases])

    parts = {fold: fitted([each for each in plans if each.fold != fold]) for fold in range(FOLDS)}
    read = [
        (read_isotonic(parts[each.fold], score) if parts[each.fold] else score, right)
        for each in plans
        for score, right in each.steps
    ]
    return fitted(plans), tuple(read)


def _fitted(scores: Sequence[float], right: Sequence[bool]) -> tuple[Point, ...]:
    least = max(LEAST_IN_A_BLOCK, len(scores) // MOST_BLOCKS)
    points = fit_isotonic(scores, [float(each) for each in right], least=least, prior=IMAGINED)
    rounded = list({round(float(x), 5): round(float(y), 4) for x, y in points}.items())
    # of a level stretch its two ends say everything
    inner = {
        at for at in range(1, len(rounded) - 1) if rounded[at - 1][1] == rounded[at][1] == rounded[at + 1][1]
    }
    return tuple(point for at, point in enumerate(rounded) if at not in inner)
