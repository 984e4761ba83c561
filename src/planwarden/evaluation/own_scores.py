"""How right a plan over the catalog that ships is, measured against what its task's labels accept. Pure.

A plan is looked at tool by tool: a step with two tools counts as two, each of that step's agent. A way out
has no agent and no tool. A task without a plan scores 0 wherever it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from planwarden.contracts.plan import PlannerPlan
from planwarden.evaluation.own_tasks import OwnGold, OwnTask
from planwarden.evaluation.plan_scores import multiset_f1, order_score, same_order
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnScore:
    """The scores of one task, each within 0 to 1; None where the measure does not apply to it."""

    agents: float
    """The agents are right, each as often as it has to be."""
    node_f1: float
    """F1 of the multisets of tools; 1 where a way out was right and was taken."""
    exact_set: float
    """The tools are right, each as often as it has to be."""
    exact_plan: float
    """And so is the partial order; or the right kind of way out was taken."""
    order: float | None
    """Of the tools, against the gold order; for tasks that a tool fits."""
    edge_f1: float | None
    """F1 of the links (tool, tool); for tasks where a step builds on another."""
    fallbacks: float | None
    """Share of the steps with the right first stand-in, or rightly without one; where the tools are right."""
    none_fits: float
    """A way out was taken where one is right, and only there."""
    none_precision: float | None
    """A way out is right; for plans that take one."""
    none_recall: float | None
    """A way out was taken; for tasks that no tool fits."""
    way_out: float | None
    """It was of the right kind, answered or asked back; for tasks that no tool fits."""
    handoff: float | None
    """The hand-off strategy is right; for tasks of several steps. A plan of one step has none."""
    handoff_given_tools: float | None
    """The same, where the tools are right."""


OWN_MEASURES: tuple[str, ...] = tuple(OwnScore.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A plan, tool by tool."""

    agents: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    stand_ins: tuple[str | None, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    handoff: str | None = None
    way_out: str | None = None
    missing: bool = False


def score_own(task: OwnTask, plan: PlannerPlan | None) -> OwnScore:
    """Score a plan against the accepted one that it is nearest to; None is a task without a plan."""
    planned = _planned(plan)
    return max((_score(gold, planned) for gold in task.golds), key=_nearness)


def _planned(plan: PlannerPlan | None) -> _Planned:
    if plan is None:
        return _Planned(missing=True)
    if plan.metadata.way_out is not None:
        return _Planned(way_out=plan.metadata.way_out)
    places: dict[str, range] = {}
    agents: list[str] = []
    tools: list[str] = []
    stand_ins: list[str | None] = []
    edges: list[tuple[int, int]] = []
    for step in plan.steps:
        places[step.id] = range(len(tools), len(tools) + len(step.tools))
        agents += [step.agent] * len(step.tools)
        tools += step.tools
        stand_ins += [next(iter(step.fallback_tools), None)] * len(step.tools)
        edges += [(a, b) for name in step.depends_on for a in places[name] for b in places[step.id]]
    return _Planned(
        agents=tuple(agents),
        tools=tuple(tools),
        stand_ins=tuple(stand_ins),
        edges=tuple(edges),
        handoff=plan.metadata.handoff_strategy if len(tools) > 1 else None,
    )


def _score(gold: OwnGold, planned: _Planned) -> OwnScore:
    """Score against one accepted plan."""
    none_right, taken = gold.way_out is not None, planned.way_out is not None
    kind_right = planned.way_out == gold.way_out
    present = not planned.missing
    same_set = present and none_right == taken and Counter(planned.tools) == Counter(gold.tools)
    several = len(gold.steps) > 1
    handoff = float(planned.handoff == gold.handoff) if several else None
    return OwnScore(
        agents=float(present and Counter(planned.agents) == Counter(step.agent for step in gold.steps)),
        node_f1=multiset_f1(planned.tools, gold.tools) if present else 0.0,
        exact_set=float(same_set),
        exact_plan=float(same_set and kind_right and _same_order(gold, planned)),
        order=None if none_right else order_score(planned.tools, gold.tools, gold.edges),
        edge_f1=_edge_f1(gold, planned) if gold.edges else None,
        fallbacks=_fallbacks(gold, planned) if same_set and not none_right else None,
        none_fits=float(present and taken == none_right),
        none_precision=float(none_right) if taken else None,
        none_recall=float(taken) if none_right else None,
        way_out=float(kind_right) if none_right else None,
        handoff=handoff,
        handoff_given_tools=handoff if same_set else None,
    )


def _nearness(score: OwnScore) -> tuple[float, ...]:
    """Say by what the nearest accepted plan is chosen; of equals the first is taken."""
    parts = (score.exact_set, score.node_f1, score.none_fits, score.exact_plan, score.way_out, score.agents)
    rest = (score.order, score.edge_f1, score.handoff, score.fallbacks)
    return tuple(part or 0.0 for part in (*parts, *rest))


def _same_order(gold: OwnGold, planned: _Planned) -> bool:
    prediction = Prediction(id="", steps=_steps(planned.tools), edges=planned.edges)
    return same_order(prediction, GoldPlan(steps=_steps(gold.tools), edges=gold.edges))


def _steps(tools: Iterable[str]) -> tuple[GoldStep, ...]:
    return tuple(GoldStep(tool=tool) for tool in tools)


def _edge_f1(gold: OwnGold, planned: _Planned) -> float:
    return multiset_f1(_links(planned.tools, planned.edges), _links(gold.tools, gold.edges))


def _links(tools: Sequence[str], edges: Iterable[tuple[int, int]]) -> tuple[tuple[str, str], ...]:
    return tuple((tools[a], tools[b]) for a, b in edges)


def _fallbacks(gold: OwnGold, planned: _Planned) -> float:
    """Give the share of steps whose first stand-in is accepted; steps of one tool matched in their order."""
    said: dict[str, list[str | None]] = {}
    for tool, stand_in in zip(planned.tools, planned.stand_ins, strict=True):
        said.setdefault(tool, []).append(stand_in)
    right: list[float] = []
    for step in gold.steps:
        stand_in = said[step.tool].pop(0)
        right.append(float(stand_in in step.fallback_tools if step.fallback_tools else stand_in is None))
    return fmean(right)
