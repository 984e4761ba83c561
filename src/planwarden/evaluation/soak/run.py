"""One run of a soak: a task for the product, and what is to be said of how it went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import anyio

from planwarden.app.assembly import accept_plan, snapshots_of
from planwarden.contracts.deviations import DeviationKind
from planwarden.contracts.fold import fold
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.run import RunState
from planwarden.contracts.task import Task, TaskLimits
from planwarden.errors import PlanDenied, PlanRejected
from planwarden.evaluation.soak.breaking.brought import WRONG, can_bring, good_plan, wrong_plan
from planwarden.evaluation.soak.breaking.person import People
from planwarden.evaluation.soak.breaking.tampering import apply, tampered, tampering_of
from planwarden.evaluation.soak.judging.evidence import Missed, missed
from planwarden.evaluation.soak.judging.record import record_faults
from planwarden.evaluation.soak.ledger import Seeded, SeenBySoak, TamperKind, ViolationKind
from planwarden.evaluation.soak.stage import TEMPERS, Ground, Stage, make_stage
from planwarden.evaluation.soak.world.making import request_in

BROUGHT = 0.3
"""Share of the runs whose plan somebody brings along; the planner makes the others."""
MOST_RUN_S = 300.0
"""Real seconds; one that takes longer hangs."""
TAMPERS: tuple[TamperKind, ...] = (
    "byte_flipped",
    "event_altered",
    "event_dropped",
    "tail_dropped",
    "payloads_swapped",
    "event_inserted",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How one run went."""

    run_id: str
    outcome: str
    """As the record ends, or `crashed` where the product raised what it should not."""
    source: str
    """Of the plan that was followed; `none` where there was none."""
    invocations: int
    seeded: tuple[Seeded, ...]
    missed: tuple[Missed, ...] = ()
    unauthorised: tuple[str, ...] = ()
    false_refusals: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    """In which the record, or the plan, is not what it has to be."""
    refusals: int = 0
    adherence: float | None = None
    deviations: Counter[DeviationKind] = field(default_factory=Counter[DeviationKind])


async def soak_run(number: int, ground: Ground, before: Counter[ViolationKind]) -> RunReport:
    """Carry out one run, and judge it.

    Args:
        number: of the run; with the seed it says everything about it.
        ground: what all runs share.
        before: how often each kind of violation was seeded by the runs before.
    """
    stage = make_stage(number, ground, before)
    try:
        with anyio.fail_after(MOST_RUN_S):
            state = await _carried_out(stage)
    except Exception as error:  # noqa: BLE001 - what the product should not raise is what is looked for
        return _report(stage, None, (f"the product raised {type(error).__name__}: {error}",))
    stored = fold(await ground.journal.read(state.run_id))
    faults = await record_faults(state.run_id, ground.journal, stage.history)
    await _tamper(stage, stored)
    return _report(stage, stored, faults)


async def _carried_out(stage: Stage) -> RunState:
    """Have the run planned and carried out to its end."""
    rng, world = stage.rng, stage.world
    await stage.ground.journal.snapshots.keep(snapshots_of(stage.assembled(world.policy)))
    orchestrator = stage.orchestrator(world.policy)
    plan: PlannerPlan | None = None
    if rng.random() < BROUGHT and can_bring(world):
        _bring_wrong(stage)
        plan = accept_plan(good_plan(world, rng), stage.assembled(world.policy), stage.chosen)
    task = Task(prompt=request_in(world, rng), limits=_limits(rng, plan), tenant="soak")
    state = await orchestrator.route_task(task, plan, stage.history.tell)
    people = People(
        orchestrator=orchestrator,
        journal=stage.ground.journal,
        path=stage.ground.path,
        history=stage.history,
        ledger=stage.ledger,
        rng=rng,
        most=TEMPERS[stage.ground.planner].most,
        tighten=stage.tighten,
    )
    return await people.see_through(state)


def _bring_wrong(stage: Stage) -> None:
    """Bring along a plan that must not be followed."""
    if stage.rng.random() < 0.5:
        return
    kind = stage.ledger.rarest(WRONG)
    text = wrong_plan(kind, stage.world, stage.rng)
    try:
        accept_plan(text, stage.assembled(stage.world.policy), stage.chosen)
    except (PlanRejected, PlanDenied):
        caught = True
    else:
        caught = False
    stage.ledger.add(kind, SeenBySoak(caught=caught), since=0)


def _limits(rng: Random, plan: PlannerPlan | None) -> TaskLimits:
    """Choose a run's budgets; steps run together only where they can be told apart."""
    tools = [tool for step in plan.steps for tool in (*step.tools, *step.fallback_tools)] if plan else []
    apart = bool(tools) and len(set(tools)) == len(tools)
    return TaskLimits(
        max_tool_calls=rng.choice((4, 16, 32)),
        max_calls_per_step=rng.randint(2, 6),
        max_refusals_per_step=rng.randint(3, 5),
        max_turns_per_step=rng.randint(8, 12),
        max_parallel_steps=rng.choice((1, 3)) if apart else 1,
    )


async def _tamper(stage: Stage, stored: RunState) -> None:
    """Change the run's rows in the journal's file, see whether `verify` finds it, and put them back."""
    if stage.rng.random() < 0.4:
        return
    kind = stage.ledger.rarest(TAMPERS)
    tampering = tampering_of(kind, stored.seq, stage.rng)
    journal = stage.ground.journal
    with tampered(stage.ground.path, stored.run_id, apply(tampering, stored.run_id)):
        faults = await journal.verify(stored.run_id)
    clean = not await journal.verify(stored.run_id)
    caught = tampering.found_in(faults) and clean
    stage.ledger.add(kind, SeenBySoak(caught=caught), since=len(stage.history.moments))


def _report(stage: Stage, state: RunState | None, faults: tuple[str, ...]) -> RunReport:
    history, seeded = stage.history, tuple(stage.ledger.seeded)
    plan = state.decision.plan if state and state.decision else None
    return RunReport(
        run_id=stage.ledger.run_id,
        outcome=state.status if state else "crashed",
        source=plan.metadata.source if plan else "none",
        invocations=len(history.invocations),
        seeded=seeded,
        missed=missed(seeded, history, state) if state else tuple(map(_unjudged, seeded)),
        unauthorised=tuple(
            f"{each.context.call_id} {each.tool}: {each.unlawful}"
            for each in history.invocations
            if each.unlawful
        ),
        false_refusals=tuple(
            f"{each.fact.step} {each.fact.tool}: {each.fact.refusal}: {each.fact.message}"
            for each in history.refused
            if not each.why
        ),
        faults=(*faults, *history.unlawful_plans),
        refusals=len(history.refused),
        adherence=state.adherence if state else None,
        deviations=Counter(each.kind for each in state.deviations) if state else Counter(),
    )


def _unjudged(seeded: Seeded) -> Missed:
    return Missed(seeded=seeded, because="the run came to no end")
