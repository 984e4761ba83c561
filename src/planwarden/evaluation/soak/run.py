"""One run of a soak: a world, a task, the product over them, and what is to be said of how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Literal

from planwarden.app.assembly import accept_plan, make_orchestrator, make_planner, snapshots_of
from planwarden.app.models import Models
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.configuration.settings import AgentModel, PlannerModel
from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.deviations import DeviationKind
from planwarden.contracts.fold import fold
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.run import RunState
from planwarden.contracts.task import Task, TaskLimits
from planwarden.errors import PlanDenied, PlanRejected
from planwarden.evaluation.soak.breaking.agent_mind import AgentMind, Temper
from planwarden.evaluation.soak.breaking.brought import WRONG, can_bring, good_plan, wrong_plan
from planwarden.evaluation.soak.breaking.person import People
from planwarden.evaluation.soak.breaking.planner_mind import PlannerMind
from planwarden.evaluation.soak.breaking.tampering import apply, tampered, tampering_of
from planwarden.evaluation.soak.breaking.thief import Thief
from planwarden.evaluation.soak.history import History
from planwarden.evaluation.soak.judging.evidence import Missed, missed
from planwarden.evaluation.soak.judging.oracle import Watch
from planwarden.evaluation.soak.judging.record import record_faults
from planwarden.evaluation.soak.ledger import (
    Ledger,
    Seeded,
    SeenBySoak,
    ShownByRefusal,
    TamperKind,
    ViolationKind,
)
from planwarden.evaluation.soak.world.making import NOTHING, World, make_world, request_in
from planwarden.evaluation.soak.world.tools import SoakTool
from planwarden.journal.port import Owner
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.llm.service import LLMService
from planwarden.orchestration.orchestrator import Orchestrator
from planwarden.planning.memory.in_process import InProcessMemory
from planwarden.planning.planner import Calibrated, unmeasured
from planwarden.planning.prior import PriorSource
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.runtime.asking import AgentModels
from planwarden.testing.scripted_llm import FunctionLLM

PlannerChoice = Literal["scripted", "adversarial", "embedded"]

TEMPERS: Mapping[PlannerChoice, Temper] = {
    "scripted": Temper(appetite=0.5, most=5, spares=True),
    "embedded": Temper(appetite=0.5, most=5, spares=True),
    "adversarial": Temper(appetite=0.8, most=60, spares=False),
}
CALM = Temper(appetite=0.0, most=0, spares=True)
PLAN_APPETITE: Mapping[PlannerChoice, float] = {"scripted": 0.25, "embedded": 0.0, "adversarial": 0.6}
BROUGHT = 0.3
"""Share of the runs whose plan somebody brings along; the planner makes the others."""
TAMPERS: tuple[TamperKind, ...] = (
    "byte_flipped",
    "event_altered",
    "event_dropped",
    "tail_dropped",
    "payloads_swapped",
    "event_inserted",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealPlanner:
    """A planner model that is really asked, and how it is configured."""

    llm: LLMService
    chosen: PlannerModel
    calibrated: Calibrated


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the runs of a soak share."""

    seed: int
    planner: PlannerChoice
    journal: SqliteJournal
    path: Path
    """Of the journal's file."""
    source: PriorSource
    clock: Clock
    ids: Ids
    owner: Owner
    real: RealPlanner | None = None
    """For `embedded`."""


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


