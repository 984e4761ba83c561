"""What one request may be answered with: the tools shown, and what can stand at each place. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations, product

from planwarden.planning.notation.item import ASK, NONE, write_item
from planwarden.planning.prior import PlanItem

MAX_ITEMS = 6
"""Of one plan as the model writes it; the contract allows more."""
MAX_USES = 2
"""Of one item: how many earlier results it can say that it uses."""
MAX_STAND_INS = 2
"""Of one tool: how many stand-ins the model can choose from."""
MAX_SPELLINGS = 400
"""At one place of a plan. Above it, first the second use goes, then the stand-ins: grammars stay small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaysOut:
    """Which ways out this request offers."""

    answer: bool
    """`general_agent` may answer without tools."""
    ask: bool
    """A question may go back to the user."""

    @property
    def names(self) -> tuple[str, ...]:
        """Give the words of the notation."""
        return tuple(name for name, offered in ((NONE, self.answer), (ASK, self.ask)) if offered)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTool:
    """A tool that is shown to the model."""

    name: str
    agents: tuple[str, ...]
    """That may call it, best first; one at least."""
    stand_ins: tuple[str, ...] = ()
    """Best first; each may be called by every one of `agents`."""

    @property
    def several_agents(self) -> bool:
        """Say whether an item has to name the agent."""
        return len(self.agents) > 1


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What the model may write for one request: always a part of catalog ∩ policy."""

    tools: tuple[OfferedTool, ...]
    """In the catalog's order, so that the prompt's beginning stays the same between requests."""
    ways_out: WaysOut
    max_items: int = MAX_ITEMS

    @cached_property
    def by_name(self) -> dict[str, OfferedTool]:
        """Give the tools by name."""
        return {tool.name: tool for tool in self.tools}

    @property
    def empty(self) -> bool:
        """Say whether nothing at all may be written."""
        return not self.tools and not self.ways_out.names

    def items(self, place: int) -> dict[str, PlanItem]:
        """Give every item that may stand at a place (from 0), by its spelling; no ways out."""
        return _items(self.tools, place) if place < self.max_items else {}

    def without(self, names: frozenset[str]) -> Offer:
        """Show fewer tools."""
        return replace(self, tools=tuple(tool for tool in self.tools if tool.name not in names))


@lru_cache(maxsize=64)
def _items(tools: tuple[OfferedTool, ...], place: int) -> dict[str, PlanItem]:
    for uses, stand_ins in ((MAX_USES, True), (1, True), (1, False), (0, False)):
        items = list(_spellings(tools, place, uses, with_stand_ins=stand_ins))
        if len(items) <= MAX_SPELLINGS:
            break
    return {write_item(item): item for item in items}


def _spellings(
    tools: tuple[OfferedTool, ...], place: int, max_uses: int, *, with_stand_ins: bool
) -> Iterator[PlanItem]:
    before = range(1, place + 1)
    used = [each for count in range(max_uses + 1) for each in combinations(before, count)]
    for tool in tools:
        agents = tool.agents if tool.several_agents else (None,)
        stand_ins = (None, *(tool.stand_ins[:MAX_STAND_INS] if with_stand_ins else ()))
        for agent, stand_in, uses in product(agents, stand_ins, used):
            yield PlanItem(tool=tool.name, agent=agent, fallback=stand_in, uses=uses)
