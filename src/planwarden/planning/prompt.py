"""What the planner model reads. The static part comes first, so that the server's prefix cache serves it.

system: one instruction, then a line for each tool shown, in the catalog's order; then worked examples as
turns; then the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.conversation import shortened
from planwarden.contracts.model import Message
from planwarden.contracts.task import Exchange, Task
from planwarden.llm.fitting import tokens
from planwarden.planning.notation.item import write_plan
from planwarden.planning.notation.offer import Offer, OfferedTool
from planwarden.planning.notation.schema import MAX_REASON_CHARS
from planwarden.planning.prior import PlanItem, PriorExample

PROMPT_VERSION = "2026-11-24.1"
MAX_METADATA_CHARS = 600
DESCRIPTION_CHARS = (70, 44, 26)
"""How long a tool's description may be, from roomy to tight."""
LEAST_TOOLS = 3
"""Fewer are not shown for the sake of the budget."""
REASON_WORDS = 6
PER_BYTE = 0.28
"""Tokens per byte of a list of tools, about. Fixed, so that the same request always has the same prompt."""

PLAN = 'Plan the task with these tools. Answer {"plan":["tool","tool<1"]}; <1 uses the result of step 1.'
WAYS = {"none": " If no tool fits: none.", "ask": " If the task is unclear: ask."}
WHY = ' Then "why", in a few words.'


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSpec:
    """What a prompt consists of, beside the request and what was said before it."""

    offer: Offer
    examples: tuple[PriorExample, ...]
    """The nearest last; only tools of the offer are in them."""
    ranked: tuple[str, ...] = ()
    """The tools, likeliest first: those at the end go first."""
    description_chars: int = DESCRIPTION_CHARS[0]
    with_reason: bool = False

    def halved(self) -> PromptSpec:
        """Show the likelier half of the tools and half of the examples, the nearest; one tool at least."""
        shown = [name for name in self.ranked if name in self.offer.by_name]
        told = len(self.examples) // 2
        fewer = self.only(shown[: max(1, len(shown) // 2)])
        return replace(fewer, examples=fewer.examples[-told:] if told else ())

    def only(self, names: Sequence[str]) -> PromptSpec:
        """Show these tools only, and the examples that need no other."""
        gone = frozenset(self.offer.by_name.keys() - set(names))
        told = tuple(each for each in self.examples if not gone & {item.tool for item in each.items})
        return replace(self, offer=self.offer.without(gone), examples=told)


def build_prompt(
    task: Task, catalog: Catalog, spec: PromptSpec, earlier: Sequence[Exchange] = ()
) -> tuple[Message, ...]:
    """Write the prompt: how to plan, what there is, worked examples, the task. Pure.

    Args:
        task: what was asked, with its metadata.
        catalog: where descriptions come from.
        spec: what is shown.
        earlier: what was said before, as much of it as fits, oldest first.
    """
    asked = Message(role="user", content=f"{_context(task, earlier)}{task.prompt}")
    return (*_static(catalog, spec), asked)


def within_budget(spec: PromptSpec, catalog: Catalog, budget: int) -> PromptSpec:
    """Shorten a prompt to a budget by rule: descriptions first, then examples, then the least likely tools.

    Args:
        spec: what would be shown.
        catalog: where descriptions come from.
        budget: tokens that instruction, tools and examples may take; the request is not counted.
    """

    def fits(candidate: PromptSpec) -> bool:
        messages = _static(catalog, candidate)
        return sum(tokens(each.content, PER_BYTE) for each in messages) <= budget

    for chars in DESCRIPTION_CHARS:
        spec = replace(spec, description_chars=min(chars, spec.description_chars))
        if fits(spec):
            return spec
    while spec.examples and not fits(spec):
        spec = replace(spec, examples=spec.examples[1:])
    shown = [name for name in spec.ranked if name in spec.offer.by_name]
    while len(shown) > LEAST_TOOLS and not fits(spec):
        shown.pop()
        spec = spec.only(shown)
    return spec


def repair_turn(reply: str, fault: str) -> tuple[Message, ...]:
    """Write the one turn that tells the model what was wrong with its reply."""
    return (
        Message(role="assistant", content=reply[:1_000]),
        Message(role="user", content=f"That plan is refused: {fault[:400]} Write the plan again, mended."),
    )


def short(description: str, chars: int) -> str:
    """Give the first sentence of a description, cut to a length at a word."""
    first = description.split(". ", maxsplit=1)[0].strip().rstrip(".")
    return first if len(first) <= chars else first[: chars - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def _static(catalog: Catalog, spec: PromptSpec) -> list[Message]:
    ways = "".join(WAYS[name] for name in spec.offer.ways_out.names)
    lines = [f"{PLAN}{ways}{WHY if spec.with_reason else ''}"]
    lines += [
        f"{_spelled(tool)}: {short(catalog.tools[tool.name].description, spec.description_chars)}"
        for tool in spec.offer.tools
    ]
    messages = [Message(role="system", content="\n".join(lines))]
    for example in spec.examples:
        items = tuple(_item(item, spec.offer) for item in example.items)
        why = _reason(items, catalog) if spec.with_reason else None
        messages += [
            Message(role="user", content=example.request),
            Message(role="assistant", content=write_plan(items, why=why)),
        ]
    return messages


def _spelled(tool: OfferedTool) -> str:
    name = " or ".join(f"{agent}/{tool.name}" for agent in tool.agents) if tool.several_agents else tool.name
    stand_ins = ", ".join(f"|{stand_in}" for stand_in in tool.stand_ins)
    return f"{name} ({stand_ins} may stand in)" if stand_ins else name


def _item(item: PlanItem, offer: Offer) -> PlanItem:
    """Spell a remembered item as this offer does."""
    tool = offer.by_name[item.tool]
    agent = item.agent if item.agent in tool.agents else tool.agents[0]
    stand_in = item.fallback if item.fallback in tool.stand_ins else None
    return replace(item, agent=agent if tool.several_agents else None, fallback=stand_in)


def _reason(items: Sequence[PlanItem], catalog: Catalog) -> str:
    said = catalog.tools[items[0].tool].description if items else "no tool fits"
    return " ".join(re.findall(r"[\w'-]+", said)[:REASON_WORDS]).lower()[:MAX_REASON_CHARS]


def _context(task: Task, earlier: Sequence[Exchange]) -> str:
    parts: list[str] = []
    if task.metadata:
        told = json.dumps(task.metadata, ensure_ascii=False, sort_keys=True)
        parts.append(f"Context: {shortened(told, MAX_METADATA_CHARS)}")
    parts += [_said(exchange) for exchange in earlier]
    return "\n".join([*parts, "Now: "]) if parts else ""


def _said(exchange: Exchange) -> str:
    who = "Earlier request" if exchange.role == "user" else "Earlier answer"
    return f"{who}: {exchange.content}"
