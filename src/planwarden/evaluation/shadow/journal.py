"""Runs in the journal as tasks of a shadow run, with what is known of how they went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from planwarden.app import Planwarden
from planwarden.app.shadowing.said import Place, issues_of
from planwarden.contracts.fold import fold
from planwarden.contracts.run import RunState
from planwarden.contracts.shadow import ShadowPlan, sketch_of
from planwarden.contracts.summary import RunSummary
from planwarden.errors import DataRejected, RunErased, RunNotFound, StoreCorrupt
from planwarden.evaluation.calibration.tasks import Wanted
from planwarden.evaluation.shadow.task import Evidence, ShadowTask, wanted_of
from planwarden.planning.memory.lesson import lesson


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Tasks that were taken, and what had to be left out."""

    tasks: tuple[ShadowTask, ...]
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])
    """Why, and how many."""
    notes: tuple[str, ...] = ()


async def tasks_of_journal(
    planwarden: Planwarden, *, since: datetime | None = None, limit: int | None = None
) -> Taken:
    """Take the newest runs as tasks, in the order in which they began.

    A run whose record cannot be read back, whether damaged or erased, is counted and passed over; so is one
    whose data is not there any more.

    Raises:
        StoreError: the journal cannot be used.
    """
    left_out: Counter[str] = Counter()
    ids: list[str] = []
    async for summary in planwarden.record.summaries():
        if isinstance(summary, RunSummary) and since is not None and summary.started_at < since:
            left_out["before --since"] += 1
        else:
            ids.append(summary.run_id)
    kept = ids if limit is None else ids[max(0, len(ids) - limit) :]
    left_out["beyond --limit"] += len(ids) - len(kept)
    tasks: list[ShadowTask] = []
    moved = 0
    for run_id in kept:
        found = await run_as_task(planwarden, run_id)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            tasks.append(found.task)
            moved += found.moved
    notes = (f"{moved} of the runs were planned over another catalog than today's.",) if moved else ()
    return Taken(tasks=tuple(tasks), left_out=left_out, notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTask:
    """A run as a task."""

    task: ShadowTask
    moved: bool
    """Whether the catalog is another one by now."""


async def run_as_task(planwarden: Planwarden, run_id: str) -> RunTask | str:
    """Read a run as a task; in words why it cannot be one, where it cannot.

    Raises:
        StoreError: the journal cannot be used.
    """
    journal = await planwarden.journal()
    try:
        state = fold(await journal.read(run_id))
        if await journal.verify(run_id):
            return "altered: see `planwarden dossier verify`"
        world = await planwarden.world(state.started.task.data)
    except RunErased:
        return "erased"
    except RunNotFound:
        return "not in the journal any more"
    except StoreCorrupt as error:
        return "erased" if "erased" in error.message else "damaged"
    except DataRejected:
        return "its data is not there any more"
    task = task_of_run(state, Place(catalog=world.catalog, policy=world.policy), _max_agents(planwarden))
    return RunTask(task=task, moved=state.started.catalog_digest != world.catalog.digest)


def _max_agents(planwarden: Planwarden) -> int:
    return planwarden.settings.planner_llm.max_agents


def task_of_run(state: RunState, place: Place, max_agents: int) -> ShadowTask:
    """Take a run as a task, with the plan on record and whether that is known to be right. Pure."""
    evidence = evidence_of(state)
    recorded = recorded_plan(state, place, max_agents)
    wanted: tuple[Wanted, ...] = ()
    if evidence is not None and recorded is not None and recorded.sketch is not None and recorded.valid:
        wanted = (wanted_of(recorded.sketch),)
    return ShadowTask(
        id=state.run_id,
        source="journal",
        task=state.started.task,
        place=place,
        wanted=wanted,
        evidence=evidence if wanted else None,
        recorded=recorded,
    )


def evidence_of(state: RunState) -> Evidence | None:
    """Say how it is known that a run's plan was right; None where it is not.

    It has to have completed as planned: every planned primary tool succeeded (adherence 1), and no deviation
    speaks against the plan, as for what memory learns. Then a person's hand in the plan counts: they wrote or
    edited it, or approved it before it ran.
    """
    plan = state.decision.plan if state.decision else None
    if plan is None or lesson(state) is None:
        return None
    person = plan.metadata.source == "edited" or state.plan_approval == "approved"
    return "person" if person else "ran"


def recorded_plan(state: RunState, place: Place, max_agents: int) -> ShadowPlan | None:
    """Give what the run's own planner had said; None where the run ended before there was a plan. Pure."""
    plan = state.decision.plan if state.decision else None
    if plan is None:
        return None
    metadata = plan.metadata
    usage = {
        "prompt_tokens": metadata.prompt_tokens or 0,
        "output_tokens": metadata.output_tokens or 0,
        "latency_s": metadata.latency_s or 0.0,
    }
    refusals = state.decision.refusals if state.decision else ()
    return ShadowPlan.model_validate(
        {
            "sketch": sketch_of(plan),
            "source": metadata.source,
            "issues": issues_of(plan, place, max_agents),
            "refusals": tuple(f"{each.rung}/{each.reason}" for each in refusals),
            "seconds": state.planner_latency_s,
            "usage": usage,
        }
    )
