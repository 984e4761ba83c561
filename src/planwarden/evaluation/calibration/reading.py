"""Reading tasks to calibrate on: those that ship, or files in either format that `planwarden eval` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.errors import DataRejected
from planwarden.evaluation.calibration.tasks import CalibrationTask, of_offered, of_own
from planwarden.evaluation.own_tasks import read_own_tasks, shipped_own_tasks
from planwarden.evaluation.plan_tasks import read_plan_tasks


def shipped_tasks(world: AssembledCatalog) -> tuple[CalibrationTask, ...]:
    """Give the labelled tasks over the shipped catalog, without the third that nothing is fitted on."""
    return tuple(
        of_own(task, world.catalog, world.policy) for task in shipped_own_tasks() if task.split == "train"
    )


def read_tasks(paths: Sequence[Path], world: AssembledCatalog) -> tuple[CalibrationTask, ...]:
    """Read tasks from files: each brings its own tools, or is over the shipped catalog. Blocks.

    Raises:
        DataRejected: a file cannot be read, a line is no task, or an id occurs twice.
    """
    tasks = [task for path in paths for task in _read(path, world)]
    seen: set[str] = set()
    for task in tasks:
        if task.id in seen:
            raise DataRejected(
                f"The task id {task.id!r} occurs twice.", remedy="Give each task an id of its own."
            )
        seen.add(task.id)
    return tuple(tasks)


def _read(path: Path, world: AssembledCatalog) -> list[CalibrationTask]:
    if _brings_tools(path):
        return [of_offered(task) for task in read_plan_tasks([path])]
    return [of_own(task, world.catalog, world.policy) for task in read_own_tasks(path)]


def _brings_tools(path: Path) -> bool:
    """Look at the first line; what cannot be understood is left to the reader, which says so best."""
    try:
        with path.open(encoding="utf-8") as file:
            first: Any = json.loads(next((line for line in file if line.strip()), "{}"))
    except (OSError, ValueError):
        return True
    return not isinstance(first, dict) or "split" not in cast("dict[str, Any]", first)


def evenly(tasks: Sequence[CalibrationTask], limit: int) -> tuple[CalibrationTask, ...]:
    """Give at most `limit` tasks, as evenly from each source as they allow, in their order. Pure.

    Of one source they are spread over all of it: files are often sorted by kind.
    """
    by_source: dict[str, list[CalibrationTask]] = {}
    for task in tasks:
        by_source.setdefault(task.source, []).append(task)
    spread = [_spread(own, min(limit, len(own))) for own in by_source.values()]
    turns = [task for row in zip_longest(*spread) for task in row if task is not None]
    kept = {task.id for task in turns[:limit]}
    return tuple(task for task in tasks if task.id in kept)


def _spread(tasks: Sequence[CalibrationTask], count: int) -> list[CalibrationTask]:
    """Give `count` of the tasks in an order of which every beginning is spread over all of them."""
    places = sorted(range(len(tasks)), key=lambda place: (place * 0.6180339887498949) % 1.0)
    return [tasks[place] for place in places[:count]]
