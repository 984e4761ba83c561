"""Which tasks may be remembered and learned from when which are judged. Pure.

Every split is disjoint: no task, and no task with the same request, is on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planwarden.contracts.value import digest
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.evaluation.remembered import normal

FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What is judged, and what may be known when it is."""

    name: str
    known: tuple[PlanTask, ...]
    """May be remembered, and learned from."""
    judged: tuple[PlanTask, ...]


def folds(tasks: Sequence[PlanTask], count: int = FOLDS) -> tuple[Split, ...]:
    """Divide tasks into folds, each source evenly; each fold is judged with the others known.

    Tasks with the same request go into the same fold. Within a source the order is that of a digest of the
    request, so that neighbours in a file, which are often alike, are not kept together.
    """
    placed = _fold_of(tasks, count)
    return tuple(
        Split(
            name=f"fold {fold + 1}",
            known=tuple(task for task in tasks if placed[request_key(task)] != fold),
            judged=tuple(task for task in tasks if placed[request_key(task)] == fold),
        )
        for fold in range(count)
    )


def without_each_source(tasks: Sequence[PlanTask]) -> tuple[Split, ...]:
    """Judge each source with only the other sources known."""
    splits: list[Split] = []
    for source in dict.fromkeys(task.source for task in tasks):
        judged = tuple(task for task in tasks if task.source == source)
        own = {request_key(task) for task in judged}
        known = tuple(task for task in tasks if task.source != source and request_key(task) not in own)
        splits.append(Split(name=f"without {source}", known=known, judged=judged))
    return tuple(splits)


def without_groups(
    tasks: Sequence[PlanTask], also_known: Sequence[PlanTask], count: int
) -> tuple[Split, ...]:
    """Judge sources in groups, each with only the other groups' tasks, and some others, known.

    Args:
        tasks: to be judged; sources go to the groups in turn.
        also_known: known to all, but for those with a request that is judged.
        count: of groups.
    """
    sources = list(dict.fromkeys(task.source for task in tasks))
    splits: list[Split] = []
    for group in range(min(count, len(sources))):
        own = set(sources[group::count])
        judged = tuple(task for task in tasks if task.source in own)
        keys = {request_key(task) for task in judged}
        others = (*(task for task in tasks if task.source not in own), *also_known)
        known = tuple(task for task in others if request_key(task) not in keys)
        splits.append(Split(name=f"without {', '.join(sorted(own))}", known=known, judged=judged))
    return tuple(splits)


def request_key(task: PlanTask) -> str:
    """Name a request by its words, whatever their case and spacing."""
    return normal(task.request)


def _fold_of(tasks: Sequence[PlanTask], count: int) -> dict[str, int]:
    placed: dict[str, int] = {}
    for source in dict.fromkeys(task.source for task in tasks):
        own = {request_key(task) for task in tasks if task.source == source}
        fresh = sorted((key for key in own if key not in placed), key=digest)
        placed.update({key: position % count for position, key in enumerate(fresh)})
    return placed
