"""From an attempt to a plan: by the prior alone, or by what the model answered, as the mode says. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from planwarden.contracts.calibration import PRIOR_ALONE, PlannerWeights
from planwarden.contracts.plan import PlannerPlan, PlanSource
from planwarden.llm.service import TokenChoice
from planwarden.planning.attempt import Attempt, PlannerSettings
from planwarden.planning.expand import Origin, expand
from planwarden.planning.fusion.compose import SURE, Draft, DraftStep, compose
from planwarden.planning.fusion.fuse import Fused, Judged, fuse
from planwarden.planning.fusion.hearing import hear
from planwarden.planning.notation.offer import Offer
from planwarden.planning.notation.reading import WirePlan
from planwarden.planning.prior import PlanItem
from planwarden.planning.prompt import PROMPT_VERSION

MODEL_ALONE = PlannerWeights(
    prior=0.0, model=1.0, link_prior=0.0, link_model=1.0, none_prior=0.0, none_model=1.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A reply that is in the notation."""

    wire: WirePlan
    tokens: tuple[TokenChoice, ...]
    model: str
    source: PlanSource


def from_prior(attempt: Attempt, settings: PlannerSettings) -> PlannerPlan | None:
    """Plan by the prior alone; None where there is nothing to plan with."""
    fused = fuse(attempt.prior, None, PRIOR_ALONE)
    draft = compose(fused, attempt.bounds)
    if not draft.steps and draft.way_out is None:
        return None
    origin = Origin(
        mode=settings.mode,
        source="prior",
        calibration=attempt.calibration,
        alone=draft,
        fused=fused,
        prompt_version=PROMPT_VERSION,
        refusals=tuple(attempt.refusals),
        shown=_shown(attempt),
        usage=attempt.usage if attempt.exchanges else None,
    )
    return expand(draft, origin, attempt.catalog, attempt.policy)


def from_answer(attempt: Attempt, answered: Answered, settings: PlannerSettings) -> PlannerPlan | None:
    """Plan by what the model answered: fused with the prior, or alone; None where nothing can be planned."""
    offer, wire = attempt.spec.offer, answered.wire
    evidence = hear(wire, answered.tokens, offer, attempt.prior)
    alone = compose(fuse(attempt.prior, None, PRIOR_ALONE), attempt.bounds)
    if settings.mode == "model":
        fused = fuse(attempt.prior, evidence, MODEL_ALONE)
        draft = written(wire, offer, fused, attempt)
        source = answered.source
    else:
        fused = fuse(attempt.prior, evidence, attempt.calibration.weights)
        draft = compose(fused, attempt.bounds)
        source = answered.source if draft.names != alone.names else "prior"
    if not draft.steps and draft.way_out is None:
        return None
    origin = Origin(
        mode=settings.mode,
        source=source,
        calibration=attempt.calibration,
        alone=alone,
        fused=fused,
        prompt_version=PROMPT_VERSION,
        refusals=tuple(attempt.refusals),
        shown=_shown(attempt),
        model=answered.model,
        usage=attempt.usage,
        why=wire.why,
    )
    return expand(draft, origin, attempt.catalog, attempt.policy)


def written(wire: WirePlan, offer: Offer, fused: Fused, attempt: Attempt) -> Draft:
    """Take the plan as the model wrote it; what the notation leaves unsaid is settled by rule."""
    if wire.way_out is not None:
        judged = fused.none if wire.way_out == "none" else fused.ask
        return Draft(steps=(), way_out=wire.way_out, way_out_judged=judged)
    known = {tool.name: tool.judged for tool in fused.tools}
    steps: list[DraftStep] = []
    for place, item in enumerate(wire.items):
        judged = {before: fused.link(wire.items[before].tool, item.tool) for before in range(place)}
        step = _written_step(item, offer, fused, attempt)
        uses = tuple(use - 1 for use in item.uses)
        steps.append(replace(step, tool_judged=known[item.tool], uses=uses, links=judged))
    return Draft(steps=tuple(steps))


def _written_step(item: PlanItem, offer: Offer, fused: Fused, attempt: Attempt) -> DraftStep:
    tool, evidence = offer.by_name[item.tool], fused.evidence
    agent = item.agent or tool.agents[0]
    fallback = item.fallback
    if not tool.stand_ins:
        own = attempt.bounds.pairs[agent]
        declared = attempt.prior.fallbacks.get(item.tool, ())
        fallback = next((name for name in declared if name in own and name != item.tool), None)
    said = evidence.agents.get(item.tool) if evidence else None
    stood = evidence.fallbacks.get(item.tool) if evidence else None
    known = dict(attempt.prior.agents[item.tool]).get(agent, 0.0)
    return DraftStep(
        tool=item.tool,
        agent=agent,
        fallback=fallback,
        agent_judged=_alone(known, said.get(agent) if said else None),
        fallback_judged=_alone(0.5, stood.get(fallback) if stood and fallback else None),
    )


def _alone(known: float, said: float | None) -> Judged:
    """Judge by the model's word alone; without one there was nothing to choose."""
    return SURE if said is None else Judged(prior=known, model=said, fused=said, model_share=1.0)


def _shown(attempt: Attempt) -> tuple[str, ...]:
    """Give the tools that were shown or, where no model was asked, would have been; likeliest first."""
    return tuple(name for name in attempt.spec.ranked if name in attempt.spec.offer.by_name)
