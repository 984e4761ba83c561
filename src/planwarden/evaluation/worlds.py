"""Labelled tasks over made-up catalogs ("worlds"), as people ask; docs/reference/own-tasks.md speaks of them.

Each world in `tasks/worlds/` is a catalog with the requests that it serves, so that the ranker learns what
plans over the same tools are worth. To know how plans fare over tools that nobody planned over before, whole
worlds have to be left out of fitting and memory; the benchmark does so.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Self

from pydantic import Field, model_validator

from planwarden.contracts.value import Contract
from planwarden.evaluation.plan_tasks import Edge, GoldPlan, GoldStep, OfferedTool, PlanTask


class WorldTask(Contract):
    """One request over a world's tools, and the plan that counts as right; without steps: nothing fits."""

    request: Annotated[str, Field(min_length=1)]
    steps: tuple[str, ...]
    edges: tuple[Edge, ...]


class World(Contract):
    """A catalog and what is asked of it."""

    name: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    about: str
    """Whose tools these are."""
    tools: Annotated[tuple[OfferedTool, ...], Field(min_length=2)]
    tasks: Annotated[tuple[WorldTask, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _plans_its_own_tools(self) -> Self:
        known = {tool.name for tool in self.tools}
        for task in self.tasks:
            if not known.issuperset(task.steps):
                msg = f"{task.request!r}: a step is no tool of {self.name}"
                raise ValueError(msg)
            if any(not first < second < len(task.steps) for first, second in task.edges):
                msg = f"{task.request!r}: a link does not lead to a later step"
                raise ValueError(msg)
        return self

    def plan_tasks(self) -> tuple[PlanTask, ...]:
        """Give its tasks as a plan benchmark has them."""
        return tuple(
            PlanTask(
                id=f"{self.name}-{number}",
                source=self.name,
                request=task.request,
                tools=self.tools,
                gold=GoldPlan(
                    steps=tuple(GoldStep(tool=tool) for tool in task.steps),
                    edges=task.edges,
                    kind="dag" if task.edges else "parallel",
                ),
            )
            for number, task in enumerate(self.tasks, start=1)
        )


def shipped_worlds() -> tuple[World, ...]:
    """Read the worlds that ship, by name."""
    folder = files("planwarden.evaluation") / "tasks" / "worlds"
    found = (place for place in folder.iterdir() if place.name.endswith(".json"))
    worlds = (World.model_validate_json(place.read_bytes()) for place in found)
    return tuple(sorted(worlds, key=lambda world: world.name))


def world_tasks() -> tuple[PlanTask, ...]:
    """Give the tasks of all worlds that ship."""
    return tuple(task for world in shipped_worlds() for task in world.plan_tasks())
