"""How near a predicted plan is to the gold one. Pure.

A prediction that is missing counts as an empty plan and scores 0; it is never left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from typing import TypeVar

from planwarden.evaluation.plan_tasks import GoldPlan, PlanTask, Prediction

Item = TypeVar("Item", bound=Hashable)
Edges = Iterable[tuple[int, int]]
Relation = frozenset[tuple[int, int]]

MAX_MATCHINGS = 5_040
"""Ways to match steps of the same tool that are tried; 7! covers every plan that the product allows."""
EXACT_STEPS = 14
"""Gold plans up to this length get their best linear extension exactly; longer ones greedily."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanScore:
    """The scores of one task, each within 0 to 1; `edge_f1` is None where the gold plan has no links."""

    valid: float
    node_f1: float
    edge_f1: float | None
    exact_set: float
    exact_plan: float
    order: float


MEASURES = ("valid", "node_f1", "edge_f1", "exact_set", "exact_plan", "order")


def score_plan(task: PlanTask, predicted: Prediction | None) -> PlanScore:
    """Score one prediction against its task's gold plan; None is an empty plan."""
    plan = predicted or Prediction(id=task.id)
    gold = task.gold
    gold_tools = tuple(step.tool for step in gold.steps)
    links = tuple((gold_tools[a], gold_tools[b]) for a, b in gold.edges)
    in_range = tuple(edge for edge in plan.edges if max(edge) < len(plan.steps))
    said = tuple((plan.tools[a], plan.tools[b]) for a, b in in_range)
    same_set = Counter(plan.tools) == Counter(gold_tools)
    return PlanScore(
        valid=float(is_valid(task, plan)),
        node_f1=multiset_f1(plan.tools, gold_tools),
        edge_f1=multiset_f1(said, links) if links else None,
        exact_set=float(same_set),
        exact_plan=float(same_set and same_order(plan, gold)),
        order=order_score(plan.tools, gold_tools, gold.edges),
    )


def is_valid(task: PlanTask, plan: Prediction) -> bool:
    """Say whether a plan has a step, names offered tools only, and has edges in range without a cycle."""
    offered = {tool.name for tool in task.tools}
    count = len(plan.steps)
    in_range = all(max(edge) < count for edge in plan.edges)
    return count > 0 and offered.issuperset(plan.tools) and in_range and is_acyclic(count, plan.edges)


def is_acyclic(count: int, edges: Edges) -> bool:
    """Say whether steps 0 to count - 1 can be put in an order that all edges agree with."""
    return all(a != b for a, b in closure(count, edges))


def closure(count: int, edges: Edges) -> Relation:
    """Give the transitive closure (Warshall 1962)."""
    reached = set(edges)
    for middle in range(count):
        into = [a for a, b in reached if b == middle]
        out = [b for a, b in reached if a == middle]
        reached.update(product(into, out))
    return frozenset(reached)


def multiset_f1(said: Sequence[Item], gold: Sequence[Item]) -> float:
    """Give the harmonic mean of precision and recall over multisets; 1 when both are empty."""
    if not said and not gold:
        return 1.0
    common = sum((Counter(said) & Counter(gold)).values())
    return 2 * common / (len(said) + len(gold))


def same_order(plan: Prediction, gold: GoldPlan) -> bool:
    """Say whether two plans over the same tools have the same partial order, steps matched by tool."""
    count = len(gold.steps)
    in_range = [edge for edge in plan.edges if max(edge) < count]
    mine, wanted = closure(count, in_range), closure(count, gold.edges)
    places: dict[str, tuple[list[int], list[int]]] = {}
    for at, tool in enumerate(plan.tools):
        places.setdefault(tool, ([], []))[0].append(at)
    for at, step in enumerate(gold.steps):
        places.setdefault(step.tool, ([], []))[1].append(at)
    ways = product(*(permutations(theirs) for _, theirs in places.values()))
    own = [at for ours, _ in places.values() for at in ours]
    for tried, way in enumerate(ways):
        match = dict(zip(own, (at for group in way for at in group), strict=True))
        if frozenset((match[a], match[b]) for a, b in mine) == wanted:
            return True
        if tried >= MAX_MATCHINGS:
            break
    return False


def order_score(said: Sequence[str], gold: Sequence[str], edges: Edges) -> float:
    """Give 1 − Levenshtein ÷ longer length, against the linear extension of the gold that is nearest."""
    longer = max(len(said), len(gold))
    if longer == 0:
        return 1.0
    before = closure(len(gold), edges)
    if len(gold) > EXACT_STEPS:
        return 1 - _levenshtein(said, _following(said, gold, before)) / longer
    return 1 - _nearest(tuple(said), tuple(gold), before) / longer


def _nearest(said: tuple[str, ...], gold: tuple[str, ...], before: Relation) -> int:
    """Give the least Levenshtein distance to a linear extension (dynamic programming over sets)."""
    needs = [sum(1 << a for a, b in before if b == step) for step in range(len(gold))]
    everything = (1 << len(gold)) - 1

    @cache
    def distance(at: int, done: int) -> int:
        if done == everything:
            return len(said) - at
        ready = [s for s in range(len(gold)) if not done >> s & 1 and needs[s] & ~done == 0]
        left = [distance(at, done | 1 << step) + 1 for step in ready]
        if at < len(said):
            left.append(distance(at + 1, done) + 1)
            left += [distance(at + 1, done | 1 << step) + (said[at] != gold[step]) for step in ready]
        return min(left)

    return distance(0, 0)


def _following(said: Sequence[str], gold: Sequence[str], before: Relation) -> list[str]:
    """Put gold steps in an order that follows a sequence greedily."""
    left, order, follow = set(range(len(gold))), list[str](), list(said)
    while left:
        ready = [step for step in sorted(left) if not any(a in left for a, b in before if b == step)]
        step = min(ready, key=lambda s: follow.index(gold[s]) if gold[s] in follow else len(follow))
        left.remove(step)
        order.append(gold[step])
        if gold[step] in follow:
            follow.remove(gold[step])
    return order


def _levenshtein(said: Sequence[str], gold: Sequence[str]) -> int:
    row = list(range(len(gold) + 1))
    for at, tool in enumerate(said, start=1):
        last, row[0] = row[0], at
        for place, wanted in enumerate(gold, start=1):
            last, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, last + (tool != wanted))
    return row[-1]
