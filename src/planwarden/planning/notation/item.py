"""One item of the notation: written, and read back. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from planwarden.contracts.value import canonical_json
from planwarden.planning.prior import PlanItem

NONE = "none"
"""Nothing fits."""
ASK = "ask"
"""The request is unclear."""


def write_item(item: PlanItem) -> str:
    """Spell an item."""
    agent = f"{item.agent}/" if item.agent else ""
    stand_in = f"|{item.fallback}" if item.fallback else ""
    return f"{agent}{item.tool}{stand_in}{''.join(f'<{step}' for step in item.uses)}"


def read_item(text: str) -> PlanItem | None:
    """Read an item; None for what is not spelled like one. Whether its names exist is not asked."""
    head, *uses = text.split("<")
    named, _, stand_in = head.partition("|")
    agent, slash, tool = named.rpartition("/")
    numbers = [int(use) for use in uses if use.isascii() and use.isdecimal() and len(use) < 4]
    if not tool or (slash and not agent) or len(numbers) != len(uses):
        return None
    return PlanItem(tool=tool, agent=agent or None, fallback=stand_in or None, uses=tuple(numbers))


def write_plan(items: Iterable[PlanItem], *, why: str | None = None) -> str:
    """Write a plan as a constrained model does; no items: nothing fits."""
    written = [write_item(item) for item in items] or [NONE]
    return canonical_json({"plan": written, **({} if why is None else {"why": why})}).decode()
