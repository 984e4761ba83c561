"""What the planner model writes: shorter than the contract, acyclic by construction, with a way out.

One of
    {"steps":[{"agent":A,"tools":[T,…],"fallback_tools":[T,…],"reason":R},…],"handoff":"sequential"|"parallel"}
    {"none":"answer"|"ask"}
`sequential`: each step builds on the one before; `parallel`: none builds on another. Lists of tools are sets:
a name said twice counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json
from planwarden.planning.shortlist import Shortlist

MAX_TOOLS_PER_STEP = 3
MAX_FALLBACKS_PER_STEP = 2
MAX_REASON_CHARS = 60


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
        return tuple(name for name, offered in (("answer", self.answer), ("ask", self.ask)) if offered)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireStep:
    """One step as the model wrote it, sets already made."""

    agent: str
    tools: tuple[str, ...]
    fallback_tools: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePlan:
    """A reply in the notation."""

    steps: tuple[WireStep, ...]
    handoff: str
    none: str | None


def wire_schema(
    shortlist: Shortlist, ways_out: WaysOut, *, max_agents: int, guided: bool = False
) -> JsonSchema:
    """Make the schema of this request: its agents, their tools, its limits, its ways out. Pure.

    Args:
        shortlist: what may be named.
        ways_out: which ways out are offered.
        max_agents: how many steps at most; no plan can have more distinct agents then.
        guided: one step for each part of the task that retrieval heard, with the tools near that part.
            For models that choose worse than retrieval; they keep the near ties and the way out.
    """
    variants: list[Json] = []
    if shortlist.agents:
        parts = shortlist.parts[:max_agents] if guided else ()
        steps = _guided_steps(shortlist, parts) if parts else _free_steps(shortlist, max_agents)
        variants.append(_closed({"steps": steps, "handoff": {"enum": ["sequential", "parallel"]}}))
    if ways_out.names:
        variants.append(_closed({"none": {"enum": list(ways_out.names)}}))
    return _one_of(variants)


def _free_steps(shortlist: Shortlist, max_steps: int) -> JsonSchema:
    variants: list[Json] = [
        _step(agent, tools, shortlist.stand_ins[agent], MAX_TOOLS_PER_STEP)
        for agent, tools in shortlist.agents.items()
    ]
    return {"type": "array", "minItems": 1, "maxItems": max_steps, "items": _one_of(variants)}


def _guided_steps(shortlist: Shortlist, parts: tuple[tuple[str, ...], ...]) -> JsonSchema:
    steps: list[Json] = [_guided_step(shortlist, part) for part in parts]
    count = len(steps)
    return {"type": "array", "prefixItems": steps, "items": False, "minItems": count, "maxItems": count}


def _guided_step(shortlist: Shortlist, part: tuple[str, ...]) -> JsonSchema:
    return _one_of(
        [
            _step(agent, near, shortlist.stand_ins[agent], 1)
            for agent, tools in shortlist.agents.items()
            if (near := tuple(tool for tool in part if tool in tools))
        ]
    )


def _step(agent: str, tools: tuple[str, ...], fallback_tools: tuple[str, ...], max_tools: int) -> JsonSchema:
    stand_ins: JsonSchema = {"enum": list(fallback_tools)}
    return _closed(
        {
            "agent": {"enum": [agent]},
            "tools": {"type": "array", "minItems": 1, "maxItems": max_tools, "items": {"enum": list(tools)}},
            "fallback_tools": {"type": "array", "maxItems": MAX_FALLBACKS_PER_STEP, "items": stand_ins},
            "reason": {"type": "string", "maxLength": MAX_REASON_CHARS},
        }
    )


def _closed(properties: dict[str, Json]) -> JsonSchema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _one_of(schemas: list[Json]) -> JsonSchema:
    return cast("JsonSchema", schemas[0]) if len(schemas) == 1 else {"anyOf": schemas}


def read_wire(value: Json, schema: JsonSchema) -> WirePlan | tuple[str, ...]:
    """Read a parsed reply; the problems with it where it is not in the notation. Pure."""
    problems = schema_problems(schema, value)
    if problems:
        return problems
    reply = cast("dict[str, Any]", value)
    steps: list[WireStep] = []
    for raw in reply.get("steps", ()):
        tools = tuple(dict.fromkeys(raw["tools"]))
        fallbacks = tuple(name for name in dict.fromkeys(raw["fallback_tools"]) if name not in tools)
        reason = raw["reason"].encode("utf-8", "replace").decode()  # half a character pair cannot be stored
        step = WireStep(agent=raw["agent"], tools=tools, fallback_tools=fallbacks, reason=reason)
        if not any(step.agent == other.agent and step.tools == other.tools for other in steps):
            steps.append(step)
    return WirePlan(steps=tuple(steps), handoff=reply.get("handoff", "sequential"), none=reply.get("none"))
