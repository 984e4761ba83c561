"""A task of a shadow run: what is planned, over which catalog, and what is known of the right plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from planwarden.app.shadowing.said import Place
from planwarden.contracts.shadow import PlanSketch, ShadowPlan
from planwarden.contracts.task import Task
from planwarden.evaluation.calibration.tasks import CalibrationTask, Wanted, judge

Evidence = Literal["gold", "person", "ran"]
"""`gold`: labelled by hand; `person`: a person wrote, edited or approved the plan of a run, and the run
completed with adherence 1; `ran`: it completed so and no person looked at the plan."""
COUNTED: tuple[Evidence, ...] = ("gold", "person")
"""What the verdict rests on. That a plan ran through says little of whether it was right, and favours
whoever made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowTask:
    """A task that is planned and not carried out."""

    id: str
    source: str
    """Which file or set it comes from; `journal` for a run."""
    task: Task
    place: Place
    wanted: tuple[Wanted, ...] = ()
    """Plans that count as right, the first choice first; empty where none is known."""
    evidence: Evidence | None = None
    """How that is known."""
    fitted: bool = False
    """Whether planner or router were fitted on it."""
    recorded: ShadowPlan | None = None
    """What the run's own planner had said, where it is a run."""
    uses_memory: bool = True
    """Whether what the tenant remembers may be used; labelled tasks are planned without."""

    @property
    def request(self) -> str:
        """Give what it asks."""
        return self.task.prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Rightness:
    """How right a plan is, each within 0 to 1."""

    right: float
    """The tools, each as often as it has to be, in the right partial order; or the right way out."""
    tools_f1: float
    agents: float | None
    """The agents are right, each as often; None where any agent is."""


RIGHT_MEASURES: tuple[str, ...] = tuple(Rightness.__dataclass_fields__)


def rightness(task: ShadowTask, sketch: PlanSketch | None) -> Rightness | None:
    """Judge a plan by the right one that it is nearest to; None where no right one is known."""
    if not task.wanted:
        return None
    agents = [each for each in task.wanted if each.agents or each.way_out is not None]
    if sketch is None:
        return Rightness(right=0.0, tools_f1=0.0, agents=0.0 if agents else None)
    said = wanted_of(sketch)
    place = CalibrationTask(
        id=task.id,
        source=task.source,
        request=task.request,
        catalog=task.place.catalog,
        policy=task.place.policy,
        wanted=task.wanted,
    )
    verdict = judge(place, said)
    same = any(Counter(said.agents) == Counter(each.agents) for each in agents)
    return Rightness(
        right=float(verdict.exact), tools_f1=verdict.node_f1, agents=float(same) if agents else None
    )


def wanted_of(sketch: PlanSketch) -> Wanted:
    """Write a plan as one that could count as right."""
    ways = {"answer_without_tools": "none", "ask_user": "ask"}
    way_out = ways.get(sketch.way_out or "")
    return Wanted(
        tools=sketch.tools,
        agents=sketch.agents,
        edges=sketch.edges,
        way_out="none" if way_out == "none" else "ask" if way_out == "ask" else None,
    )
