"""From a reply to evidence: what the model said of each tool, link, agent, stand-in and way out. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from planwarden.llm.service import TokenChoice
from planwarden.planning.fusion.evidence import SAID, UNSAID, ModelEvidence
from planwarden.planning.fusion.trie import END, Decision, walk
from planwarden.planning.notation.item import ASK, NONE
from planwarden.planning.notation.offer import Offer
from planwarden.planning.notation.reading import WirePlan
from planwarden.planning.prior import PlanItem, Prior

_WORD = {True: SAID, False: UNSAID}
LEAST_WEIGHT = 1e-4
"""Of a tool when a branch's mass is split: none is impossible."""


def hear(wire: WirePlan, tokens: Sequence[TokenChoice], offer: Offer, prior: Prior) -> ModelEvidence:
    """Say what a reply is evidence of; hard choices where the server measured no probabilities.

    Args:
        wire: the reply as read.
        tokens: of the reply; may be empty.
        offer: what could have been written.
        prior: splits what the model gave to branches that it did not take.
    """
    decisions = walk(tokens, offer, _weigher(offer, prior))
    if decisions is None:
        return _hard(wire, offer)
    places = [_by_item(decision, place, offer) for place, decision in enumerate(decisions)]
    tools = {tool.name: [_of(place, lambda item, name=tool.name: item.tool == name) for place in places]
             for tool in offer.tools}  # fmt: skip
    first = decisions[0].masses
    return ModelEvidence(
        items=wire.items,
        tools={name: 1.0 - math.prod(1.0 - p for p in row) for name, row in tools.items()},
        repeats={name: _twice(row) for name, row in tools.items()},
        links=_links(wire.written, places),
        agents=_shares(wire.written, places, lambda item: item.agent),
        fallbacks=_shares(wire.written, places, lambda item: item.fallback),
        none=first.get(NONE, 0.0) if NONE in offer.ways_out.names else 0.0,
        ask=first.get(ASK, 0.0) if ASK in offer.ways_out.names else 0.0,
        chosen=_chosen(wire, decisions, places),
        path=_rounded(math.prod(decision.probability for decision in decisions)),
        method="token_probability",
    )


_Masses = Mapping[PlanItem, float]


def _weigher(offer: Offer, prior: Prior) -> Callable[[str], float]:
    known = {tool.name: tool.probability for tool in prior.tools}
    spellings: dict[str, float] = {END: 0.5, NONE: prior.none, ASK: prior.ask}
    for place in range(offer.max_items):
        items = offer.items(place)
        count: dict[str, int] = {}
        for item in items.values():
            count[item.tool] = count.get(item.tool, 0) + 1
        for spelled, item in items.items():
            spellings.setdefault(spelled, known.get(item.tool, 0.0) / count[item.tool])
    return lambda outcome: max(spellings.get(outcome, 0.0), LEAST_WEIGHT)


def _by_item(decision: Decision, place: int, offer: Offer) -> _Masses:
    items = offer.items(place)
    return {items[name]: mass for name, mass in decision.masses.items() if name in items}


def _of(place: _Masses, wanted: Callable[[PlanItem], bool]) -> float:
    return min(1.0, sum(mass for item, mass in place.items() if wanted(item)))


def _twice(row: Sequence[float]) -> float:
    """Give the probability of two successes or more, given one, of independent trials."""
    never = math.prod(1.0 - p for p in row)
    once = sum(p * math.prod(1.0 - q for j, q in enumerate(row) if j != i) for i, p in enumerate(row))
    return min(1.0, max(0.0, 1.0 - never - once) / (1.0 - never)) if never < 1.0 else 0.0


def _given_tool(place: _Masses, tool: str, wanted: Callable[[PlanItem], bool]) -> float:
    own = _of(place, lambda item: item.tool == tool)
    return _of(place, lambda item: item.tool == tool and wanted(item)) / own if own else 0.0


def _links(items: Sequence[PlanItem], places: Sequence[_Masses]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for place, item in enumerate(items[: len(places)]):
        for before in range(place):
            pair = (items[before].tool, item.tool)
            said = _given_tool(places[place], item.tool, lambda each, use=before + 1: use in each.uses)
            found[pair] = max(found.get(pair, 0.0), said)
    return found


def _shares(
    items: Sequence[PlanItem], places: Sequence[_Masses], part: Callable[[PlanItem], str | None]
) -> dict[str, Mapping[str, float]]:
    found: dict[str, Mapping[str, float]] = {}
    for place, item in zip(places, items, strict=False):
        named = {name for each in place if each.tool == item.tool and (name := part(each)) is not None}
        if named and item.tool not in found:
            found[item.tool] = {
                name: _given_tool(place, item.tool, lambda each, name=name: part(each) == name)
                for name in sorted(named)
            }
    return found


def _chosen(wire: WirePlan, decisions: Sequence[Decision], places: Sequence[_Masses]) -> tuple[float, ...]:
    """Give, per decision, the probability of the tool and agent chosen, of the way out, or of the end."""
    if wire.way_out is not None:
        return (_rounded(decisions[0].probability),)
    own = [
        _of(place, lambda each, item=item: (each.tool, each.agent) == (item.tool, item.agent))
        for place, item in zip(places, wire.written, strict=False)
    ]
    return tuple(_rounded(p) for p in (*(own[place] for place in wire.kept), decisions[-1].probability))


def _hard(wire: WirePlan, offer: Offer) -> ModelEvidence:
    written = [item.tool for item in wire.items]
    return ModelEvidence(
        items=wire.items,
        tools={tool.name: _WORD[tool.name in written] for tool in offer.tools},
        repeats={name: _WORD[written.count(name) > 1] for name in dict.fromkeys(written)},
        links=_hard_links(wire.items),
        agents=_hard_shares((item.tool, item.agent, offer.by_name[item.tool].agents) for item in wire.items),
        fallbacks=_hard_shares(
            (item.tool, item.fallback, offer.by_name[item.tool].stand_ins) for item in wire.items
        ),
        none=_WORD[wire.way_out == "none"],
        ask=_WORD[wire.way_out == "ask"],
    )


def _hard_links(items: Sequence[PlanItem]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for place, item in enumerate(items):
        for before in range(place):
            pair = (items[before].tool, item.tool)
            found[pair] = max(found.get(pair, 0.0), _WORD[before + 1 in item.uses])
    return found


def _hard_shares(
    said: Iterable[tuple[str, str | None, tuple[str, ...]]],
) -> dict[str, Mapping[str, float]]:
    return {
        tool: {name: _WORD[name == own] for name in names} for tool, own, names in said if own is not None
    }


def _rounded(probability: float) -> float:
    return min(max(probability, 0.0), 1.0)
