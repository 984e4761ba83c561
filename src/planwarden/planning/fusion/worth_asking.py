"""Whether a model's word could change a plan at all; where it could not, it need not be asked. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, product

from planwarden.contracts.calibration import PlannerWeights
from planwarden.planning.fusion.compose import Bounds, Draft, compose
from planwarden.planning.fusion.evidence import ModelEvidence
from planwarden.planning.fusion.fuse import BOUND, fuse
from planwarden.planning.notation.offer import Offer
from planwarden.planning.prior import PlanItem, Prior

HIGH = 1.0 - BOUND
TELLING = 0.02
"""Tools less likely than this are not shown and hardly move the others: they are left out of the trials."""


def worth_asking(prior: Prior, weights: PlannerWeights, offer: Offer, bounds: Bounds) -> bool:
    """Say whether some answer would change the plan, judged by the most telling ones.

    Tried are, with every probability at its bound: the prior's own plan affirmed, each tool said for certain
    and denied, beside all others said and denied; each link of the plan said and denied; each way out. What
    lies between these answers is not tried.
    """
    if not weights.model_counts or offer.empty:
        return False
    told = replace(prior, tools=tuple(tool for tool in prior.tools if tool.probability >= TELLING))
    alone = compose(fuse(told, None, weights), bounds)
    return any(
        compose(fuse(told, evidence, weights), bounds).names != alone.names
        for evidence in _telling(_Asked(alone=alone, offer=offer))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What evidence is tried on: the prior's own plan and what the model would be shown."""

    alone: Draft
    offer: Offer

    @property
    def shown(self) -> tuple[str, ...]:
        return tuple(tool.name for tool in self.offer.tools)

    @property
    def own(self) -> dict[str, float]:
        """Give the answer that affirms the prior's plan."""
        planned = {step.tool for step in self.alone.steps}
        return {name: HIGH if name in planned else BOUND for name in self.shown}

    @property
    def affirmed(self) -> ModelEvidence:
        """Give the answer that says what the prior says."""
        items = tuple(PlanItem(tool=step.tool) for step in self.alone.steps)
        return ModelEvidence(items=items, tools=self.own, none=BOUND, ask=BOUND)


def _telling(asked: _Asked) -> Iterator[ModelEvidence]:
    affirmed = asked.affirmed
    yield affirmed
    yield replace(affirmed, none=HIGH)
    yield replace(affirmed, ask=HIGH)
    yield from _of_tools(asked)
    tools = [step.tool for step in asked.alone.steps]
    for pair, said in product(combinations(tools, 2), (BOUND, HIGH)):
        yield replace(affirmed, links={pair: said})
    for tool in asked.offer.tools:
        for agent in tool.agents[1:]:
            yield replace(affirmed, agents={tool.name: _rather(agent, tool.agents)})
        for stand_in in tool.stand_ins[1:]:
            yield replace(affirmed, fallbacks={tool.name: _rather(stand_in, tool.stand_ins)})


def _of_tools(asked: _Asked) -> Iterator[ModelEvidence]:
    """Say and deny each tool, beside the prior's own plan, beside no other and beside all others."""
    denied, affirmed = dict.fromkeys(asked.shown, BOUND), dict.fromkeys(asked.shown, HIGH)
    own, base = asked.own, asked.affirmed
    for tools in (denied, affirmed):
        yield replace(base, tools=tools)
    for name in asked.shown:
        yield replace(base, tools={**own, name: BOUND if own[name] == HIGH else HIGH})
        yield replace(base, tools={**denied, name: HIGH})
        yield replace(base, tools={**affirmed, name: BOUND})


def _rather(chosen: str, names: tuple[str, ...]) -> dict[str, float]:
    return {name: HIGH if name == chosen else BOUND for name in names}
