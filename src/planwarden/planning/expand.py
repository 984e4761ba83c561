"""From a draft to the contract: ids, dependencies, provenance, confidence, who decided what. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.calibration import PlannerCalibration, PriorConfidence
from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import (
    ConfidenceMethod,
    HandoffStrategy,
    PlanChoice,
    PlanMetadata,
    PlannedAgentStep,
    PlannerMode,
    PlannerPlan,
    PlanSource,
    Refusal,
)
from planwarden.planning.confidence.raw import raw_confidence, step_probability
from planwarden.planning.fusion.choices import WAYS_OUT, choices, model_share
from planwarden.planning.fusion.compose import Draft
from planwarden.planning.fusion.fuse import Fused
from planwarden.planning.prompt import short
from planwarden.policy.rules import ToolPolicy

REASON_CHARS = 80
FROM_CATALOG = "catalog: "
"""Stands before a reason that nobody wrote for this request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How a draft came about; goes into the plan's metadata."""

    mode: PlannerMode
    source: PlanSource
    """Where the model moved the plan; `prior` where it did not."""
    calibration: PlannerCalibration
    alone: Draft
    """What the prior alone would have planned."""
    fused: Fused
    prompt_version: str
    refusals: tuple[Refusal, ...]
    shown: tuple[str, ...] = ()
    model: str | None = None
    """None where no model was heard."""
    usage: ModelUsage | None = None
    why: str = ""
    """As the model wrote it."""


def expand(draft: Draft, origin: Origin, catalog: Catalog, policy: ToolPolicy) -> PlannerPlan:
    """Make the schema-2 plan that a draft stands for; the draft has steps or a way out."""
    made = _choices(draft, origin)
    confidences, whole, method = _confidence(draft, origin)
    metadata = PlanMetadata(
        handoff_strategy=_handoff(draft),
        source=origin.source,
        way_out=WAYS_OUT[draft.way_out] if draft.way_out else None,
        model=origin.model,
        latency_s=round(origin.usage.latency_s, 4) if origin.usage else None,
        prompt_tokens=origin.usage.prompt_tokens if origin.usage else None,
        output_tokens=origin.usage.output_tokens if origin.usage else None,
        catalog_digest=catalog.digest,
        policy_digest=policy.digest,
        prompt_version=origin.prompt_version,
        shortlist=origin.shown,
        confidence_method=method,
        mode=origin.mode,
        model_share=model_share(made),
        choices=made,
        refusals=origin.refusals,
    )
    if draft.way_out:
        reason = origin.why or ("no tool fits the task" if draft.way_out == "none" else "the task is unclear")
        step = PlannedAgentStep(id="s1", agent=FALLBACK_AGENT, reason=reason, confidence=whole)
        return PlannerPlan(steps=(step,), metadata=metadata, confidence=whole)
    why = origin.why if _as_written(draft, origin.fused) else ""
    steps = tuple(
        PlannedAgentStep(
            id=f"s{place + 1}",
            agent=step.agent,
            tools=(step.tool,),
            fallback_tools=(step.fallback,) if step.fallback else (),
            depends_on=tuple(f"s{use + 1}" for use in step.uses),
            reason=why or FROM_CATALOG + short(catalog.tools[step.tool].description, REASON_CHARS),
            confidence=confidences[place],
        )
        for place, step in enumerate(draft.steps)
    )
    return PlannerPlan(steps=steps, metadata=metadata, confidence=whole)


def _handoff(draft: Draft) -> HandoffStrategy:
    """Derive it: every step builds on the one before, or they may run together as far as they do not."""
    chained = all(place - 1 in step.uses for place, step in enumerate(draft.steps) if place)
    return "sequential" if chained else "parallel"


def _as_written(draft: Draft, fused: Fused) -> bool:
    """Say whether the plan has the tools that the model gave its reason for."""
    written = fused.evidence.items if fused.evidence else ()
    return sorted(item.tool for item in written) == sorted(step.tool for step in draft.steps)


def _choices(draft: Draft, origin: Origin) -> tuple[PlanChoice, ...]:
    made = choices(draft, origin.alone, origin.fused)
    if origin.mode != "model":
        return made
    return tuple(
        each if each.decided_by == "rule" else each.model_copy(update={"decided_by": "model"})
        for each in made
    )


def _confidence(draft: Draft, origin: Origin) -> tuple[list[float], float, ConfidenceMethod]:
    """Give the confidence of each step and of the whole, and how they came about."""
    if origin.mode == "model":
        return _said(draft, origin)
    heard = origin.fused.evidence is not None
    maps = origin.calibration.read_by(heard=heard)
    own = [_rounded(maps.step_confidence.value(step_probability(step))) for step in draft.steps]
    whole = _rounded(maps.confidence.value(raw_confidence(draft, origin.fused, maps.signal_weights)))
    measured = isinstance(maps, PriorConfidence) or maps.measured
    method = ConfidenceMethod(
        method="fused" if heard else "prior", calibrated=measured and bool(maps.confidence.points)
    )
    return own, whole, method


def _said(draft: Draft, origin: Origin) -> tuple[list[float], float, ConfidenceMethod]:
    """Give what the model's own token probabilities say; 0 where nothing was measured."""
    evidence = origin.fused.evidence
    if evidence is None or evidence.method == "none":
        return [0.0] * len(draft.steps), 0.0, ConfidenceMethod(method="none")
    own = [_rounded(p) for p in evidence.chosen[: len(draft.steps)]]
    whole = _rounded(math.prod(evidence.chosen))
    return own, whole, ConfidenceMethod(method="token_probability")


def _rounded(probability: float) -> float:
    return round(min(max(probability, 0.0), 1.0), 4)
