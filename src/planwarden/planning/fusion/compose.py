"""The best plan under fused probabilities: which tools, how often, by whom, in which order, on what. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from planwarden.contracts.plan import MAX_STEPS
from planwarden.planning.fusion.best_set import best_size
from planwarden.planning.fusion.fuse import Fused, FusedTool, Judged
from planwarden.planning.notation.offer import WaysOut
from planwarden.planning.notation.reading import MAX_REPEATS

LINKED = 0.4
"""A step uses an earlier one's result from this probability on: what it lacks costs more than what it does
not need. Measured in cross-validation on 1,053 tasks: edge-F1 0.492, 0.489 and 0.478 at 0.3, 0.4 and 0.5."""
LEAST = 0.2
"""A tool less likely than this is planned only where it is the best there is."""
MAX_LINKS = 3
"""Of one step: how many earlier results it uses."""
SURE = Judged(prior=1.0, model=None, fused=1.0)
"""Of what was not a choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a plan must keep within, whatever the probabilities."""

    pairs: Mapping[str, Collection[str]]
    """Catalog ∩ policy: agent → tools."""
    ways_out: WaysOut
    max_agents: int
    max_steps: int = MAX_STEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStep:
    """One step of a plan that is being composed."""

    tool: str
    agent: str
    fallback: str | None
    uses: tuple[int, ...] = ()
    """Positions of earlier steps, from 0."""
    tool_judged: Judged = SURE
    agent_judged: Judged = SURE
    fallback_judged: Judged = SURE
    links: Mapping[int, Judged] = field(default_factory=dict[int, Judged])
    """Every earlier step, by its position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What was decided, with the probabilities it was decided on; no steps: a way out, or nothing at all."""

    steps: tuple[DraftStep, ...]
    way_out: str | None = None
    """`none` or `ask`."""
    way_out_judged: Judged = SURE

    @property
    def names(self) -> tuple[object, ...]:
        """Give what is decided without the numbers: two drafts with the same names are the same plan."""
        steps = tuple((each.tool, each.agent, each.fallback, each.uses) for each in self.steps)
        return (self.way_out, steps)


def compose(fused: Fused, bounds: Bounds) -> Draft:
    """Give the best plan; without any usable tool a way out, and without that nothing.

    Args:
        fused: probabilities of tools, links and ways out.
        bounds: what the plan must keep within.
    """
    usable = [tool for tool in fused.tools if _agents(tool.name, fused, bounds)]
    way_out, judged = _way_out(fused, bounds, usable)
    if way_out or not usable:
        return Draft(steps=(), way_out=way_out, way_out_judged=judged)
    chosen = _in_order(_best_set(usable, bounds), fused)
    return Draft(steps=_linked(_manned(chosen, fused, bounds), fused))


def _way_out(fused: Fused, bounds: Bounds, usable: Sequence[FusedTool]) -> tuple[str | None, Judged]:
    """Take a way out where it is likelier than the likeliest tool: both cannot be right."""
    offered = {"none": fused.none, "ask": fused.ask}
    open_ways = {name: judged for name, judged in offered.items() if name in bounds.ways_out.names}
    if not open_ways:
        return None, SURE
    best = max(open_ways, key=lambda name: open_ways[name].fused)
    if not usable:
        return next(iter(open_ways)), SURE
    taken = open_ways[best].fused > usable[0].judged.fused
    return (best, open_ways[best]) if taken else (None, SURE)


def _best_set(usable: Sequence[FusedTool], bounds: Bounds) -> list[FusedTool]:
    """Choose the multiset of the best expected F1; a tool's second use is an item of its own."""
    items = [
        (tool.judged.fused * tool.repeats**again, again, tool)
        for tool in usable
        for again in range(MAX_REPEATS)
    ]
    items.sort(key=lambda item: (-item[0], item[1]))
    likely = sum(p >= LEAST for p, _, _ in items)
    size = best_size([p for p, _, _ in items], max(1, min(likely, bounds.max_steps)))
    return [tool for _, _, tool in items[:size]]


