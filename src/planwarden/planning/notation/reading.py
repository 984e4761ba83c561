"""From a parsed reply to the plan that it spells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json, storable
from planwarden.planning.notation.item import NONE, read_item, write_item
from planwarden.planning.notation.offer import Offer, OfferedTool
from planwarden.planning.prior import PlanItem

MAX_REPEATS = 3
"""Of one tool in one plan: a small model that repeats itself more often is going in circles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePlan:
    """A reply in the notation."""

    items: tuple[PlanItem, ...]
    """Empty for a way out."""
    written: tuple[PlanItem, ...] = ()
    """As it stands in the reply, before circles were cut."""
    kept: tuple[int, ...] = ()
    """For each of `items` its place in `written`."""
    way_out: Literal["none", "ask"] | None = None
    why: str = ""


def read_wire(value: Json, schema: JsonSchema, offer: Offer) -> WirePlan | tuple[str, ...]:
    """Read a parsed reply; the problems with it, each as `path: message`, where it is not in the notation.

    Args:
        value: what was written.
        schema: of this request.
        offer: that the schema was made of.
    """
    if problems := schema_problems(schema, value):
        return wire_faults(value, offer) or tuple(map(_brief, problems))
    reply = cast("dict[str, Any]", value)
    spelled = cast("list[str]", reply["plan"])
    why = storable(reply.get("why", "")).strip()
    if len(spelled) == 1 and spelled[0] in offer.ways_out.names:
        return WirePlan(items=(), way_out="none" if spelled[0] == NONE else "ask", why=why)
    written = tuple(item for item in map(read_item, spelled) if item is not None)
    kept = without_circles(written)
    return WirePlan(items=tuple(kept.values()), written=written, kept=tuple(kept), why=why)


def without_circles(written: Sequence[PlanItem]) -> dict[int, PlanItem]:
    """Keep each tool's first `MAX_REPEATS` items, by their place in the plan as written.

    Uses are renumbered; those of dropped items fall away.
    """
    kept: dict[int, PlanItem] = {}
    numbers: dict[int, int] = {}
    for place, item in enumerate(written):
        if sum(item.tool == other.tool for other in kept.values()) < MAX_REPEATS:
            uses = tuple(numbers[use] for use in item.uses if use in numbers)
            kept[place] = replace(item, uses=uses)
            numbers[place + 1] = len(kept)
    return kept


def wire_faults(value: Json, offer: Offer) -> tuple[str, ...]:
    """Say precisely what is wrong with the items of a reply, so that a model can mend it; empty: nothing."""
    plan = cast("dict[str, Json]", value).get("plan") if isinstance(value, dict) else None
    if not isinstance(plan, list) or not plan:
        return ('plan: write {"plan":[...]} with one item at least',)
    spelled = cast("list[Json]", plan)
    if len(spelled) > offer.max_items:
        return (f"plan: {len(spelled)} items, at most {offer.max_items} are allowed",)
    found = ((place, _item_fault(each, place, offer)) for place, each in enumerate(spelled))
    return tuple(_brief(f"plan[{place}]: {fault}") for place, fault in found if fault)


def _item_fault(spelled: Json, place: int, offer: Offer) -> str | None:
    if not isinstance(spelled, str):
        return "an item is a text"
    if spelled in offer.items(place):
        return None
    if spelled in offer.ways_out.names:
        return f"'{spelled}' stands alone in a plan"
    item = read_item(spelled)
    tool = offer.by_name.get(item.tool) if item else None
    if item is None or tool is None:
        name = spelled if item is None else item.tool
        return f"there is no tool '{name[:64]}' here; the tools are {', '.join(offer.by_name)}"
    return _part_fault(item, tool, place)


def _part_fault(item: PlanItem, tool: OfferedTool, place: int) -> str:
    """Say which part of an item with a known tool cannot stand."""
    if any(not 1 <= use <= place for use in item.uses):
        return "only the result of an earlier step can be used"
    if tool.several_agents and item.agent not in tool.agents:
        return f"name the agent, as in {tool.agents[0]}/{tool.name}"
    if item.agent is not None and not tool.several_agents:
        return f"no agent stands before '{tool.name}'"
    if item.fallback is not None and item.fallback not in tool.stand_ins:
        return f"'{item.fallback}' cannot stand in for '{tool.name}'"
    return f"'{write_item(item)[:100]}' cannot stand here"


def _brief(problem: str) -> str:
    """Keep the beginning: the schema's whole list of names would follow."""
    return problem if len(problem) <= 300 else f"{problem[:299]}…"