@dataclass(slots=True, kw_only=True)
class Stage:
    """One run's world and everybody in it."""

    ground: Ground
    rng: Random
    world: World
    history: History
    ledger: Ledger
    mind: AgentMind
    thief: Thief
    planner: LLMService
    chosen: PlannerModel
    tools: dict[str, SoakTool] = field(default_factory=dict[str, SoakTool])

    def assembled(self, policy: ToolPolicy) -> AssembledCatalog:
        """Give the world as the product takes one."""
        return AssembledCatalog(catalog=self.world.catalog, policy=policy, tools=self.tools, left_out={})

    def orchestrator(self, policy: ToolPolicy) -> Orchestrator:
        """Put the product together, as `Planwarden` does."""
        agents = FunctionLLM(self.mind.reply, calls_tools=True)
        real, source = self.ground.real, self.ground.source
        calibrated = unmeasured if real is None else real.calibrated
        return make_orchestrator(
            journal=self.ground.journal,
            owner=self.ground.owner,
            clock=self.ground.clock,
            ids=self.ground.ids,
            models=Models(planner=self.planner, agents=AgentModels(default=agents)),
            planner=make_planner(self.chosen, self.planner, calibrated, source),
            world=self.assembled(policy),
            memory=InProcessMemory(),
            chosen=AgentModel(),
        )

    def tighten(self, state: RunState) -> Orchestrator | None:
        """Deny the first tool of a plan that waits; everybody behaves from here on."""
        plan = state.decision.plan if state.decision else None
        first = plan.steps[0] if plan else None
        if first is None or not first.tools:
            return None
        tool = first.tools[0]
        grants = {**self.world.grants, (first.agent, tool): NOTHING}
        self.history.watch.world = replace(self.world, grants=grants)
        self.mind.temper = CALM
        self.ledger.add(
            "policy_tightened",
            ShownByRefusal(refusals=("policy_denied",), by_note=False),
            since=len(self.history.moments),
            step=first.id,
            tool=tool,
        )
        before = self.world.policy.agents[first.agent]
        rules = (Rule(name="tightened", says="deny", tools=(tool,)), *before.rules)
        after = AgentPolicy(rules=rules, answer_without_tools=before.answer_without_tools)
        return self.orchestrator(ToolPolicy(agents={**self.world.policy.agents, first.agent: after}))


async def soak_run(number: int, ground: Ground, before: Counter[ViolationKind]) -> RunReport:
    """Carry out one run, and judge it.

    Args:
        number: of the run; with the seed it says everything about it.
        ground: what all runs share.
        before: how often each kind of violation was seeded by the runs before.
    """
    stage = _stage(number, ground, before)
    try:
        state = await _carried_out(stage)
    except Exception as error:  # noqa: BLE001 - what the product should not raise is what is looked for
        return _report(stage, None, (f"the product raised {type(error).__name__}: {error}",))
    stored = fold(await ground.journal.read(state.run_id))
    faults = await record_faults(state.run_id, ground.journal, stage.history)
    await _tamper(stage, stored)
    return _report(stage, stored, faults)


def _stage(number: int, ground: Ground, before: Counter[ViolationKind]) -> Stage:
    seed = f"{ground.seed}/{ground.planner}/{number}"
    rng = Random(seed)
    world = make_world(rng)
    history = History(watch=Watch(world=world))
    ledger = Ledger(run_id=f"soak-{ground.seed}-{ground.planner}-{number}", before=before)
    temper = TEMPERS[ground.planner]
    mind = AgentMind(seed=seed, world=world, history=history, ledger=ledger, temper=temper)
    thief = Thief(world=world, history=history, ledger=ledger, rng=Random(f"{seed}/thief"), most=temper.most)
    planner_mind = PlannerMind(
        world=world,
        history=history,
        ledger=ledger,
        rng=Random(f"{seed}/planner"),
        appetite=PLAN_APPETITE[ground.planner],
    )
    planner = FunctionLLM(planner_mind.reply) if ground.real is None else ground.real.llm
    stage = Stage(
        ground=ground,
        rng=rng,
        world=world,
        history=history,
        ledger=ledger,
        mind=mind,
        thief=thief,
        planner=planner,
        chosen=_chosen(ground, rng),
    )
    for name, spec in world.specs.items():
        stage.tools[name] = SoakTool(spec, world, history, Random(f"{seed}/{name}"), thief.steal)
    return stage


def _chosen(ground: Ground, rng: Random) -> PlannerModel:
    """Choose how the planner is configured: who decides, and whether a person sees the plan first."""
    base = PlannerModel() if ground.real is None else ground.real.chosen
    asked = {"min_confidence": 1.0, "on_low_confidence": "person"} if rng.random() < 0.4 else {}
    mode = {"ask": "always", "mode": rng.choice(("fused", "model"))} if ground.real is None else {}
    return base.model_copy(update={**asked, **mode})


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
    chosen = stage.ledger.rarest(WRONG)
    kind = next(each for each in WRONG if each == chosen)
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
    chosen = stage.ledger.rarest(TAMPERS)
    kind = next(each for each in TAMPERS if each == chosen)
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
            f"{each.context.call_id} {each.tool}: {each.unlawful}" for each in history.invocations if each.unlawful
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