def _in_order(chosen: Sequence[FusedTool], fused: Fused) -> list[FusedTool]:
    """Put first what is expected early and whose result the others use (Borda's count over pairs)."""

    def lead(tool: FusedTool) -> float:
        others = [other for other in chosen if other.name != tool.name]
        used = sum(fused.link(tool.name, other.name).fused for other in others)
        uses = sum(fused.link(other.name, tool.name).fused for other in others)
        later = sum(other.place - tool.place for other in others)
        return used - uses + later

    names = {tool.name: lead(tool) for tool in chosen}
    return sorted(chosen, key=lambda tool: (-names[tool.name], -tool.judged.fused, tool.name))


def _agents(tool: str, fused: Fused, bounds: Bounds) -> dict[str, float]:
    """Give the agents that may call a tool, with their probabilities, best first."""
    known = dict(fused.prior.agents.get(tool, ()))
    return {agent: p for agent, p in known.items() if tool in bounds.pairs.get(agent, ())}


def _manned(chosen: Sequence[FusedTool], fused: Fused, bounds: Bounds) -> list[DraftStep]:
    """Give each tool an agent and a stand-in; tools that would take one agent too many are left out."""
    options = [_judged_agents(tool.name, fused, bounds) for tool in chosen]
    staying = _staying(chosen, options, bounds.max_agents)
    return [
        _step(tool, own, fused, bounds)
        for tool, agents in zip(chosen, options, strict=True)
        if (own := {agent: judged for agent, judged in agents.items() if agent in staying})
    ]


def _staying(
    chosen: Sequence[FusedTool], options: Sequence[Mapping[str, Judged]], most: int
) -> frozenset[str]:
    """Give the agents that the plan may have: each tool's best, without those whose tools matter least."""
    weights: dict[str, float] = {}
    for tool, agents in zip(chosen, options, strict=True):
        best = _likeliest(agents)
        weights[best] = weights.get(best, 0.0) + tool.judged.fused
    return frozenset(sorted(weights, key=lambda agent: (-weights[agent], agent))[:most])


def _likeliest(judged: Mapping[str, Judged]) -> str:
    return max(judged, key=lambda name: judged[name].fused)


def _judged_agents(tool: str, fused: Fused, bounds: Bounds) -> dict[str, Judged]:
    said = fused.evidence.agents.get(tool) if fused.evidence else None
    return fused.named(_agents(tool, fused, bounds), said)


def _step(tool: FusedTool, agents: Mapping[str, Judged], fused: Fused, bounds: Bounds) -> DraftStep:
    agent = _likeliest(agents)
    stand_ins = _stand_ins(tool.name, agent, fused, bounds)
    fallback = _likeliest(stand_ins) if stand_ins else None
    return DraftStep(
        tool=tool.name,
        agent=agent,
        fallback=fallback,
        tool_judged=tool.judged,
        agent_judged=agents[agent] if len(agents) > 1 else SURE,
        fallback_judged=stand_ins[fallback] if fallback and len(stand_ins) > 1 else SURE,
    )


def _stand_ins(tool: str, agent: str, fused: Fused, bounds: Bounds) -> dict[str, Judged]:
    """Judge what may stand in; the prior knows only an order, in which each halves what is left."""
    own = bounds.pairs[agent]
    ranked = [name for name in fused.prior.fallbacks.get(tool, ()) if name in own and name != tool]
    known = {name: max(0.5 ** (place + 1), 0.01) for place, name in enumerate(ranked)}
    return fused.named(known, fused.evidence.fallbacks.get(tool) if fused.evidence else None)


def _linked(steps: Sequence[DraftStep], fused: Fused) -> tuple[DraftStep, ...]:
    linked: list[DraftStep] = []
    for place, step in enumerate(steps):
        judged = {before: fused.link(steps[before].tool, step.tool) for before in range(place)}
        likely = sorted((b for b in judged if judged[b].fused >= LINKED), key=lambda b: -judged[b].fused)
        linked.append(replace(step, uses=tuple(sorted(likely[:MAX_LINKS])), links=judged))
    return tuple(linked)
