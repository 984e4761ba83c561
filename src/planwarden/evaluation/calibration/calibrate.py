"""From what was asked to a calibration: weights, maps, and what they are worth. Pure.

The order matters: weights are fitted without the tasks of a fold, that fold's tasks are planned with them,
and only such plans teach the map of confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planwarden.app.calibration import Basis
from planwarden.contracts.calibration import PRIOR_ALONE, IsotonicMap, PlannerCalibration, PlannerWeights
from planwarden.contracts.measurement import measurement_key
from planwarden.contracts.model import ModelIdentity
from planwarden.evaluation.calibration.collecting import (
    Asked,
    link_observations,
    tool_observations,
    way_out_observations,
)
from planwarden.evaluation.calibration.confidence_map import ConfidenceFit, HeldOutPlan, fit_confidence
from planwarden.evaluation.calibration.sureness import Sureness, sureness
from planwarden.evaluation.calibration.tasks import Verdict, Wanted, WayOut, judge, tasks_digest
from planwarden.evaluation.calibration.worth import FOLDS, Observation, Weighing, Worth, find_worth, fold_of
from planwarden.evaluation.intervals import Estimate, estimate
from planwarden.planning.confidence.raw import exact_probability, signals_of, step_probability
from planwarden.planning.fusion.compose import Draft, compose
from planwarden.planning.fusion.fuse import Fused, fuse
from planwarden.planning.fusion.worth_asking import worth_asking


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """Weights, maps, and the figures by which to judge them; all figures are of held-out tasks."""

    weights: PlannerWeights
    tools: Worth
    links: Worth
    ways_out: Worth
    node_f1_alone: Estimate
    """Of the plans that the prior makes alone."""
    node_f1: Estimate
    """Of the plans with the weights found."""
    node_f1_gain: Estimate
    """Paired: what the model adds to each task."""
    scores: tuple[float, ...]
    """Node-F1 of each task's plan, in the order of the tasks."""
    exact: Estimate
    """Share of plans exactly right."""
    confidence: ConfidenceFit
    raw: Sureness
    """The raw confidence as it stands without any map."""
    moved: float
    """Share of tasks whose plan the model changed."""
    unusable: int
    """How many tasks the model gave no usable reply for."""
    withdrawn: bool
    """The model's log-loss was better with it, its plans worse: its weights were taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """One task planned with held-out weights and by the prior alone."""

    plan: HeldOutPlan
    verdict: Verdict
    alone: Verdict
    moved: bool


def calibrate(asked: Sequence[Asked]) -> Calibrated:
    """Fit weights and maps for a model, and measure them on held-out tasks.

    A model whose plans come out worse than the prior's on average gets weight 0 everywhere, whatever its
    log-loss says.

    Args:
        asked: at least one task.
    """
    worths = _worths(asked, heard=True)
    planned = _planned(asked, worths)
    gains = [each.verdict.node_f1 - each.alone.node_f1 for each in planned]
    withdrawn = sum(gains) < 0.0
    if withdrawn:
        worths = _worths(asked, heard=False)
        planned = _planned(asked, worths)
        gains = [0.0] * len(planned)
    tools, links, ways_out = worths
    return Calibrated(
        weights=_weights(tools.whole, links.whole, ways_out.whole),
        tools=tools,
        links=links,
        ways_out=ways_out,
        node_f1_alone=estimate([each.alone.node_f1 for each in planned]),
        node_f1=estimate([each.verdict.node_f1 for each in planned]),
        node_f1_gain=estimate(gains),
        scores=tuple(each.verdict.node_f1 for each in planned),
        exact=estimate([float(each.verdict.exact) for each in planned]),
        confidence=fit_confidence([each.plan for each in planned]),
        raw=sureness([(each.plan.raw, each.plan.right) for each in planned]),
        moved=sum(each.moved for each in planned) / len(planned),
        unusable=sum(each.considered.evidence is None for each in asked),
        withdrawn=withdrawn,
    )


_Worths = tuple[Worth, Worth, Worth]
"""Of tools, links, ways out."""


def _worths(asked: Sequence[Asked], *, heard: bool) -> _Worths:
    def of(observe: Callable[[Asked], Sequence[Observation]]) -> Worth:
        return find_worth([observe(each) for each in asked], heard=heard)

    return of(tool_observations), of(link_observations), of(way_out_observations)


def _weights(tools: Weighing, links: Weighing, ways_out: Weighing) -> PlannerWeights:
    return PlannerWeights(
        prior=tools.prior,
        model=tools.model,
        bias=tools.bias,
        link_prior=links.prior,
        link_model=links.model,
        link_bias=links.bias,
        none_prior=ways_out.prior,
        none_model=ways_out.model,
        none_bias=ways_out.bias,
    )


def _planned(asked: Sequence[Asked], worths: _Worths) -> list[_Planned]:
    tools, links, ways_out = worths
    by_fold = [
        _weights(tools.held_out[fold], links.held_out[fold], ways_out.held_out[fold]) for fold in range(FOLDS)
    ]
    return [_plan(each, by_fold[fold_of(place)], fold_of(place)) for place, each in enumerate(asked)]


def _plan(asked: Asked, weights: PlannerWeights, fold: int) -> _Planned:
    """Plan as the product would: a model that could change nothing is not asked there, and not heard here."""
    known = asked.considered
    hear = worth_asking(known.prior, weights, known.offer, known.bounds)
    fused = fuse(known.prior, known.evidence if hear else None, weights)
    draft = compose(fused, known.bounds)
    alone = compose(fuse(known.prior, None, PRIOR_ALONE), known.bounds)
    verdict = judge(asked.task, said(draft))
    return _Planned(
        plan=_held_out(asked, fold, fused, draft),
        verdict=verdict,
        alone=judge(asked.task, said(alone)),
        moved=draft.names != alone.names,
    )


def planned_alone(asked: Asked, fold: int) -> HeldOutPlan:
    """Plan by the prior alone, whatever a model said, and give what the plan's confidence is fitted on."""
    known = asked.considered
    fused = fuse(known.prior, None, PRIOR_ALONE)
    draft = compose(fused, known.bounds)
    return _held_out(asked, fold, fused, draft)


