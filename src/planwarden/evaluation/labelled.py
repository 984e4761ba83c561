"""Tasks with gold plans as the ranker learns from them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from planwarden.catalog.catalog import Catalog
from planwarden.evaluation.offered import catalog_of
from planwarden.evaluation.own_tasks import OwnTask
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.planning.learning.tasks import LabelledTask

ENOUGH_TO_LEARN = 100
"""From so many tasks on, a ranker fitted on them is worth more than the one that ships."""


def labelled(task: PlanTask) -> LabelledTask:
    """Give a task as the ranker learns from it, under the names that its catalog gives its tools."""
    catalog, names = catalog_of(task)
    own = {offered: name for name, offered in reversed(list(names.items()))}
    return LabelledTask(
        id=task.id,
        source=task.source,
        request=task.request,
        tools=tuple(catalog.tools.values()),
        steps=tuple(own.get(step.tool, step.tool) for step in task.gold.steps),
        links=task.gold.edges,
    )


def labelled_own(tasks: Iterable[OwnTask], catalog: Catalog) -> tuple[LabelledTask, ...]:
    """Give the English ones of the labelled tasks over the catalog that ships; the ranker reads no others.

    Where a question back is right nothing is said of the tools, so such tasks are left out.
    """
    return tuple(
        LabelledTask(
            id=task.id,
            source=task.source,
            request=task.request,
            tools=tuple(catalog.tools.values()),
            steps=task.gold.tools,
            links=task.gold.edges,
        )
        for task in tasks
        if task.language == "en" and task.gold.way_out != "ask_user"
    )
