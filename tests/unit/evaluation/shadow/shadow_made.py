"""Plans and tasks for tests of shadow runs, short to write."""

from __future__ import annotations

from planwarden.app.shadowing.said import Place
from planwarden.catalog.catalog import Catalog
from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import WayOut
from planwarden.contracts.shadow import PlanSketch, ShadowPlan, SketchStep
from planwarden.contracts.task import Task
from planwarden.evaluation.calibration.tasks import Wanted
from planwarden.evaluation.shadow.task import Evidence, ShadowTask
from planwarden.policy.rules import ToolPolicy

PLACE = Place(catalog=Catalog(agents={}, tools={}), policy=ToolPolicy())


def sketch(*tools: str, way_out: WayOut | None = None, chained: bool = False) -> PlanSketch:
    """Make a plan; `agent/tool` names the agent, else it is `worker`."""
    steps: list[SketchStep] = []
    for place, named in enumerate(tools):
        agent, _, tool = named.rpartition("/")
        after = (place - 1,) if chained and place else ()
        steps.append(SketchStep(agent=agent or "worker", tools=(tool,), depends_on=after))
    if way_out:
        steps.append(SketchStep(agent="general_agent"))
    return PlanSketch(steps=tuple(steps), handoff="sequential", way_out=way_out)


def said(plan: PlanSketch | None, *, seconds: float = 1.0, tokens: tuple[int, int] = (0, 0)) -> ShadowPlan:
    """Say it, at a cost."""
    usage = ModelUsage(prompt_tokens=tokens[0], output_tokens=tokens[1])
    return ShadowPlan(sketch=plan, source="planner" if plan else "none", seconds=seconds, usage=usage)


def task(name: str, *right: str, evidence: Evidence | None = "gold", fitted: bool = False) -> ShadowTask:
    """Make a task; the tools that are right, none for one of which nothing is known."""
    wanted = (Wanted(tools=right, agents=("worker",) * len(right)),) if right else ()
    return ShadowTask(
        id=name,
        source="made",
        task=Task(prompt=f"Do {name}"),
        place=PLACE,
        wanted=wanted,
        evidence=evidence if right else None,
        fitted=fitted,
    )