def _held_out(asked: Asked, fold: int, fused: Fused, draft: Draft) -> HeldOutPlan:
    return HeldOutPlan(
        fold=fold,
        signals=signals_of(draft, fused),
        raw=exact_probability(draft, fused),
        right=judge(asked.task, said(draft)).exact,
        steps=_steps(asked, draft),
    )


def _steps(asked: Asked, draft: Draft) -> tuple[tuple[float, bool], ...]:
    return tuple(
        (step_probability(step), asked.task.right_step(step.tool, step.agent)) for step in draft.steps
    )


_WAYS_OUT: dict[str | None, WayOut] = {"none": "none", "ask": "ask"}


def said(draft: Draft) -> Wanted:
    """Give a draft as a task's gold plan is written."""
    return Wanted(
        tools=tuple(step.tool for step in draft.steps),
        edges=tuple((use, place) for place, step in enumerate(draft.steps) for use in step.uses),
        way_out=_WAYS_OUT.get(draft.way_out),
    )


def calibration_of(
    found: Calibrated,
    asked: Sequence[Asked],
    identity: ModelIdentity,
    *,
    basis: Basis,
    catalog_digest: str,
    planwarden_version: str,
    at: str,
) -> PlannerCalibration:
    """Write down what was found, as planning reads it.

    Args:
        found: weights, maps, figures.
        asked: the tasks.
        identity: of the model.
        basis: the prompt and the prior that it was asked with.
        catalog_digest: of the catalog in force here.
        planwarden_version: of the program.
        at: the day, as YYYY-MM-DD.
    """
    fit, plans = found.confidence, found.confidence.plans
    figures = {
        "exact": found.exact.mean,
        "node_f1_prior": found.node_f1_alone.mean,
        "node_f1": found.node_f1.mean,
        "node_f1_gain": found.node_f1_gain.mean,
        "node_f1_gain_low": found.node_f1_gain.low,
        "node_f1_gain_high": found.node_f1_gain.high,
        "moved": found.moved,
        "ece": plans.ece.mean,
        "ece_low": plans.ece.low,
        "ece_high": plans.ece.high,
        "ece_before": found.raw.ece.mean,
        "brier": plans.brier.mean,
        "aurc": plans.aurc.mean,
    }
    if plans.auroc is not None:
        figures |= {"auroc": plans.auroc.mean, "auroc_low": plans.auroc.low, "auroc_high": plans.auroc.high}
    return PlannerCalibration(
        model=measurement_key(identity),
        label=f"{identity.provider} {identity.model}",
        prompt_version=basis.prompt_version,
        prior_version=basis.prior_version,
        weights=found.weights,
        measured=True,
        tasks=len(asked),
        tasks_digest=tasks_digest([each.task for each in asked]),
        catalog_digest=catalog_digest,
        at=at,
        step_confidence=IsotonicMap(points=fit.step_points),
        signal_weights=fit.signal_weights,
        confidence=IsotonicMap(points=fit.plan_points),
        method="logistic_regression",
        planwarden_version=planwarden_version,
        figures={name: round(value, 4) for name, value in figures.items()},
    )
