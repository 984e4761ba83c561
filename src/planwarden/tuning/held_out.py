"""Which tasks are never trained on. Pure.

The rule looks at the id alone, so that training, calibration and every later measurement agree on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from planwarden.evaluation.plan_tasks import PlanTask

ONE_IN = 5


def is_held_out(task_id: str) -> bool:
    """Say whether a task is one of the fifth that is held out."""
    return int(sha256(task_id.encode()).hexdigest(), 16) % ONE_IN == 0


def parted(tasks: Sequence[PlanTask]) -> tuple[tuple[PlanTask, ...], tuple[PlanTask, ...]]:
    """Part tasks into those to train on and those held out, each in their order."""
    held = [is_held_out(task.id) for task in tasks]
    return (
        tuple(task for task, out in zip(tasks, held, strict=True) if not out),
        tuple(task for task, out in zip(tasks, held, strict=True) if out),
    )
