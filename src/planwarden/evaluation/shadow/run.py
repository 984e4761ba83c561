"""A shadow run from end to end: sides opened, tasks read, planned, put together. Nothing is executed."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from planwarden.app import Planwarden
from planwarden.app.shadowing.other_planner import OtherPlanner
from planwarden.app.shadowing.said import Place
from planwarden.app.system import made_by
from planwarden.configuration.planner_config import PlannerConfig, planner_config
from planwarden.errors import InputError
from planwarden.evaluation.own_benchmark import shipped_world
from planwarden.evaluation.router.router import Router
from planwarden.evaluation.router.settings import RouterRecord, read_router, shipped_router
from planwarden.evaluation.shadow.compare import Compared, compare
from planwarden.evaluation.shadow.journal import Taken, tasks_of_journal
from planwarden.evaluation.shadow.kept import PREFIX, KeptSide, kept_plans, read_plans
from planwarden.evaluation.shadow.reading import Line, placed, read_lines
from planwarden.evaluation.shadow.report.contract import Price, ShadowReport
from planwarden.evaluation.shadow.report.summary import Named, summarise_shadow
from planwarden.evaluation.shadow.sides import PlannerSide, RecordedSide, Side
from planwarden.evaluation.shadow.task import ShadowTask
from planwarden.planning.prompt import PROMPT_VERSION

OWN = "own"
"""The source of the labelled tasks over the catalog that ships."""
Progress = Callable[[int, int], None]
"""Is told how many of how many tasks are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a shadow run is to do."""

    files: tuple[Path, ...] = ()
    """Tasks as JSON lines; with none, those of the journal."""
    since: datetime | None = None
    """Only runs begun at this moment or later."""
    limit: int | None = None
    """At most this many tasks: the newest runs, or spread over the files."""
    planner: str | None = None
    """The configuration that is looked at; None for the planner as it is configured."""
    against: str = "router"
    """`router`, `none`, `plans=FILE`, or a planner's configuration."""
    router: Path | None = None
    """Settings of the router in place of those that ship."""
    include_fitted: bool = False
    """Whether tasks are kept that planner or router were fitted on."""
    price: Price = field(default_factory=Price)
    """Of the planners' tokens, where a configuration names none."""
    keep: Callable[[str], None] | None = None
    """Takes the planner's plans as lines, to compare with later; blocks."""


async def shadow_run(planwarden: Planwarden, wanted: Wanted, progress: Progress) -> ShadowReport:
    """Plan tasks on both sides and report; nothing is executed, and nothing is written to the journal.

    Raises:
        InputError: nothing is left to plan; or a file of tasks cannot be used.
        ModelError, ConfigurationError: a side cannot be opened.
        StoreError: journal or memory cannot be read.
    """
    record = read_router(wanted.router) if wanted.router else shipped_router()
    taken = await _taken(planwarden, wanted, record)
    tasks, left_out = _kept(taken, wanted)
    async with _sides(planwarden, wanted, record) as (first, second):
        done: list[Compared] = []

        def tell(pair: Compared) -> None:
            done.append(pair)
            progress(len(done), len(tasks))

        pairs = await compare(tasks, first[0], second[0] if second else None, tell)
        if wanted.keep is not None:
            await asyncio.to_thread(wanted.keep, _lines(pairs, first[0], planwarden))
        match second:
            case (RecordedSide(missing=why) | KeptSide(missing=why), _):
                kept = tuple(pair for pair in pairs if pair.second is not None)
                left_out[why] = len(pairs) - len(kept)
                pairs = kept
            case _:
                pass
        if not pairs:
            raise _nothing(left_out)
        notes = (*taken.notes, *_notes(planwarden, wanted, record, pairs))
        return summarise_shadow(pairs, first, second, left_out=left_out, notes=notes)


def _lines(pairs: Sequence[Compared], side: Side, planwarden: Planwarden) -> str:
    planner = f"{side.describes}; prompt {PROMPT_VERSION}"
    return kept_plans(pairs, planner=planner, made=made_by(planwarden.clock.now()))


async def _taken(planwarden: Planwarden, wanted: Wanted, record: RouterRecord) -> Taken:
    if not wanted.files:
        return await tasks_of_journal(planwarden, since=wanted.since, limit=wanted.limit)
    lines = await asyncio.to_thread(read_lines, wanted.files)
    return Taken(tasks=await _placed(planwarden, lines, record))


async def _placed(
    planwarden: Planwarden, lines: Sequence[Line], record: RouterRecord
) -> tuple[ShadowTask, ...]:
    world = await planwarden.world()
    here = Place(catalog=world.catalog, policy=world.policy)
    with tempfile.TemporaryDirectory(prefix="planwarden-shadow-") as state:
        ships = await asyncio.to_thread(shipped_world, Path(state))
    shipped = Place(catalog=ships.catalog, policy=ships.policy)
    fitted = frozenset(record.fitted_on) | frozenset(shipped_router().fitted_on)
    return tuple(placed(line, here, shipped, fitted - {OWN}) for line in lines)


