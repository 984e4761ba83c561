"""Who decided what: each choice of a plan beside what prior and model alone would have chosen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from planwarden.contracts.plan import DecidedBy, PlanChoice, WayOut
from planwarden.planning.fusion.compose import LINKED, SURE, Draft, DraftStep
from planwarden.planning.fusion.fuse import Fused, Judged

WAYS_OUT: Mapping[str, WayOut] = {"none": "answer_without_tools", "ask": "ask_user"}
_NOTHING = "none"
"""Stands for no link, and for no way out where the prior alone would have taken one."""
LIKELY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Which side alone would have chosen what was chosen."""

    prior: bool
    model: bool | None
    """None: it was not heard."""


def choices(draft: Draft, alone: Draft, fused: Fused) -> tuple[PlanChoice, ...]:
    """Say for each choice of a plan which part decided.

    Args:
        draft: the plan.
        alone: the plan that the prior alone would have made.
        fused: what the plan was made of.
    """
    return tuple(_all(draft, alone, fused))


def model_share(made: tuple[PlanChoice, ...]) -> float:
    """Give the model's part in a whole plan: the mean over the choices that there were to make."""
    shares = [choice.model_share for choice in made if choice.decided_by != "rule"]
    return round(sum(shares) / len(shares), 4) if shares else 0.0


def _all(draft: Draft, alone: Draft, fused: Fused) -> Iterator[PlanChoice]:
    if draft.way_out:
        said = fused.evidence.items if fused.evidence else None
        prior_says = alone.way_out == draft.way_out
        model_says = None if said is None else not said
        by = _by(draft.way_out_judged, Sides(prior=prior_says, model=model_says))
        yield _choice("way_out", None, WAYS_OUT[draft.way_out], draft.way_out_judged, by)
        return
    if alone.way_out:
        judged = _against(fused.none if alone.way_out == "none" else fused.ask)
        yield _choice("way_out", None, _NOTHING, judged, _by(judged, Sides(prior=False, model=True)))
    before = _wanted_before(alone, fused)
    written = None if fused.evidence is None else {item.tool for item in fused.evidence.items}
    for place, step in enumerate(draft.steps):
        yield from _of_step(place, step, before, written, fused)
    yield from _left_out(draft, before, written, fused)


def _wanted_before(alone: Draft, fused: Fused) -> set[str]:
    """Give the tools of the prior's plan; where it would have taken a way out, those it held for likely."""
    if alone.steps:
        return {step.tool for step in alone.steps}
    return {tool.name for tool in fused.tools if tool.judged.prior >= LIKELY}


def _of_step(
    place: int, step: DraftStep, before: set[str], written: set[str] | None, fused: Fused
) -> Iterator[PlanChoice]:
    own, evidence = f"s{place + 1}", fused.evidence
    by = _by(step.tool_judged, Sides(prior=step.tool in before, model=_among(step.tool, written)))
    yield _choice("tool", own, step.tool, step.tool_judged, by)
    first = next((agent for agent, _ in fused.prior.agents.get(step.tool, ())), step.agent)
    said = _best(evidence.agents.get(step.tool)) if evidence else None
    by = _by(step.agent_judged, Sides(prior=first == step.agent, model=_among(step.agent, said)))
    yield _choice("agent", own, step.agent, step.agent_judged, by)
    if step.fallback:
        first = next(iter(fused.prior.fallbacks.get(step.tool, ())), step.fallback)
        said = _best(evidence.fallbacks.get(step.tool)) if evidence else None
        by = _by(step.fallback_judged, Sides(prior=first == step.fallback, model=_among(step.fallback, said)))
        yield _choice("fallback", own, step.fallback, step.fallback_judged, by)
    if step.links:
        yield from _links(own, step)


def _links(own: str, step: DraftStep) -> Iterator[PlanChoice]:
    for use in step.uses:
        judged = step.links[use]
        model_says = None if judged.model is None else judged.model >= LINKED
        by = _by(judged, Sides(prior=judged.prior >= LINKED, model=model_says))
        yield _choice("link", own, f"s{use + 1}", judged, by)
    if not step.uses:
        nearest = max(step.links.values(), key=lambda judged: judged.fused)
        model_says = None if nearest.model is None else nearest.model < LINKED
        by = _by(nearest, Sides(prior=nearest.prior < LINKED, model=model_says))
        yield _choice("link", own, _NOTHING, _against(nearest), by)


def _left_out(draft: Draft, before: set[str], written: set[str] | None, fused: Fused) -> Iterator[PlanChoice]:
    """Name the tools that one side wanted and the plan does not have."""
    planned = {step.tool for step in draft.steps}
    for tool in fused.tools:
        wanted = tool.name in before or tool.name in (written or ())
        if wanted and tool.name not in planned:
            model_says = None if written is None else tool.name not in written
            by = _by(tool.judged, Sides(prior=tool.name not in before, model=model_says))
            yield _choice("tool", None, tool.name, _against(tool.judged), by)


def _by(judged: Judged, sides: Sides) -> DecidedBy:
    if judged is SURE:
        return "rule"
    if sides.model is None or judged.model_share == 0.0:
        return "prior"
    if sides.prior == sides.model:
        return "both"
    return "prior" if sides.prior else "model"


def _best(shares: Mapping[str, float] | None) -> set[str] | None:
    return {max(shares, key=lambda name: shares[name])} if shares else None


def _among(name: str, said: set[str] | None) -> bool | None:
    return None if said is None else name in said


def _against(judged: Judged) -> Judged:
    """Turn a probability into that of the contrary."""
    return Judged(
        prior=1.0 - judged.prior,
        model=None if judged.model is None else 1.0 - judged.model,
        fused=1.0 - judged.fused,
        model_share=judged.model_share,
    )


def _choice(kind: str, step: str | None, value: str, judged: Judged, by: DecidedBy) -> PlanChoice:
    return PlanChoice.model_validate(
        {
            "kind": kind,
            "step": step,
            "value": value,
            "decided_by": by,
            "model_share": round(judged.model_share, 4),
            "prior": round(judged.prior, 4),
            "model": None if judged.model is None else round(judged.model, 4),
            "fused": round(judged.fused, 4),
        }
    )
