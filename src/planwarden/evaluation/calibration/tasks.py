"""Tasks to calibrate on, whatever their file: a request over a catalog, and the plans that count as right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.value import digest
from planwarden.evaluation.offered import OFFERED_POLICY, catalog_of
from planwarden.evaluation.own_tasks import OwnGold, OwnTask
from planwarden.evaluation.plan_scores import multiset_f1, same_order
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, PlanTask, Prediction
from planwarden.policy.rules import ToolPolicy

WayOut = Literal["none", "ask"]
"""As the notation has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A plan that counts as right: tools with the links between them, or a way out."""

    tools: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    """Of the tools; none where any agent is right."""
    edges: tuple[tuple[int, int], ...] = ()
    """Pairs of 0-based places: the second uses the first's result."""
    way_out: WayOut | None = None

    @property
    def links(self) -> frozenset[tuple[str, str]]:
        """Give the links by the names of their tools."""
        return frozenset((self.tools[a], self.tools[b]) for a, b in self.edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationTask:
    """A request, what it may be planned with, and what is right."""

    id: str
    source: str
    request: str
    catalog: Catalog
    policy: ToolPolicy
    wanted: tuple[Wanted, ...]
    """At least one; the first choice first."""

    def right_tool(self, tool: str) -> bool:
        """Say whether a plan that counts as right has this tool."""
        return any(tool in each.tools for each in self.wanted)

    def right_step(self, tool: str, agent: str) -> bool:
        """Say whether a right plan has this tool, of this agent where that matters."""
        return any(
            (tool, agent) in zip(own.tools, own.agents, strict=True) if own.agents else tool in own.tools
            for own in self.wanted
        )

    def right_link(self, first: str, second: str) -> bool | None:
        """Say whether the second uses the first's result; None where no right plan has both."""
        both = [each for each in self.wanted if {first, second} <= set(each.tools)]
        return any((first, second) in each.links for each in both) if both else None

    def right_way_out(self, way_out: WayOut) -> bool:
        """Say whether this way out is right."""
        return any(each.way_out == way_out for each in self.wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How right a plan is."""

    exact: bool
    """The tools, each as often as it has to be, and their partial order; or the right way out."""
    node_f1: float


def judge(task: CalibrationTask, said: Wanted) -> Verdict:
    """Score a plan against the one it is nearest to. Pure."""
    return Verdict(
        exact=any(_same(said, each) for each in task.wanted),
        node_f1=max(_node_f1(said, each) for each in task.wanted),
    )


def _node_f1(said: Wanted, wanted: Wanted) -> float:
    if (said.way_out is None) != (wanted.way_out is None):
        return 0.0
    return multiset_f1(said.tools, wanted.tools)


def _same(said: Wanted, wanted: Wanted) -> bool:
    if said.way_out != wanted.way_out or Counter(said.tools) != Counter(wanted.tools):
        return False
    prediction = Prediction(id="", steps=_steps(said.tools), edges=said.edges)
    return same_order(prediction, GoldPlan(steps=_steps(wanted.tools), edges=wanted.edges))


def _steps(tools: Sequence[str]) -> tuple[GoldStep, ...]:
    return tuple(GoldStep(tool=tool) for tool in tools)


def of_offered(task: PlanTask) -> CalibrationTask:
    """Take a task that brings its own tools, all in the hands of one agent, as the benchmark does."""
    catalog, names = catalog_of(task)
    own: dict[str, str] = {}
    for name, offered in names.items():
        own.setdefault(offered, name)
    tools = tuple(own.get(step.tool, step.tool) for step in task.gold.steps)
    gold = Wanted(tools=tools, edges=task.gold.edges, way_out=None if tools else "none")
    return CalibrationTask(
        id=task.id,
        source=task.source,
        request=task.request,
        catalog=catalog,
        policy=OFFERED_POLICY,
        wanted=(gold,),
    )


def of_own(task: OwnTask, catalog: Catalog, policy: ToolPolicy) -> CalibrationTask:
    """Take a labelled task over the catalog that ships."""
    return CalibrationTask(
        id=task.id,
        source=task.source,
        request=task.request,
        catalog=catalog,
        policy=policy,
        wanted=tuple(map(_wanted, task.golds)),
    )


_WAYS_OUT: Mapping[str, WayOut] = {"answer_without_tools": "none", "ask_user": "ask"}


def _wanted(gold: OwnGold) -> Wanted:
    way_out = _WAYS_OUT[gold.way_out] if gold.way_out else None
    return Wanted(
        tools=gold.tools,
        agents=tuple(step.agent for step in gold.steps),
        edges=gold.edges,
        way_out=way_out,
    )


def tasks_digest(tasks: Sequence[CalibrationTask]) -> str:
    """Name tasks by what they ask and what is right."""
    return digest(
        [
            {
                "id": each.id,
                "request": each.request,
                "wanted": [[*map(list, own.edges)] for own in each.wanted],
            }
            | {"tools": [[*own.tools] for own in each.wanted]}
            for each in tasks
        ]
    )
