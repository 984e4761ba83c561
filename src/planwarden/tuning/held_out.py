"""Which tasks are never trained on. Pure.

The rule looks at the id alone, so that training, calibration and every later measurement agree on it; what
training sees is without the requests of those that are held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.evaluation.remembered import foreign, normal

ONE_IN = 5


def is_held_out(task_id: str) -> bool:
    """Say whether a task is one of the fifth that is held out."""
    return int(sha256(task_id.encode()).hexdigest(), 16) % ONE_IN == 0


def parted(tasks: Sequence[PlanTask]) -> tuple[tuple[PlanTask, ...], tuple[PlanTask, ...]]:
    """Part tasks into those to train on and those held out, each in their order.

    The same request, in any case and spacing, may stand under several ids: it is held out once at most,
    and not trained on where it is.
    """
    held = [task for task in tasks if is_held_out(task.id)]
    once = tuple({normal(task.request): task for task in reversed(held)}.values())[::-1]
    return foreign([task for task in tasks if not is_held_out(task.id)], once), once
