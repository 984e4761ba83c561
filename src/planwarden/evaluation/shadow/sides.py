"""The two sides of a shadow run: planners that are asked, and plans that stand in the journal.

A side gets catalog and policy, which are declarations. It gets no tool, so it can call none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from planwarden.app.shadowing.again import Recall
from planwarden.app.shadowing.said import foreign, said_of
from planwarden.contracts.clock import Clock
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.shadow import ShadowPlan
from planwarden.evaluation.contestants import Plans
from planwarden.evaluation.shadow.task import ShadowTask


class Side(Protocol):
    """One of the two that are compared."""

    @property
    def name(self) -> str:
        """Name it, in a word or two."""
        ...

    @property
    def describes(self) -> str:
        """Say what it is, in a line."""
        ...

    async def plan(self, task: ShadowTask) -> ShadowPlan | None:
        """Give its plan for a task; None where it has none to give and none was to be expected."""
        ...


async def nothing_remembered(_tenant: str, _conversation: str | None) -> Sequence[RememberedPlan]:
    """Remember nothing."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSide:
    """Something that plans: the product's planner, or the router."""

    name: str
    describes: str
    planner: Plans
    clock: Clock
    recall: Recall = nothing_remembered
    max_agents: int = 4
    source: str | None = None
    """What its plans are said to come from, where that is not for the plans themselves to say."""

    async def plan(self, task: ShadowTask) -> ShadowPlan:
        """Plan as the product does; what the same request taught is not remembered, nor is indexing timed."""
        place = task.place
        self.planner.prepare(place.catalog)
        remembered: Sequence[RememberedPlan] = ()
        if task.uses_memory:
            recalled = await self.recall(task.task.tenant, task.task.conversation)
            remembered = foreign(task.request, task.id, recalled)
        began = self.clock.monotonic()
        planning = await self.planner.plan(task.task, place.catalog, place.policy, remembered)
        said = said_of(planning, place, self.clock.monotonic() - began, self.max_agents)
        own = self.source is not None and said.sketch is not None
        return said.model_copy(update={"source": self.source}) if own else said


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSide:
    """The plans that stand in the journal: what was said when the task was real."""

    name: str = "recorded"
    describes: str = "the plans in the journal, as they were made when the tasks were real"
    missing: str = "ended before there was a plan"
    """Why a task is left out for which it has none."""

    async def plan(self, task: ShadowTask) -> ShadowPlan | None:
        """Give the plan on record."""
        return task.recorded
