"""What one run takes place in: the product put together over a made-up world, and who works in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Literal

from planwarden.app.assembly import make_orchestrator, make_planner
from planwarden.app.models import Models
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.configuration.settings import AgentModel, PlannerModel
from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.run import RunState
from planwarden.evaluation.soak.breaking.agent_mind import AgentMind, Temper
from planwarden.evaluation.soak.breaking.planner_mind import PlannerMind
from planwarden.evaluation.soak.breaking.thief import Thief
from planwarden.evaluation.soak.chance import chance
from planwarden.evaluation.soak.history import History
from planwarden.evaluation.soak.judging.oracle import Watch
from planwarden.evaluation.soak.ledger import Ledger, ShownByRefusal, ViolationKind
from planwarden.evaluation.soak.world.making import NOTHING, World, make_world
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
from planwarden.telemetry.tracing import Tracing
from planwarden.testing.scripted_llm import FunctionLLM

PlannerChoice = Literal["scripted", "adversarial", "embedded"]

TEMPERS: Mapping[PlannerChoice, Temper] = {
    "scripted": Temper(appetite=0.5, most=5, spares=True),
    "embedded": Temper(appetite=0.5, most=5, spares=True),
    "adversarial": Temper(appetite=0.8, most=60, spares=False),
}
CALM = Temper(appetite=0.0, most=0, spares=True)
PLAN_APPETITE: Mapping[PlannerChoice, float] = {"scripted": 0.25, "embedded": 0.0, "adversarial": 0.6}


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
            tracing=Tracing(),
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


def make_stage(number: int, ground: Ground, before: Counter[ViolationKind]) -> Stage:
    """Put a run's world together, and everybody in it.

    Args:
        number: of the run; with seed and planner it says everything about it.
        ground: what all runs share.
        before: how often each kind of violation was seeded by the runs before.
    """
    seed = f"{ground.seed}/{ground.planner}/{number}"
    rng = chance(seed)
    world = make_world(rng)
    history = History(watch=Watch(world=world))
    ledger = Ledger(run_id=f"soak-{ground.seed}-{ground.planner}-{number}", before=before)
    temper = TEMPERS[ground.planner]
    mind = AgentMind(seed=seed, world=world, history=history, ledger=ledger, temper=temper)
    thief = Thief(world=world, history=history, ledger=ledger, rng=chance(seed, "thief"), most=temper.most)
    planner_mind = PlannerMind(
        world=world,
        history=history,
        ledger=ledger,
        rng=chance(seed, "planner"),
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
        stage.tools[name] = SoakTool(spec, world, history, chance(seed, name), thief.steal)
    return stage


def _chosen(ground: Ground, rng: Random) -> PlannerModel:
    """Choose how the planner is configured: who decides, and whether a person sees the plan first."""
    base = PlannerModel() if ground.real is None else ground.real.chosen
    asked = {"min_confidence": 1.0, "on_low_confidence": "person"} if rng.random() < 0.4 else {}
    mode = {"mode": rng.choice(("fused", "model"))} if ground.real is None else {}
    return base.model_copy(update={"ask": "always", **asked, **mode})
