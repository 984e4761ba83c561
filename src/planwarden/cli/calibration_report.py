"""What a calibration says, in words for people, at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from planwarden.cli.text_diagrams import reliability_lines, risk_lines

if TYPE_CHECKING:
    from planwarden.contracts.calibration import PlannerCalibration
    from planwarden.evaluation.calibration.calibrate import Calibrated
    from planwarden.evaluation.calibration.gate import Gate
    from planwarden.evaluation.calibration.sureness import Sureness
    from planwarden.evaluation.calibration.worth import Worth
    from planwarden.evaluation.intervals import Estimate

GIVEN = 0.9
"""The probability by which a weight is made plain."""
ACCEPTED = 0.2
"""The risk for which a minimum confidence is named."""
LEAST_COVERAGE = 0.1
"""A minimum that hardly any plan reaches is none."""


def report_lines(found: Calibrated, made: PlannerCalibration) -> Iterator[str]:
    """Say what was found; markup of rich in it, no names from outside."""
    yield "[bold]What its word is worth[/]  [dim]on tasks that the weights were not fitted on[/]"
    for name, thing, worth in (
        ("tools", "a tool", found.tools),
        ("links", "a link", found.links),
        ("way out", "a way out", found.ways_out),
    ):
        yield f"{name:<10}{_worth(worth, thing, withdrawn=found.withdrawn)}"
    yield f"{'node-F1':<10}{found.node_f1_alone.mean:.3f} by retrieval alone\n{'':<10}{_with_model(found)}"
    yield f"{'moved':<10}{found.moved:.0%} of the plans are others than without the model"
    if found.unusable:
        yield f"{'':<10}{found.unusable} tasks without a usable reply: there the prior stands"
    if not made.weights.model_counts:
        yield "[yellow]Its word counts for nothing[/]: plans are made by retrieval and memory alone."
    yield ""
    yield "[bold]How far its confidence may be believed[/]  [dim]held out, too[/]"
    yield from _confidence(found)


def _worth(worth: Worth, thing: str, *, withdrawn: bool) -> str:
    if worth.gain is None:
        return f"not heard: only {worth.tasks} tasks had such a choice, too few to show"
    gain = f"log-loss gain {_signed(worth.gain)}"
    if worth.helps:
        raised = (GIVEN / (1 - GIVEN)) ** worth.whole.model
        own = worth.whole
        said = f"{thing} that it gives {GIVEN:.0%} has its odds raised ×{raised:.1f}"
        return f"{said}\n{'':<10}[dim]weights: prior {own.prior:.2f}, model {own.model:.2f}; {gain}[/]"
    if withdrawn and worth.gain.low > 0:
        return f"not heard: plans came out worse [dim]({gain})[/]"
    return f"not heard: not shown to help [dim]({gain})[/]"


def _with_model(found: Calibrated) -> str:
    if found.withdrawn:
        return "worse with the model"
    return f"{found.node_f1.mean:.3f} with the model, {_signed(found.node_f1_gain)}"


def _confidence(found: Calibrated) -> Iterator[str]:
    plans = found.confidence.plans
    fitted = bool(found.confidence.plan_points)
    yield f"{'right':<10}{plans.right:.0%} of {plans.cases} plans exactly: the tools and their order"
    yield f"{'error':<10}{_plain(plans.ece)} between said and right (ECE)"
    yield f"{'':<10}[dim]perfect confidence would show {plans.ece_by_chance:.3f}{_before(found)}[/]"
    if plans.auroc is None:
        yield f"{'ranking':<10}nothing to rank: all are right, or all wrong"
    else:
        yield f"{'ranking':<10}{_plain(plans.auroc)} a right plan is surer than a wrong one (AUROC)"
    yield f"{'Brier':<10}{_plain(plans.brier)}, area under the risk {_plain(plans.aurc)}"
    if not fitted:
        yield "[yellow]Too few plans for a map[/]: confidence stays uncalibrated."
    yield ""
    yield "[bold]Reliability[/]  [dim]◆ share right, ├─┤ its 95 % interval, | what was said[/]"
    yield from reliability_lines(plans.bins)
    yield ""
    yield "[bold]Risk against coverage[/]  [dim]when only the surest plans are followed[/]"
    yield from risk_lines(plans.curve)
    yield _minimum(plans)


def _before(found: Calibrated) -> str:
    """Say what the map mended, where there is one."""
    return f"; without the map {found.raw.ece.mean:.3f}" if found.confidence.plan_points else ""


def _minimum(plans: Sureness) -> str:
    from planwarden.evaluation.calibration.sureness import minimum_for  # noqa: PLC0415 - not quick

    point = minimum_for(plans.curve, ACCEPTED)
    if point is None or point.coverage < LEAST_COVERAGE:
        return f"No minimum leaves a tenth of the plans with at most {ACCEPTED:.0%} wrong."
    least = max(0.0, point.confidence - 0.005)
    return (
        f"PLANNER_LLM__MIN_CONFIDENCE={least:.2f} follows {point.coverage:.0%} of the plans, "
        f"{point.risk:.0%} of them wrong."
    )


def report_document(found: Calibrated, made: PlannerCalibration) -> dict[str, Any]:
    """Give the same for a program."""
    plans = found.confidence.plans
    return {
        "calibration": made.model_dump(mode="json"),
        "worth": {
            name: {"helps": worth.helps, "gain": _values(worth.gain), "tasks": worth.tasks}
            for name, worth in (("tools", found.tools), ("links", found.links), ("way_out", found.ways_out))
        },
        "node_f1": {
            "prior": _values(found.node_f1_alone),
            "fused": _values(found.node_f1),
            "gain": _values(found.node_f1_gain),
        },
        "moved": found.moved,
        "unusable": found.unusable,
        "withdrawn": found.withdrawn,
        "confidence": {
            "plans": plans.cases,
            "right": plans.right,
            "ece": _values(plans.ece),
            "ece_by_chance": plans.ece_by_chance,
            "ece_before": found.raw.ece.mean,
            "auroc": _values(plans.auroc),
            "brier": _values(plans.brier),
            "aurc": _values(plans.aurc),
            "bins": [
                {"n": b.count, "confidence": b.confidence, "right": b.right, "low": b.low, "high": b.high}
                for b in plans.bins
            ],
        },
    }


def gate_lines(gate: Gate) -> Iterator[str]:
    """Say how it does beside the calibration in force, and why it is not installed, where it is not."""
    yield f"[bold]Beside the calibration in force[/]  [dim]{gate.in_force}[/]"
    if gate.beside is not None:
        yield f"{'node-F1':<10}{_signed(gate.beside.node_f1_gain)} on the same tasks"
        yield f"{'Brier':<10}falls by {_signed(gate.beside.brier_fall)}"
    if gate.against:
        yield f"[yellow]against it[/] {gate.against}."
        yield f"{'':<10}[dim]Without --install-anyway what was in force stays.[/]"


def gate_document(gate: Gate, *, installed: bool) -> dict[str, Any]:
    """Give the same for a program."""
    beside = None
    if gate.beside is not None:
        falls = _values(gate.beside.brier_fall)
        beside = {"node_f1_gain": _values(gate.beside.node_f1_gain), "brier_fall": falls}
    return {"installed": installed, "against": gate.against, "beside": beside}


def _values(found: Estimate | None) -> dict[str, float] | None:
    return None if found is None else {"mean": found.mean, "low": found.low, "high": found.high}


def _plain(found: Estimate) -> str:
    return rf"{found.mean:.3f} \[{found.low:.3f}, {found.high:.3f}]"


def _signed(found: Estimate) -> str:
    return rf"{found.mean:+.3f} \[{found.low:+.3f}, {found.high:+.3f}]"
