"""Plans that somebody brings along: fit to be followed, or in ways that no plan may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from planwarden.evaluation.soak.ledger import PersonKind
from planwarden.evaluation.soak.world.making import World

MOST_STEPS = 4
WRONG: tuple[PersonKind, ...] = ("brought_plan_cycle", "brought_plan_oversize", "brought_plan_denied")


def good_plan(world: World, rng: Random) -> str:
    """Write a plan with several tools in a step, and stand-ins."""
    agents = [agent for agent in world.held if world.may(agent)]
    steps = [
        _step(f"s{place + 1}", world, rng.choice(agents), rng) for place in range(rng.randint(1, MOST_STEPS))
    ]
    for place, step in enumerate(steps[1:], 1):
        step["depends_on"] = [f"s{earlier + 1}" for earlier in range(place) if rng.random() < 0.4]
    return _written(steps, rng.choice(("sequential", "parallel")))


def can_bring(world: World) -> bool:
    """Say whether there is anything to plan with."""
    return any(world.may(agent) for agent in world.held)


def wrong_plan(kind: PersonKind, world: World, rng: Random) -> str:
    """Write a plan that must not be followed."""
    agent = next(agent for agent in world.held if world.may(agent))
    steps = [_step(f"s{place + 1}", world, agent, rng) for place in range(2)]
    match kind:
        case "brought_plan_cycle":
            steps[0]["depends_on"], steps[1]["depends_on"] = ["s2"], ["s1"]
        case "brought_plan_oversize":
            steps = [_step(f"s{place + 1}", world, agent, rng) for place in range(13)]
        case _:
            steps[1]["tools"] = [_not_allowed(world, agent, rng)]
            steps[1]["fallback_tools"] = []
    return _written(steps, "sequential")


def _not_allowed(world: World, agent: str, rng: Random) -> str:
    denied = [tool for tool in world.tools if world.grant(agent, tool).says == "deny"]
    return rng.choice(denied) if denied else "admin.delete_all"


def _step(name: str, world: World, agent: str, rng: Random) -> dict[str, Any]:
    allowed = list(world.may(agent))
    tools = rng.sample(allowed, rng.randint(1, min(3, len(allowed))))
    reads = [tool for tool in allowed if tool not in tools and world.tools[tool].effect == "read"]
    fallbacks = rng.sample(reads, rng.randint(0, min(2, len(reads))))
    return {
        "id": name,
        "agent": agent,
        "tools": tools,
        "fallback_tools": fallbacks,
        "reason": "brought along",
    }


def _written(steps: list[dict[str, Any]], handoff: str) -> str:
    metadata: Mapping[str, Any] = {"source": "edited", "handoff_strategy": handoff}
    return json.dumps({"schema_version": 2, "steps": steps, "metadata": metadata, "confidence": 1})
