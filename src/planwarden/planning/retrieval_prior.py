"""A prior from full-text retrieval alone: what it ranks first is likely, and nothing of it was learned.

Its probabilities are an order with plausible numbers, not measurements; the learned ranker has measured ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planwarden.catalog.catalog import Catalog
from planwarden.planning.permitted import permitted
from planwarden.planning.prior import PlanItem, Prior, PriorExample, PriorRequest, ToolPrior
from planwarden.planning.shortlist import Retriever, Shortlist
from planwarden.tools.grounding import groundable

CONSIDERED = 16
"""Tools that a prior speaks of."""
NEAR = 0.9
"""Share of a clause's best score from which a tool is a near tie with it."""
BEST = 0.72
"""Probability of the tool that a clause asks for most."""
RIVAL = 0.35
"""Probability that a tool beside it would have with the same score; falls with the cube of its share."""
REST = 0.02
UNHEARD = 0.15
"""Of each tool where no word of the request is known."""
UNGROUNDED = 0.3
"""Factor for a tool for which the request names no value where arguments are taken from the request alone."""
OWN_AGENT = 0.8
"""Of the agent whose tools retrieval ranks best, where several may call a tool."""
LINK = 0.15
NONE, NONE_UNHEARD = 0.04, 0.3
ASK = 0.02
GREETING = "Hello! Who are you?"


class RetrievalPrior:
    """Priors from a `Retriever`."""

    def __init__(self) -> None:
        """Begin without any index."""
        self._retriever = Retriever()

    def prior(self, request: PriorRequest) -> Prior:
        """Give what retrieval knows of a request."""
        catalog, allowed = request.catalog, permitted(request.catalog, request.policy)
        found = self._retriever.shortlist(
            request.text,
            catalog,
            request.policy,
            size=CONSIDERED,
            near=NEAR,
            earlier=request.earlier,
            fill=True,
        )
        if found.empty:
            return Prior(tools=(), agents={}, none=NONE_UNHEARD, ask=ASK)
        fits = _fitting(found, request)
        parts = [tuple(filter(fits.get, part)) or part for part in found.parts]
        tools = sorted(
            (_tool(name, found, parts, fits=fits[name]) for name in found.tools),
            key=lambda tool: -tool.probability,
        )
        return Prior(
            tools=tuple(tools),
            agents={tool.name: _agents(tool.name, found) for tool in tools},
            default_link=LINK,
            fallbacks={
                name: tuple(filter(allowed.has, catalog.tools[name].alternatives)) for name in found.tools
            },
            none=NONE if parts else NONE_UNHEARD,
            ask=ASK,
            examples=_examples([tool.name for tool in tools], parts, found),
        )

    def in_context(self, request: PriorRequest) -> str:
        """Give the text of a request together with the earlier ones that it leans on."""
        if not request.earlier:
            return request.text
        return self._retriever.in_context(request.text, request.catalog, request.policy, request.earlier)

    def prepare(self, catalog: Catalog) -> None:
        """Make the index of a catalog ahead of the first request."""
        self._retriever.prepare(catalog)

    def close(self) -> None:
        """Drop the indexes."""
        self._retriever.close()


def _fitting(found: Shortlist, request: PriorRequest) -> Mapping[str, bool]:
    """Say of each tool whether the request names what a call needs, where that matters."""
    if not request.groundable_only:
        return dict.fromkeys(found.tools, True)
    earlier = request.earlier[::-1]
    tools = request.catalog.tools
    return {name: groundable(tools[name], request.text, earlier) for name in found.tools}


def _tool(name: str, found: Shortlist, parts: Sequence[Sequence[str]], *, fits: bool) -> ToolPrior:
    first = [place for place, part in enumerate(parts) if part[0] == name]
    if first:
        place = first[0] / (len(parts) - 1) if len(parts) > 1 else 0.5
        return ToolPrior(name=name, probability=BEST, place=place, reason="nearest to what is asked")
    share = found.shares.get(name, 0.0)
    likely = max(RIVAL * share**3, REST) if parts else UNHEARD
    near = [place for place, part in enumerate(parts) if name in part]
    place = near[0] / (len(parts) - 1) if near and len(parts) > 1 else 0.5
    return ToolPrior(name=name, probability=likely if fits else likely * UNGROUNDED, place=place)


def _agents(tool: str, found: Shortlist) -> tuple[tuple[str, float], ...]:
    own = [agent for agent, tools in found.agents.items() if tool in tools]
    rest = (1.0 - OWN_AGENT) / max(1, len(own) - 1)
    return tuple((agent, OWN_AGENT if place == 0 else rest) for place, agent in enumerate(own))


def _examples(
    names: Sequence[str], parts: Sequence[Sequence[str]], found: Shortlist
) -> tuple[PriorExample, ...]:
    """Give each tool's own example that is nearest to the request, the likeliest tool's last."""
    told = [name for name in names if name in found.nearest_example]
    examples = [
        PriorExample(request=found.nearest_example[name], items=(PlanItem(tool=name),)) for name in told[::-1]
    ]
    several = [part[0] for part in parts if part[0] in found.nearest_example]
    if len(several) > 1:
        asked = ", and then ".join(found.nearest_example[name] for name in several)
        examples.append(PriorExample(request=asked, items=tuple(PlanItem(tool=name) for name in several)))
    if not parts:
        examples.append(PriorExample(request=GREETING))
    return tuple(examples)
