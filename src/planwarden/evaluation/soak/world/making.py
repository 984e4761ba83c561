"""Made-up worlds: who has which tools and may call them, written down twice.

Once as the product wants it (catalog, policy of ordered rules), once as a plain table for the oracle alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.specs import AgentSpec, Execution, ToolSpec
from planwarden.evaluation.soak.world.archetypes import ARCHETYPES, Archetype
from planwarden.evaluation.soak.world.habits import Habit, habit_of
from planwarden.evaluation.soak.world.parameters import schema_of
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

AGENTS: Mapping[str, str] = {
    "desk_agent": "Works on orders, payments and the tickets of customers",
    "office_agent": "Works on mail, documents, files and the calendar",
    "field_agent": "Works on travel, weather, stocks and texts",
    FALLBACK_AGENT: "Works on whatever nobody else does",
}
"""Agent → what it says of itself, whichever tools it is dealt."""
LEAST_TOOLS, MOST_TOOLS = 7, 13
HANG_TIMEOUT_S = 0.02
"""Of a tool that hangs: really waited for, so it is short."""
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one agent may do with one tool."""

    says: Literal["allow", "ask", "deny"]
    ceiling: int | None = None
    """No number of the call may be above it."""


NOTHING = Grant(says="deny")


@dataclass(frozen=True, kw_only=True)
class World:
    """One made-up world."""

    tools: Mapping[str, Archetype]
    habits: Mapping[str, Habit]
    """Tool → how it behaves."""
    grants: Mapping[tuple[str, str], Grant]
    """(agent, tool) → what it may; a pair that is not there may nothing. For the oracle."""
    held: Mapping[str, tuple[str, ...]]
    """Agent → its tools."""
    answering: frozenset[str]
    """Agents that may answer without any tool."""
    specs: Mapping[str, ToolSpec]
    catalog: Catalog
    policy: ToolPolicy

    def grant(self, agent: str, tool: str) -> Grant:
        """Say what an agent may do with a tool; nothing where it does not have it."""
        return self.grants.get((agent, tool), NOTHING) if tool in self.held.get(agent, ()) else NOTHING

    def may(self, agent: str) -> tuple[str, ...]:
        """Give the tools that an agent may call, asking a person or not."""
        return tuple(tool for tool in self.held[agent] if self.grant(agent, tool).says != "deny")


def make_world(rng: Random) -> World:
    """Make a world; the same numbers make the same world.

    Its catalog is not checked again here: each schema of the few there are, thousands of times.
    """
    chosen = rng.sample(ARCHETYPES, rng.randint(LEAST_TOOLS, MOST_TOOLS))
    tools = {each.name: each for each in sorted(chosen, key=lambda each: each.name)}
    habits: dict[str, Habit] = {name: habit_of(each, rng) for name, each in tools.items()}
    held = _held(tuple(tools), rng)
    unwritten = rng.choice((None, None, *[agent for agent in held if agent != FALLBACK_AGENT]))
    grants = {
        (agent, tool): _grant(tools[tool], rng)
        for agent, own in held.items()
        for tool in own
        if agent != unwritten
    }
    answering = frozenset({FALLBACK_AGENT} if not held[FALLBACK_AGENT] or rng.random() < 0.5 else set[str]())
    specs = {name: _spec(each, tools, habits[name]) for name, each in tools.items()}
    agents = [_agent(name, own, name in answering, rng) for name, own in held.items()]
    policies = {
        name: _policy(name, own, grants, name in answering) for name, own in held.items() if name != unwritten
    }
    return World(
        tools=tools,
        habits=habits,
        grants=grants,
        held=held,
        answering=answering,
        specs=specs,
        catalog=Catalog(agents={agent.name: agent for agent in agents}, tools=specs),
        policy=ToolPolicy(agents=policies),
    )


def request_in(world: World, rng: Random) -> str:
    """Write a request that wants one to three tools of a world."""
    wanted = rng.sample(sorted(world.tools), rng.randint(1, 3))
    text = ", and then ".join(world.tools[name].asks for name in wanted)
    return f"Please {text}."


def _held(tools: Sequence[str], rng: Random) -> dict[str, tuple[str, ...]]:
    """Deal the tools out, some to two agents; the general agent may go without."""
    agents = tuple(AGENTS)[: rng.randint(2, 3)]
    held: dict[str, list[str]] = {agent: [] for agent in (*agents, FALLBACK_AGENT)}
    for place, tool in enumerate(tools):
        held[agents[place % len(agents)]].append(tool)
        if rng.random() < 0.3:
            held[rng.choice(agents)].append(tool)
        if rng.random() < 0.2:
            held[FALLBACK_AGENT].append(tool)
    return {agent: tuple(dict.fromkeys(own)) for agent, own in held.items()}


def _grant(tool: Archetype, rng: Random) -> Grant:
    draw = rng.random()
    if draw < 0.12:
        return NOTHING
    if draw < (0.25 if tool.effect == "read" else 0.5):
        return Grant(says="ask")
    numbers = [param for param in tool.params if param.kind == "number"]
    ceiling = rng.randint(2, 12) if numbers and rng.random() < 0.5 else None
    return Grant(says="allow", ceiling=ceiling)


def _spec(tool: Archetype, tools: Mapping[str, Archetype], habit: Habit) -> ToolSpec:
    others = (each for each in tools.values() if each.family == tool.family and each.name != tool.name)
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        effect=tool.effect,
        parameters=schema_of(tool.params),
        alternatives=tuple(each.name for each in others if each.effect == "read"),
        examples=(tool.asks,),  # pyright: ignore[reportArgumentType] - a text stands for its example
        timeout_s=HANG_TIMEOUT_S if habit == "hangs" else TIMEOUT_S,
        verifiable=tool.effect != "read" and habit == "crashes",
    )


def _agent(name: str, own: tuple[str, ...], answers: bool, rng: Random) -> AgentSpec:  # noqa: FBT001 - private
    execution: Execution = "directed" if rng.random() < 0.2 else "free"
    return AgentSpec(
        name=name,
        description=AGENTS[name],
        tools=own,
        may_answer_without_tools=answers or not own,
        execution=execution,
    )


def _policy(
    agent: str,
    own: Sequence[str],
    grants: Mapping[tuple[str, str], Grant],
    answers: bool,  # noqa: FBT001 - private
) -> AgentPolicy:
    """Write grants as ordered rules: what is denied, asked or bounded first, then whole families."""
    rules: list[Rule] = []
    free: list[str] = []
    for tool in own:
        grant = grants[agent, tool]
        match grant:
            case Grant(says="allow", ceiling=None):
                free.append(tool)
            case Grant(says="allow", ceiling=ceiling):
                bounded = {"additionalProperties": {"not": {"type": "number", "exclusiveMinimum": ceiling}}}
                rules.append(Rule(name=f"bound-{tool}", says="allow", tools=(tool,), arguments=dict(bounded)))
            case Grant(says=says):
                rules.append(Rule(name=f"{says}-{tool}", says=says, tools=(tool,)))
    families = tuple(dict.fromkeys(f"{tool.split('.')[0]}.*" for tool in free))
    if families:
        rules.append(Rule(name="families", says="allow", tools=families))
    return AgentPolicy(rules=tuple(rules), answer_without_tools=answers)
