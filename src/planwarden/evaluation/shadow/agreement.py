"""How much two plans for the same task are alike. Pure.

Plans are compared tool by tool: a step with two tools counts as two. A way out has neither agent nor tool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from planwarden.contracts.shadow import PlanSketch
from planwarden.evaluation.plan_scores import multiset_f1, same_order
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How alike two plans are, each within 0 to 1; None where a measure does not apply."""

    agents_f1: float
    agents_jaccard: float
    agents_exact: float
    """The same agents, each as often."""
    tools_f1: float
    tools_jaccard: float
    tools_exact: float
    """The same tools, each as often."""
    order_distance: float | None
    """Share of the pairs of shared tools that stand the other way round (Kendall 1938); with two at least."""
    way_out: float
    """Both do something, or both take the same way out."""
    same_plan: float
    """The same tools in the same partial order, or the same way out."""


AGREEMENT_MEASURES: tuple[str, ...] = tuple(Agreement.__dataclass_fields__)
_NOTHING = PlanSketch(steps=(), handoff="sequential")


def agreement(first: PlanSketch | None, second: PlanSketch | None) -> Agreement:
    """Compare two plans; a planner that gave none agrees only with one that gave none either."""
    if (first is None) != (second is None):
        return Agreement(
            agents_f1=0.0, agents_jaccard=0.0, agents_exact=0.0, tools_f1=0.0, tools_jaccard=0.0,
            tools_exact=0.0, order_distance=None, way_out=0.0, same_plan=0.0,
        )  # fmt: skip
    one, other = first or _NOTHING, second or _NOTHING
    same_way = one.way_out == other.way_out
    same_tools = Counter(one.tools) == Counter(other.tools)
    return Agreement(
        agents_f1=multiset_f1(one.agents, other.agents),
        agents_jaccard=jaccard(one.agents, other.agents),
        agents_exact=float(Counter(one.agents) == Counter(other.agents)),
        tools_f1=multiset_f1(one.tools, other.tools),
        tools_jaccard=jaccard(one.tools, other.tools),
        tools_exact=float(same_tools),
        order_distance=order_distance(one.tools, other.tools),
        way_out=float(same_way),
        same_plan=float(same_way and same_tools and _same_order(one, other)),
    )


def jaccard(first: Iterable[str], second: Iterable[str]) -> float:
    """Give how much of what either names both name; 1 when neither names anything."""
    one, other = set(first), set(second)
    return len(one & other) / len(one | other) if one | other else 1.0


def order_distance(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Give the share of pairs of shared tools that are in opposite order, by where each stands first."""
    shared = sorted(set(first) & set(second))
    pairs = tuple(combinations(shared, 2))
    if not pairs:
        return None
    crossed = sum((first.index(a) < first.index(b)) != (second.index(a) < second.index(b)) for a, b in pairs)
    return crossed / len(pairs)


def _same_order(one: PlanSketch, other: PlanSketch) -> bool:
    return same_order(
        Prediction(id="", steps=_steps(one.tools), edges=one.edges),
        GoldPlan(steps=_steps(other.tools), edges=other.edges),
    )


def _steps(tools: Iterable[str]) -> tuple[GoldStep, ...]:
    return tuple(GoldStep(tool=tool) for tool in tools)
