"""Measures how sure plans by the prior alone are, and stores what ships for it.

python scripts/prior_confidence.py ../shared/data/plans-dev

Plans of the public tasks, of the worlds, and of the labelled tasks over our own catalog that are not held out, each by a
ranker that is fitted as the one that ships and never saw it. Ten minutes. To be made anew with every new ranker.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.planner.splits import folds, without_groups  # noqa: E402 - needs the path

from planwarden.app.calibration import basis_in_force  # noqa: E402
from planwarden.contracts.calibration import IsotonicMap, PriorConfidence  # noqa: E402
from planwarden.contracts.memory import RememberedPlan  # noqa: E402
from planwarden.contracts.value import digest  # noqa: E402
from planwarden.evaluation.calibration.calibrate import planned_alone  # noqa: E402
from planwarden.evaluation.calibration.collecting import Asked  # noqa: E402
from planwarden.evaluation.calibration.confidence_map import HeldOutPlan, fit_confidence  # noqa: E402
from planwarden.evaluation.calibration.tasks import CalibrationTask, of_offered, of_own  # noqa: E402
from planwarden.evaluation.labelled import labelled, labelled_own  # noqa: E402
from planwarden.evaluation.own_benchmark import shipped_world  # noqa: E402
from planwarden.evaluation.own_tasks import shipped_own_tasks  # noqa: E402
from planwarden.evaluation.plan_tasks import PlanTask, read_plan_tasks  # noqa: E402
from planwarden.evaluation.remembered import normal, remembered_plans, without_itself  # noqa: E402
from planwarden.evaluation.worlds import world_tasks  # noqa: E402
from planwarden.planning.attempt import PlannerSettings, bounds_of, shown_to_model  # noqa: E402
from planwarden.planning.considered import Considered  # noqa: E402
from planwarden.planning.learning.fit import fit_ranker  # noqa: E402
from planwarden.planning.learning.tasks import LabelledTask  # noqa: E402
from planwarden.planning.prior import PriorRequest  # noqa: E402
from planwarden.planning.ranking.encoder import SentenceEncoder  # noqa: E402
from planwarden.planning.ranking.learned_prior import LearnedPrior  # noqa: E402

OUT = ROOT / "src" / "planwarden" / "configuration" / "prior_confidence.json"
UNLICENSED = "ultratool"
"""Names no licence: it may be remembered and measured on, nothing that ships is fitted on it."""
GROUPS = 4
"""Of the worlds; each group is planned by a ranker that never saw a task over these tools."""
FITTED_IN = 5
"""Folds by which the map itself is measured."""


def plans(data: Path) -> Iterator[HeldOutPlan]:
    """Plan everything once."""
    encoder = SentenceEncoder()
    public, worlds = read_plan_tasks(sorted(data.glob("*.jsonl"))), world_tasks()
    own = [task for task in shipped_own_tasks() if task.split == "train"]
    with tempfile.TemporaryDirectory() as state:
        world = shipped_world(Path(state))
    ours = {each.id: each for each in labelled_own(own, world.catalog)}
    splits = folds(public)
    for place, split in enumerate(splits):
        judged = [task for task in own if _fold(task.request, len(splits)) == place]
        held = {task.id for task in judged}
        known = [*_labelled((*split.known, *worlds)), *(each for each in ours.values() if each.id not in held)]
        prior = LearnedPrior(weights=fit_ranker(known, encoder), encoder=encoder)
        yield from _planned(prior, [of_offered(each) for each in split.judged], remembered_plans(split.known))
        yield from _planned(prior, [of_own(each, world.catalog, world.policy) for each in judged], ())
        print(f"{split.name} is planned", flush=True)
    for split in without_groups(worlds, public, GROUPS):
        prior = LearnedPrior(
            weights=fit_ranker([*_labelled(split.known), *ours.values()], encoder), encoder=encoder
        )
        yield from _planned(prior, [of_offered(each) for each in split.judged], remembered_plans(split.known))
        print(f"{split.name}: planned", flush=True)


def _fold(request: str, count: int) -> int:
    """Place a request in a fold, whatever its case and spacing."""
    return int(digest(normal(request)).removeprefix("sha256:")[:8], 16) % count


def _labelled(known: Sequence[PlanTask]) -> list[LabelledTask]:
    return [labelled(task) for task in known if task.source != UNLICENSED]


def _planned(
    prior: LearnedPrior, tasks: Sequence[CalibrationTask], known: Sequence[RememberedPlan]
) -> Iterator[HeldOutPlan]:
    settings = PlannerSettings()
    for task in tasks:
        found = prior.prior(
            PriorRequest(
                text=task.request,
                catalog=task.catalog,
                policy=task.policy,
                remembered=without_itself(task, known),
            )
        )
        bounds = bounds_of(task.catalog, task.policy, settings.max_agents)
        shown = shown_to_model(found, task.catalog, bounds, settings)
        considered = Considered(prior=found, evidence=None, bounds=bounds, offer=shown.offer)
        yield planned_alone(Asked(task=task, considered=considered), _fold(task.request, FITTED_IN))


def main(data: Path) -> None:
    """Measure and store."""
    found = list(plans(data))
    fit = fit_confidence(found)
    measured = fit.plans
    figures = {"exact": measured.right, "ece": measured.ece.mean, "ece_by_chance": measured.ece_by_chance}
    if measured.auroc is not None:
        figures["auroc"] = measured.auroc.mean
    made = PriorConfidence(
        prior_version=basis_in_force().prior_version,
        tasks=len(found),
        at=datetime.now(UTC).date().isoformat(),
        planwarden_version=version("planwarden"),
        step_confidence=IsotonicMap(points=fit.step_points),
        signal_weights=fit.signal_weights,
        confidence=IsotonicMap(points=fit.plan_points),
        figures={name: round(value, 4) for name, value in figures.items()},
    )
    OUT.write_text(made.model_dump_json(indent=1) + "\n", "utf-8")
    print(f"{OUT}: {made.tasks} tasks, {made.figures}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
