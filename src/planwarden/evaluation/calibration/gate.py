"""Whether a calibration that was just measured may take the place of the one in force. Pure.

Both are held against the same tasks: the new one as it does on tasks it was not fitted on, the one in force
as it is. That one may have been fitted on these very tasks, and is hard to beat on them; own tasks tell more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planwarden.contracts.calibration import PlannerCalibration
from planwarden.evaluation.calibration.calibrate import Calibrated, said
from planwarden.evaluation.calibration.collecting import Asked
from planwarden.evaluation.calibration.confidence_map import LEAST_PLANS
from planwarden.evaluation.calibration.tasks import judge
from planwarden.evaluation.intervals import Estimate, estimate
from planwarden.planning.confidence.raw import raw_confidence
from planwarden.planning.fusion.compose import compose
from planwarden.planning.fusion.fuse import fuse
from planwarden.planning.fusion.worth_asking import worth_asking

FEWEST = LEAST_PLANS
"""Tasks without which confidence gets no map, and the interval of any gain is wider than any gain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The new calibration beside the one in force, task by task."""

    node_f1_gain: Estimate
    brier_fall: Estimate
    """By how much the squared error of confidence falls."""

    @property
    def better(self) -> bool:
        """Say whether plans are better beyond doubt, or no worse and their confidence better beyond doubt."""
        return self.node_f1_gain.low > 0.0 or (self.node_f1_gain.mean >= 0.0 and self.brier_fall.low > 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What speaks for and against installing."""

    tasks: int
    in_force: str
    """Which calibration was in force."""
    beside: Beside | None
    """None where what is in force was never measured for this model: there is nothing to be better than."""

    @property
    def against(self) -> str:
        """Say why the calibration is not installed; empty where it may be."""
        if self.tasks < FEWEST:
            return f"it was measured on {self.tasks} tasks, and with fewer than {FEWEST} nothing can be shown"
        if self.beside is not None and not self.beside.better:
            return "it is not better beyond doubt than the one in force, on the same tasks"
        return ""


def gate(found: Calibrated, asked: Sequence[Asked], in_force: PlannerCalibration) -> Gate:
    """Hold a new calibration against the one in force.

    Args:
        found: the new one.
        asked: the tasks that it was measured on.
        in_force: what planning reads now.
    """
    label = f"measured on {in_force.at}, {in_force.tasks} tasks" if in_force.measured else "never measured"
    beside = _beside(found, asked, in_force) if in_force.measured else None
    return Gate(tasks=len(asked), in_force=label, beside=beside)


def _beside(found: Calibrated, asked: Sequence[Asked], in_force: PlannerCalibration) -> Beside:
    old = [_under(each, in_force) for each in asked]
    errors = [(sure - float(right)) ** 2 for sure, right in found.confidence.cases]
    return Beside(
        node_f1_gain=estimate([new - before for new, (before, _) in zip(found.scores, old, strict=True)]),
        brier_fall=estimate([before - new for new, (_, before) in zip(errors, old, strict=True)]),
    )


def _under(asked: Asked, in_force: PlannerCalibration) -> tuple[float, float]:
    """Plan a task as planning would now; give node-F1 and the squared error of the plan's confidence."""
    known = asked.considered
    hear = worth_asking(known.prior, in_force.weights, known.offer, known.bounds)
    fused = fuse(known.prior, known.evidence if hear else None, in_force.weights)
    draft = compose(fused, known.bounds)
    verdict = judge(asked.task, said(draft))
    maps = in_force.read_by(heard=fused.evidence is not None)
    sure = maps.confidence.value(raw_confidence(draft, fused, maps.signal_weights))
    return verdict.node_f1, (sure - float(verdict.exact)) ** 2
