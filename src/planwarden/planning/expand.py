"""From the notation to the contract: ids, dependencies, provenance, measured confidence. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, cast

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import (
    ConfidenceMethod,
    HandoffStrategy,
    PlanMetadata,
    PlannedAgentStep,
    PlannerPlan,
    PlanSource,
    Refusal,
    WayOut,
)
from planwarden.llm.service import LLMReply
from planwarden.planning.confidence.choices import choice_probability, find_choices
from planwarden.planning.notation import WaysOut, WirePlan, WireStep
from planwarden.planning.shortlist import Shortlist
from planwarden.policy.rules import ToolPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOrigin:
    """How a reply came about; goes into the plan's metadata."""

    source: PlanSource
    reply: LLMReply
    usage: ModelUsage
    model: str
    prompt_version: str
    ways_out: WaysOut
    guided: bool
    refusals: tuple[Refusal, ...]


def expand(
    wire: WirePlan, origin: PlanOrigin, shortlist: Shortlist, catalog: Catalog, policy: ToolPolicy
) -> PlannerPlan:
    """Make the schema-2 plan that a reply in the notation stands for."""
    handoff: HandoffStrategy = (
        "parallel" if wire.handoff == "parallel" and len(wire.steps) > 1 else "sequential"
    )
    way_out: WayOut | None = None
    if wire.none is not None:
        way_out = "ask_user" if wire.none == "ask" else "answer_without_tools"
    confidences = _confidences(wire, origin, shortlist)
    metadata = PlanMetadata(
        handoff_strategy=handoff,
        source=origin.source,
        way_out=way_out,
        model=origin.model,
        latency_s=round(origin.usage.latency_s, 4),
        prompt_tokens=origin.usage.prompt_tokens,
        output_tokens=origin.usage.output_tokens,
        catalog_digest=catalog.digest,
        policy_digest=policy.digest,
        prompt_version=origin.prompt_version,
        shortlist=shortlist.tools,
        confidence_method=ConfidenceMethod(method="token_probability" if origin.reply.tokens else "none"),
        refusals=origin.refusals,
    )
    if way_out is not None:
        reason = "no tool fits the task" if way_out == "answer_without_tools" else "the task is unclear"
        step = PlannedAgentStep(id="s1", agent=FALLBACK_AGENT, reason=reason, confidence=confidences[0])
        return PlannerPlan(steps=(step,), metadata=metadata, confidence=confidences[0])
    steps = tuple(
        _step(position, step, handoff, confidences[position]) for position, step in enumerate(wire.steps)
    )
    return PlannerPlan(steps=steps, metadata=metadata, confidence=_rounded(math.prod(confidences)))


def _step(position: int, wire: WireStep, handoff: HandoffStrategy, confidence: float) -> PlannedAgentStep:
    before = (f"s{position}",) if position and handoff == "sequential" else ()
    return PlannedAgentStep(
        id=f"s{position + 1}",
        agent=wire.agent,
        tools=wire.tools,
        fallback_tools=wire.fallback_tools,
        depends_on=before,
        reason=wire.reason.strip(),
        confidence=confidence,
    )


def _confidences(wire: WirePlan, origin: PlanOrigin, shortlist: Shortlist) -> list[float]:
    """Give, per step, the joint probability of its agent and its primary tools; 0 where nothing was measured.

    Whether to plan at all or to take a way out was a choice too, and weighs on every step.
    """
    reply = origin.reply
    if not reply.tokens:
        return [0.0] * max(1, len(wire.steps))
    raw = cast("dict[str, Any]", json.loads(reply.text))
    kinds = ("steps", "none") if origin.ways_out.names else ("steps",)
    first = reply.text.find('"') + 1  # servers may write white space before it
    kind = choice_probability(reply.tokens, first, "none" if wire.none else "steps", kinds) or 0.0
    if wire.none is not None:
        offset = find_choices(reply.text, [wire.none])[0]
        chosen = choice_probability(reply.tokens, offset, wire.none, origin.ways_out.names)
        return [_rounded(kind * (chosen or 0.0))]
    by_step: dict[tuple[str, tuple[str, ...]], float] = {}
    offsets = iter(find_choices(reply.text, [name for step in raw["steps"] for _, name in _names(step)]))
    parts = shortlist.parts if origin.guided else ()
    for position, step in enumerate(raw["steps"]):
        near = parts[position] if position < len(parts) else shortlist.tools
        offered = {
            name: own
            for name, tools in shortlist.agents.items()
            if (own := tuple(tool for tool in tools if tool in near))
        }
        product, agent = 1.0, step["agent"]
        for key, name in _names(step):
            offset = next(offsets)
            allowed = tuple(offered) if key == "agent" else offered[agent]
            if key != "fallback_tools":
                product *= choice_probability(reply.tokens, offset, name, allowed) or 0.0
        by_step.setdefault((agent, tuple(dict.fromkeys(step["tools"]))), product)
    return [_rounded(kind * by_step[(step.agent, step.tools)]) for step in wire.steps]


def _names(step: dict[str, Any]) -> list[tuple[str, str]]:
    """Give the names of a step in the order in which they were written; servers may reorder the keys."""
    named: list[tuple[str, str]] = []
    for key, value in step.items():
        if key == "agent":
            named.append((key, value))
        elif key in ("tools", "fallback_tools"):
            named += [(key, name) for name in value]
    return named


def _rounded(probability: float) -> float:
    return round(min(max(probability, 0.0), 1.0), 4)
