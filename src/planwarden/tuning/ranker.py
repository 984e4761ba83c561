"""`planwarden tune ranker`: fit the ranker, measure it on held-out tasks, keep it if it is better."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planwarden.errors import DataRejected
from planwarden.evaluation.intervals import Estimate, estimate
from planwarden.evaluation.labelled import labelled
from planwarden.evaluation.plan_scores import multiset_f1
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.planning.learning.fit import fit_ranker
from planwarden.planning.learning.tasks import LabelledTask, lessons_of
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.heard import hear
from planwarden.planning.ranking.lessons import LessonBook, own_lessons
from planwarden.planning.ranking.ranker import chosen_rows, rank
from planwarden.planning.ranking.tool_index import ToolIndex
from planwarden.planning.ranking.weights import SHIPPED, RankerWeights, read_weights
from planwarden.tuning.held_out import is_held_out

LEAST_TASKS = 40
"""Fewer teach nothing that could be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedRanker:
    """What fitting came to."""

    tasks: int
    held_out: int
    before: Estimate | None
    """Node-F1 of the weights in force on the held-out tasks; None where there are none to compare with."""
    after: Estimate
    """The same, of weights fitted without them."""
    gain: Estimate | None
    """Task by task."""
    digest: str
    written: Path | None
    """None: not better beyond doubt, so nothing was written."""
    unreadable: str = ""
    """Why the weights in force were not compared with but those that ship, if there are any."""


def tune_ranker(
    tasks: Sequence[PlanTask],
    shipped: Sequence[LabelledTask],
    path: Path,
    in_force: Path | None,
    *,
    always: bool,
    tell: Callable[[str], None],
) -> TunedRanker:
    """Fit on four fifths and measure on the rest, then fit on everything and write it. Blocks for minutes.

    Args:
        tasks: with gold plans.
        shipped: labelled tasks that ship, as far as they are to be learned from too.
        path: where the weights go.
        in_force: weights to compare with; None for none.
        always: write them even if they are not better.
        tell: is told what is being done.

    Raises:
        DataRejected: too few tasks, or the file cannot be written.
    """
    known = (*(labelled(task) for task in tasks), *shipped)
    kept = [task for task in known if not is_held_out(task.id)]
    judged = [task for task in known if is_held_out(task.id) and task.steps]
    planned = sum(bool(task.steps) for task in known)
    if planned < LEAST_TASKS or not judged:
        raise DataRejected(
            f"{planned} tasks with a plan, {len(judged)} of them held out, are too few to fit a ranker on.",
            remedy=f"Give files with {LEAST_TASKS} tasks at least, or add --own-tasks.",
        )
    encoder = SentenceEncoder()
    compared, unreadable = _compared(in_force)
    trial = fit_ranker(kept, encoder, progress=tell)
    after = _scores(judged, kept, trial, encoder)
    before = _scores(judged, kept, compared, encoder) if compared else None
    gain = None if before is None else estimate([b - a for a, b in zip(before, after, strict=True)])
    better = always or gain is None or gain.low > 0
    digest, written = trial.digest, None
    if better:
        weights = fit_ranker(known, encoder, progress=tell)
        digest, written = weights.digest, path
        _write(weights, path)
    return TunedRanker(
        tasks=len(known),
        held_out=len(judged),
        before=None if before is None else estimate(before),
        after=estimate(after),
        gain=gain,
        digest=digest,
        written=written,
        unreadable=unreadable,
    )


def _compared(in_force: Path | None) -> tuple[RankerWeights | None, str]:
    """Read what to compare with; where that cannot be read, what ships, and why: fitting is the remedy."""
    try:
        return (read_weights(in_force) if in_force else None), ""
    except DataRejected as error:
        return (read_weights(SHIPPED) if SHIPPED.is_file() and in_force != SHIPPED else None), error.message


def _scores(
    judged: Sequence[LabelledTask],
    kept: Sequence[LabelledTask],
    weights: RankerWeights,
    encoder: SentenceEncoder,
) -> list[float]:
    """Give the node-F1 of the ranker's own plan for each task, with the others' plans remembered."""
    book = LessonBook.of(lessons_of(kept), encoder, weights.lexicon)
    scores: list[float] = []
    for task in judged:
        own = [lesson for tool in task.tools for lesson in own_lessons(tool)]
        near = LessonBook.of([*book.lessons, *own], encoder, weights.lexicon) if own else book
        heard = hear(task.request, encoder, weights.lexicon)
        ranking = rank(heard, ToolIndex.build(task.tools, encoder, weights.lexicon), near, weights)
        plan = [ranking.names[row] for row in chosen_rows(ranking.probability, ranking.repeats)]
        scores.append(multiset_f1(plan, task.steps))
    return scores


def _write(weights: RankerWeights, path: Path) -> None:
    """Put the file in place whole or not at all."""
    beside = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **weights.arrays())
        beside.replace(path)
    except OSError as error:
        raise DataRejected(
            f"{path} cannot be written: {error.strerror}.", remedy="Name another file with --out."
        ) from error
