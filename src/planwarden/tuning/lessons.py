"""What a model is to learn: a request, the tools there are, and the plan that is right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.evaluation.offered import OFFERED_POLICY, catalog_of
from planwarden.evaluation.own_tasks import OwnTask
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, OfferedTool, PlanTask
from planwarden.planning.notation.offer import MAX_ITEMS, MAX_USES
from planwarden.planning.prior import PlanItem, PriorRequest
from planwarden.planning.retrieval_prior import RetrievalPrior


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A request with its right plan."""

    id: str
    request: str
    catalog: Catalog
    agents: Mapping[str, tuple[str, ...]]
    """Tool → agents that may call it."""
    items: tuple[PlanItem, ...]
    """Empty where a way out is right."""
    way_out: Literal["none", "ask"] | None = None
    near: tuple[str, ...] = ()
    """The tools of the catalog that retrieval finds near the request, nearest first."""

    @property
    def tools(self) -> frozenset[str]:
        """Give the tools of the plan."""
        return frozenset(item.tool for item in self.items)


def lessons_of(tasks: Iterable[PlanTask]) -> tuple[Lesson, ...]:
    """Make lessons of tasks with gold plans; one whose plan the notation cannot say is left out."""
    return tuple(made for task in tasks if (made := _lesson(task)) is not None)


def own_lessons(tasks: Iterable[OwnTask], catalog: Catalog) -> tuple[Lesson, ...]:
    """Make lessons of labelled tasks over the catalog that ships."""
    agents = _agents(catalog)
    return tuple(
        Lesson(
            id=task.id,
            request=task.request,
            catalog=catalog,
            agents=agents,
            items=tuple(
                PlanItem(
                    tool=step.tool,
                    agent=step.agent if len(agents[step.tool]) > 1 else None,
                    uses=_uses(task.gold.edges, place),
                )
                for place, step in enumerate(task.gold.steps)
            ),
            way_out=_WAYS.get(task.gold.way_out or ""),
        )
        for task in tasks
    )


def task_of(plan: RememberedPlan, catalog: Catalog) -> PlanTask | None:
    """Make a task of a plan that worked; None where it has no steps, or tools that are not there any more."""
    places: list[range] = []
    steps: list[GoldStep] = []
    edges: list[tuple[int, int]] = []
    for step in plan.steps:
        own = range(len(steps), len(steps) + len(step.tools))
        edges += [(a, b) for before in step.depends_on for a in places[before] for b in own]
        places.append(own)
        steps += [GoldStep(tool=tool) for tool in step.tools]
    if not steps or any(step.tool not in catalog.tools for step in steps):
        return None
    offered = tuple(
        OfferedTool(name=tool.name, description=tool.description, parameters=dict(tool.parameters))
        for tool in catalog.tools.values()
    )
    return PlanTask(
        id=plan.id,
        source="journal",
        request=plan.request,
        tools=offered,
        gold=GoldPlan(steps=tuple(steps), edges=tuple(edges), kind="dag"),
    )


_WAYS: Mapping[str, Literal["none", "ask"]] = {"answer_without_tools": "none", "ask_user": "ask"}


def _lesson(task: PlanTask) -> Lesson | None:
    catalog, names = catalog_of(task)
    spelled = {offered: name for name, offered in names.items()}
    steps, edges = task.gold.steps, task.gold.edges
    if len(steps) > MAX_ITEMS or any(a >= b for a, b in edges):
        return None
    if any(step.tool not in spelled for step in steps):
        return None
    return Lesson(
        id=task.id,
        request=task.request,
        catalog=catalog,
        agents=_agents(catalog),
        items=tuple(
            PlanItem(tool=spelled[step.tool], uses=_uses(edges, place)) for place, step in enumerate(steps)
        ),
        way_out=None if steps else "none",
        near=_near(task.request, catalog),
    )


def _uses(edges: Iterable[tuple[int, int]], place: int) -> tuple[int, ...]:
    """Give the nearest earlier steps that a step uses, as many as the notation can say, from 1."""
    return tuple(sorted({before + 1 for before, after in edges if after == place})[-MAX_USES:])


def _agents(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    return {
        tool: tuple(name for name, agent in catalog.agents.items() if tool in agent.tools)
        or (FALLBACK_AGENT,)
        for tool in catalog.tools
    }


def _near(request: str, catalog: Catalog) -> tuple[str, ...]:
    source = RetrievalPrior()
    try:
        prior = source.prior(PriorRequest(text=request, catalog=catalog, policy=OFFERED_POLICY))
    finally:
        source.close()
    return tuple(tool.name for tool in prior.tools)
