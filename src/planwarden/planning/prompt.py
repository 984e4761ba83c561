"""What the planner model reads. The static part comes first, so that the server's prefix cache serves it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.conversation import shortened
from planwarden.contracts.model import Message
from planwarden.contracts.task import Exchange, Task
from planwarden.contracts.value import Json
from planwarden.planning.notation import WaysOut
from planwarden.planning.shortlist import Shortlist

PROMPT_VERSION = "2026-11-23.2"
MAX_METADATA_CHARS = 600
MAX_DESCRIPTION_CHARS = 70

SYSTEM = (
    "You plan tasks. Choose the agent and the tools that can do the task, from the list only. "
    "Use one step when one is enough. fallback_tools stand in when a tool fails. "
    'If no tool fits, say {"none":"answer"}; if the task is unclear, say {"none":"ask"}.'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerPrompt:
    """Messages for the planner model, without the repair turn."""

    messages: tuple[Message, ...]


def build_prompt(
    task: Task,
    catalog: Catalog,
    shortlist: Shortlist,
    ways_out: WaysOut,
    *,
    examples: int,
    earlier: Sequence[Exchange] = (),
) -> PlannerPrompt:
    """Write the prompt: how to plan, what there is, worked examples, the task. Pure.

    Args:
        task: what was asked, with its metadata.
        catalog: where descriptions and alternatives come from.
        shortlist: what is shown.
        ways_out: which ways out are offered.
        examples: how many worked examples to show, the nearest last.
        earlier: what was said before, as much of it as fits, oldest first.
    """
    system = Message(role="system", content=f"{SYSTEM}\n{_offer(catalog, shortlist)}")
    shown = [tool for tool in shortlist.tools[:examples] if tool in shortlist.nearest_example]
    turns: list[Message] = []
    for tool in reversed(shown):
        turns += _turn(shortlist.nearest_example[tool], _worked((tool,), catalog, shortlist))
    several = tuple(part[0] for part in shortlist.parts if part[0] in shown)
    if len(several) > 1:
        asked_for = ", and then ".join(shortlist.nearest_example[tool] for tool in several)
        turns += _turn(asked_for, _worked(several, catalog, shortlist))
    if "answer" in ways_out.names and examples and not shortlist.parts:
        turns += _turn("Hello! Who are you?", {"none": "answer"})
    asked = Message(role="user", content=f"{_context(task, earlier)}{task.prompt}")
    return PlannerPrompt(messages=(system, *turns, asked))


def repair_turn(reply: str, fault: str) -> tuple[Message, ...]:
    """Write the one turn that tells the model what was wrong with its reply."""
    return (
        Message(role="assistant", content=reply[:1_000]),
        Message(role="user", content=f"That plan is refused: {fault[:400]} Write the plan again, mended."),
    )


def _offer(catalog: Catalog, shortlist: Shortlist) -> str:
    lines: list[str] = []
    for agent, tools in shortlist.agents.items():
        lines.append(f"{agent}:")
        lines += [f"- {tool}: {_short(catalog.tools[tool].description)}" for tool in tools]
    return "\n".join(lines)


def _short(description: str) -> str:
    first = description.split(". ", maxsplit=1)[0].strip().rstrip(".")
    return first if len(first) <= MAX_DESCRIPTION_CHARS else first[: MAX_DESCRIPTION_CHARS - 1] + "…"


def _worked(tools: tuple[str, ...], catalog: Catalog, shortlist: Shortlist) -> Json:
    return {"steps": [_worked_step(tool, catalog, shortlist) for tool in tools], "handoff": "sequential"}


def _worked_step(tool: str, catalog: Catalog, shortlist: Shortlist) -> Json:
    agent = next(name for name, tools in shortlist.agents.items() if tool in tools)
    stand_ins = [name for name in catalog.tools[tool].alternatives if name in shortlist.stand_ins[agent]]
    reason = " ".join(re.findall(r"[\w'-]+", catalog.tools[tool].description)[:6]).lower()
    return {"agent": agent, "tools": [tool], "fallback_tools": stand_ins[:1], "reason": reason}


def _turn(request: str, reply: Json) -> list[Message]:
    written = json.dumps(reply, separators=(",", ":"), ensure_ascii=False)
    return [Message(role="user", content=request), Message(role="assistant", content=written)]


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