def _kept(taken: Taken, wanted: Wanted) -> tuple[tuple[ShadowTask, ...], Counter[str]]:
    """Leave out what was fitted on, unless it is wanted, and what is too many."""
    left_out = Counter(taken.left_out)
    tasks = taken.tasks
    if not wanted.include_fitted:
        tasks = tuple(task for task in tasks if not task.fitted)
        left_out["planner or router were fitted on it"] = len(taken.tasks) - len(tasks)
    if not tasks:
        raise _nothing(left_out)
    count = len(tasks) if wanted.limit is None else min(wanted.limit, len(tasks))
    left_out["beyond --limit"] += len(tasks) - count
    return tuple(tasks[place * len(tasks) // count] for place in range(count)), left_out


def _nothing(left_out: Counter[str]) -> InputError:
    why = "; ".join(f"{count}: {reason}" for reason, count in left_out.items() if count)
    return InputError(
        f"There is no task to plan{f' (left out: {why})' if why else ''}.",
        remedy="Name other tasks with --tasks FILE, an earlier day with --since, or keep those that were "
        "fitted on with --include-fitted.",
    )


@asynccontextmanager
async def _sides(
    planwarden: Planwarden, wanted: Wanted, record: RouterRecord
) -> AsyncGenerator[tuple[Named, Named | None]]:
    """Open the planner that is looked at, and what it is compared with."""
    async with AsyncExitStack() as opened:
        configured = planwarden.settings.planner_llm
        first = PlannerConfig(name="planner", chosen=configured, differs={})
        if wanted.planner is not None:
            first = planner_config(wanted.planner, configured, os.environ)
        theirs = await _other_side(planwarden, wanted, record, first.name)
        ours = await _opened(planwarden, first, wanted, opened)
        if isinstance(theirs, PlannerConfig):
            theirs = await _opened(planwarden, theirs, wanted, opened)
        yield ours, theirs


async def _other_side(
    planwarden: Planwarden, wanted: Wanted, record: RouterRecord, first: str
) -> Named | PlannerConfig | None:
    """Say what the planner is compared with; a configuration is still to be opened."""
    match wanted.against:
        case "router":
            return _router(planwarden, record), Price()
        case "none":
            return None if wanted.files else (RecordedSide(), wanted.price)
        case kept if kept.startswith(PREFIX):
            return await asyncio.to_thread(read_plans, Path(kept.removeprefix(PREFIX))), wanted.price
        case named:
            config = planner_config(named, planwarden.settings.planner_llm, os.environ)
            return config.called(f"{config.name} (2)") if config.name == first else config


async def _opened(
    planwarden: Planwarden, config: PlannerConfig, wanted: Wanted, opened: AsyncExitStack
) -> Named:
    other = await opened.enter_async_context(planwarden.shadow.other_planner(config))
    return _named(planwarden, config, other, wanted)


def _named(planwarden: Planwarden, config: PlannerConfig, other: OtherPlanner, wanted: Wanted) -> Named:
    model = f"{other.identity.provider} {other.identity.model}, mode {config.chosen.mode}"
    side = PlannerSide(
        name=config.name,
        describes=f"{model}; {config.describes}",
        planner=other.planner,
        clock=planwarden.clock,
        recall=planwarden.shadow.recall,
        max_agents=config.chosen.max_agents,
    )
    given = wanted.price
    price = Price(
        tokens_in=given.tokens_in if config.price_in is None else config.price_in,
        tokens_out=given.tokens_out if config.price_out is None else config.price_out,
    )
    return side, price


def _router(planwarden: Planwarden, record: RouterRecord) -> Side:
    tasks = sum(record.fitted_on.values())
    return PlannerSide(
        name="router",
        describes=f"keywords and BM25, no model and no memory; fitted on {tasks} tasks, "
        f"F1 of the tools {record.node_f1.mean:.3f} on those of other folds",
        planner=Router(record.settings),
        source="router",
        clock=planwarden.clock,
        max_agents=planwarden.settings.planner_llm.max_agents,
    )


def _notes(
    planwarden: Planwarden, wanted: Wanted, record: RouterRecord, pairs: Sequence[Compared]
) -> tuple[str, ...]:
    notes: list[str] = []
    if planwarden.settings.ranker_in_force is not None:
        notes.append("The planner's ranker was tuned here: which of these tasks it has seen is not known.")
    fitted = sum(pair.task.fitted for pair in pairs)
    if fitted:
        notes.append(f"{fitted} of these tasks were seen when planner or router were fitted.")
    if wanted.router is not None:
        notes.append(f"The router's settings are those of {wanted.router.name}, fitted on {record.at}.")
    if any(pair.task.evidence == "ran" for pair in pairs):
        notes.append(
            "Runs that completed as planned and that no person looked at are shown and not counted: that a "
            "plan ran through says little of whether it was right, and favours whoever made it."
        )
    return tuple(notes)
