"""Prior and evidence as one: fused logit = bias + prior weight · logit(p) + model weight · logit(q). Pure.

A logarithmic opinion pool (Genest & Zidek 1986) whose weights are measured for the very model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from planwarden.contracts.calibration import PlannerWeights
from planwarden.planning.fusion.evidence import ModelEvidence
from planwarden.planning.prior import Prior

BOUND = 0.01
"""No probability counts as nearer to 0 or 1 than this: neither side can be so sure that the other is mute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One probability, with what each side said."""

    prior: float
    model: float | None
    """None where the model said nothing about it."""
    fused: float
    model_share: float = 0.0
    """The model's part in the evidence, by absolute contribution to the logit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedTool:
    """One tool, fused."""

    name: str
    judged: Judged
    place: float
    """Where in the plan it is expected, from 0 to 1."""
    repeats: float
    """Probability that it is used more than once, given that it is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """Everything that a plan is composed from."""

    tools: tuple[FusedTool, ...]
    """Best first."""
    none: Judged
    ask: Judged
    prior: Prior
    evidence: ModelEvidence | None
    weights: PlannerWeights

    def link(self, first: str, second: str) -> Judged:
        """Judge that `second` uses the result of `first`."""
        said = self.evidence.links.get((first, second)) if self.evidence else None
        weights = self.weights
        trust = (weights.link_prior, weights.link_model, weights.link_bias)
        return judge(self.prior.link(first, second), said, *trust)

    def named(self, known: Mapping[str, float], said: Mapping[str, float] | None) -> dict[str, Judged]:
        """Judge agents or stand-ins of one tool, each by its probability."""
        trust = (self.weights.prior, self.weights.model, 0.0)
        return {name: judge(p, said.get(name) if said else None, *trust) for name, p in known.items()}


def fuse(prior: Prior, evidence: ModelEvidence | None, weights: PlannerWeights) -> Fused:
    """Fuse what is known beforehand with what a model said; without evidence the prior stands as it is.

    Args:
        prior: of the request.
        evidence: of the reply; None where no model was heard.
        weights: of that model.
    """
    heard = evidence if weights.model_counts else None
    trust = (weights.prior, weights.model, weights.bias)
    outs = (weights.none_prior, weights.none_model, weights.none_bias)
    places = _places(heard)
    heed = _share_of(weights.link_prior, weights.link_model) if heard else 0.0
    tools = [
        FusedTool(
            name=tool.name,
            judged=judge(tool.probability, heard.tools.get(tool.name) if heard else None, *trust),
            place=tool.place + heed * (places.get(tool.name, tool.place) - tool.place),
            repeats=_repeats(tool.repeats, heard, tool.name, weights),
        )
        for tool in prior.tools
    ]
    return Fused(
        tools=tuple(sorted(tools, key=lambda tool: -tool.judged.fused)),
        none=judge(prior.none, heard.none if heard else None, *outs),
        ask=judge(prior.ask, heard.ask if heard else None, *outs),
        prior=prior,
        evidence=heard,
        weights=weights,
    )


def judge(known: float, said: float | None, by_prior: float, by_model: float, bias: float) -> Judged:
    """Fuse one probability; where the model said nothing, or weighs nothing, it stays what it was."""
    if said is None or by_model == 0.0:
        return Judged(prior=known, model=said, fused=known)
    own, other = by_prior * logit(known), by_model * logit(said)
    whole = abs(own) + abs(other)
    share = abs(other) / whole if whole else _share_of(by_prior, by_model)
    return Judged(prior=known, model=said, fused=_expit(bias + own + other), model_share=share)


def logit(probability: float) -> float:
    """Give the log odds of a probability, which is kept within `BOUND` of neither 0 nor 1."""
    bounded = min(max(probability, BOUND), 1.0 - BOUND)
    return math.log(bounded / (1.0 - bounded))


def _expit(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value > -500 else 0.0


def _share_of(prior: float, model: float) -> float:
    return model / (prior + model) if prior + model else 0.0


def _repeats(known: float, heard: ModelEvidence | None, tool: str, weights: PlannerWeights) -> float:
    said = heard.repeats.get(tool) if heard else None
    return judge(known, said, weights.prior, weights.model, 0.0).fused


def _places(heard: ModelEvidence | None) -> dict[str, float]:
    """Give where each tool first stands in the plan that the model wrote, from 0 to 1."""
    if heard is None or len(heard.items) < 2:
        return {}
    last = len(heard.items) - 1
    return {item.tool: place / last for place, item in reversed(list(enumerate(heard.items)))}
