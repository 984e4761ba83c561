"""`planwarden tune planner`: from tasks to an adapter that is installed only where it plans better."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from planwarden.app import Planwarden
from planwarden.app.assembly import make_planner
from planwarden.app.models import ModelShelf
from planwarden.configuration.settings import Settings
from planwarden.errors import DataRejected, ModelFileRejected
from planwarden.evaluation.contestants import PlannerContestant
from planwarden.evaluation.own_benchmark import shipped_world
from planwarden.evaluation.own_tasks import shipped_own_tasks
from planwarden.evaluation.plan_benchmark import Judged, run_benchmark
from planwarden.evaluation.plan_tasks import PlanTask, read_plan_tasks
from planwarden.llm.embedded import model_file
from planwarden.llm.embedded.adapter import INSTALLED, Adapter, automatic, own
from planwarden.tuning.adapter_file import modelfile, write_adapter
from planwarden.tuning.beginning import Beginning, Continued, beginning
from planwarden.tuning.card import data_card
from planwarden.tuning.held_out import parted
from planwarden.tuning.judging import Tuned, check_enough, judge, mean_seconds
from planwarden.tuning.lessons import Lesson, lessons_of, own_lessons, task_of
from planwarden.tuning.libraries import check_libraries
from planwarden.tuning.training import Recipe, Step, train
from planwarden.tuning.weights import OpenWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to tune on, how, and where to."""

    files: tuple[Path, ...]
    from_journal: str | None
    """The tenant whose remembered plans are tasks too."""
    own: bool
    """Also train on the labelled tasks over the catalog that ships, those of their split `train`."""
    folder: Path
    recipe: Recipe
    from_scratch: bool = False
    """Begin with no adapter, not with the one in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Who hears how far things are."""

    begins: Callable[[Beginning], None]
    now: Callable[[str], None]
    """What is done from now on, until something else is heard."""
    trained: Callable[[Step], None]
    planned: Callable[[Judged], None]


async def tune_planner(planwarden: Planwarden, order: Order, progress: Progress) -> Tuned:
    """Train an adapter for the embedded planner, compare it with what is in use, install it if it is better.

    Raises:
        DataRejected: the tasks cannot be read, or are too few to judge by.
        SettingsRejected: a library for training is missing.
        ModelFileRejected: the weights are missing, or cannot be tuned here.
    """
    learned, held_out = parted(await _tasks(planwarden, order))
    check_enough(len(held_out))
    lessons = await asyncio.to_thread(lessons_of, learned)
    if order.own:
        lessons += await asyncio.to_thread(_shipped_lessons)
    if not lessons:
        raise DataRejected("None of the tasks can be trained on.", remedy="Give tasks with steps.")
    await asyncio.to_thread(check_libraries)
    settings = planwarden.settings
    path = settings.planner_llm.model_file or model_file.find(settings.planwarden_cache / "models")
    if path is None:
        raise ModelFileRejected("There are no weights to tune.", remedy="Run `planwarden models fetch`.")
    weights = await asyncio.to_thread(OpenWeights, path)
    adapter = await asyncio.to_thread(_folder, order.folder) / INSTALLED
    base = await asyncio.to_thread(model_file.digest_of, path)
    rival = rival_of(settings)
    used = await asyncio.to_thread(_adapter, rival, settings, base)
    start = await asyncio.to_thread(
        beginning,
        used,
        order.recipe.lora,
        from_scratch=order.from_scratch,
        off=settings.planner_llm.adapter == "none",
    )
    progress.begins(start)
    progress.now("planning held-out tasks as things are")
    before = await _plan(planwarden, held_out, rival, progress)
    matrices = start.matrices if isinstance(start, Continued) else None
    progress.now("training: drawing examples")
    model = await asyncio.to_thread(train, lessons, weights, order.recipe, progress.trained, matrices)
    await asyncio.to_thread(write_adapter, model, adapter, base=base, name="planwarden planner")
    progress.now("planning held-out tasks with the new adapter")
    after = await _plan(planwarden, held_out, adapter, progress)
    verdict = judge(before, after)
    tuned = Tuned(
        adapter=adapter,
        begun_with=start.digest if isinstance(start, Continued) else None,
        began=start.said,
        trained_on=len(lessons),
        held_out=len(held_out),
        verdict=verdict,
        seconds_before=mean_seconds(before),
        seconds_after=mean_seconds(after),
        installed=settings.adapter_folder / INSTALLED if verdict.better else None,
    )
    (order.folder / "Modelfile").write_text(modelfile(path, adapter), "utf-8")
    (order.folder / "README.md").write_text(data_card(tuned, learned, order.recipe, base), "utf-8")
    if tuned.installed is not None:
        await asyncio.to_thread(_install, adapter, tuned.installed)
    return tuned


async def _tasks(planwarden: Planwarden, order: Order) -> tuple[PlanTask, ...]:
    tasks = read_plan_tasks(order.files) if order.files else ()
    if order.from_journal is None:
        return tasks
    world = await planwarden.world()
    plans = await planwarden.memory.recall(order.from_journal, None)
    own = (task_of(plan, world.catalog) for plan in plans)
    return (*tasks, *(task for task in own if task is not None))


def _shipped_lessons() -> tuple[Lesson, ...]:
    with TemporaryDirectory() as state:
        catalog = shipped_world(Path(state)).catalog
    return own_lessons((task for task in shipped_own_tasks() if task.split == "train"), catalog)


def rival_of(settings: Settings) -> Literal["auto"] | Path:
    """Say what a tuned adapter has to beat: what it would take the place of, also where that is off now."""
    chosen = settings.planner_llm.adapter
    return chosen if isinstance(chosen, Path) else "auto"


def _adapter(chosen: Literal["auto"] | Path, settings: Settings, base: str) -> Adapter | None:
    return automatic(settings.adapter_folder, base) if chosen == "auto" else own(chosen, base)


async def _plan(
    planwarden: Planwarden, tasks: Sequence[PlanTask], adapter: str | Path, progress: Progress
) -> tuple[Judged, ...]:
    """Have the embedded model alone plan tasks, constrained to the notation, with an adapter."""
    settings = _with_adapter(planwarden.settings, adapter)
    shelf = ModelShelf(settings, planwarden.clock, planwarden.ids, planwarden.tracing)
    llm = await shelf.model("planner")
    planner = make_planner(settings.planner_llm, llm)
    try:
        contestant = PlannerContestant(planner=planner, clock=planwarden.clock)
        return await run_benchmark(tasks, contestant, progress.planned)
    finally:
        planner.close()
        await llm.aclose()


def _with_adapter(settings: Settings, adapter: str | Path) -> Settings:
    chosen = settings.planner_llm.model_copy(
        update={"provider": "embedded", "mode": "model", "adapter": adapter, "circuit_failures": 0}
    )
    return settings.model_copy(update={"planner_llm": chosen})


def _folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataRejected(
            f"{folder} cannot be made: {error.strerror}.", remedy="Name a folder with --out."
        ) from error
    return folder


def _install(adapter: Path, place: Path) -> None:
    """Put the adapter in its place in one piece."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}")
    shutil.copyfile(adapter, draft)
    draft.replace(place)
