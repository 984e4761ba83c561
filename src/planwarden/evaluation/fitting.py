"""A ranker fitted on tasks with gold plans, and on the labelled ones that ship."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from planwarden.evaluation.labelled import labelled, labelled_own
from planwarden.evaluation.own_benchmark import shipped_world
from planwarden.evaluation.own_tasks import shipped_own_tasks
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.evaluation.worlds import world_tasks
from planwarden.planning.learning.fit import fit_ranker
from planwarden.planning.learning.tasks import LabelledTask
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.learned_prior import LearnedPrior


def fitted_prior(tasks: Sequence[PlanTask], tell: Callable[[str], None]) -> LearnedPrior:
    """Fit a ranker and give priors from it. Blocks for minutes."""
    encoder = SentenceEncoder()
    weights = fit_ranker([*(labelled(task) for task in tasks), *shipped_labelled()], encoder, progress=tell)
    return LearnedPrior(weights=weights, encoder=encoder)


def shipped_labelled() -> tuple[LabelledTask, ...]:
    """Give the labelled tasks that ship to be learned from: over our catalog, and the worlds'. Blocks."""
    with tempfile.TemporaryDirectory(prefix="planwarden-fit-") as state:
        catalog = shipped_world(Path(state)).catalog
    own = labelled_own((task for task in shipped_own_tasks() if task.split == "train"), catalog)
    return (*own, *(labelled(task) for task in world_tasks()))
