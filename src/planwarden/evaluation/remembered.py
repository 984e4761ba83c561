"""Plan tasks as remembered plans: what a planner may know when it is measured on others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from planwarden.contracts.conversation import shortened
from planwarden.contracts.memory import MAX_REQUEST_CHARS, RememberedPlan, RememberedStep
from planwarden.contracts.plan import MAX_STEPS
from planwarden.contracts.value import digest
from planwarden.evaluation.offered import catalog_name
from planwarden.evaluation.plan_tasks import PlanTask

TENANT = "default"
"""Whose tasks name none."""


class Asks(Protocol):
    """A task, as far as it matters whether it is the same as another."""

    @property
    def id(self) -> str:
        """Name it."""
        ...

    @property
    def request(self) -> str:
        """Give what it asks."""
        ...


def remembered_plans(tasks: Iterable[PlanTask]) -> tuple[RememberedPlan, ...]:
    """Give the gold plans of tasks as plans that worked; one that is no plan of the product is left out.

    That is: without steps, with more than the product allows, or with links that go back.
    """
    return tuple(made for task in tasks if (made := _remembered(task)) is not None)


def without_itself(task: Asks, remembered: Sequence[RememberedPlan]) -> tuple[RememberedPlan, ...]:
    """Leave out a task's own answer: the same id, or the same request in any case and spacing."""
    own, request = memory_id(task), normal(shortened(task.request, MAX_REQUEST_CHARS))
    return tuple(each for each in remembered if each.id != own and normal(each.request) != request)


def foreign(known: Sequence[PlanTask], planned: Sequence[PlanTask]) -> tuple[PlanTask, ...]:
    """Leave out of what is known the tasks that are planned: none has the id or the request of one."""
    ids = {task.id for task in planned}
    requests = {normal(task.request) for task in planned}
    return tuple(task for task in known if task.id not in ids and normal(task.request) not in requests)


def memory_id(task: Asks) -> str:
    """Name what is remembered of a task by the task's id."""
    return "f" + digest(task.id).removeprefix("sha256:")[:24]


def normal(request: str) -> str:
    """Give a request without regard to case and spacing."""
    return " ".join(request.casefold().split())


def _remembered(task: PlanTask) -> RememberedPlan | None:
    gold = task.gold
    if not 0 < len(gold.steps) <= MAX_STEPS or any(a >= b for a, b in gold.edges):
        return None
    return RememberedPlan(
        id=memory_id(task),
        tenant=TENANT,
        request=shortened(task.request, MAX_REQUEST_CHARS),
        steps=tuple(
            RememberedStep(
                agent=None,
                tools=(catalog_name(step.tool),),
                depends_on=tuple(sorted({before for before, after in gold.edges if after == place})),
            )
            for place, step in enumerate(gold.steps)
        ),
        origin="file",
    )
