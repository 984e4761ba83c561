"""A stage for tests of agents and tools: the real runtime on a journal in memory, with scripted models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from planwarden.app.traces import traced_model, traced_runner
from planwarden.audit.dossier import build_dossier
from planwarden.catalog.catalog import Catalog, build_catalog
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.facts import PlanDecided, RunStarted, StepStarted
from planwarden.contracts.fold import fold
from planwarden.contracts.plan import (
    HandoffStrategy,
    PlanDecision,
    PlanMetadata,
    PlannedAgentStep,
    PlannerPlan,
)
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.journal.memory import MemoryJournal
from planwarden.journal.port import Journal, Owner
from planwarden.llm.service import LLMService
from planwarden.orchestration.executor import Executor
from planwarden.orchestration.orchestrator import Orchestrator
from planwarden.orchestration.run_log import RunLog
from planwarden.planning.attempt import PlannerSettings
from planwarden.planning.memory.in_process import InProcessMemory
from planwarden.planning.memory.port import PlanMemory
from planwarden.planning.planner import LLMOrchestrationPlanner
from planwarden.planning.traced import TracedPlanner
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.runtime.agent import AgentRuntime
from planwarden.runtime.asking import AgentModels, AgentSettings
from planwarden.runtime.tool_session import ToolSession, ToolWorld, open_session
from planwarden.runtime.traced import TracedSteps
from planwarden.telemetry.tracing import Tracing
from planwarden.testing.counting_ids import CountingIds
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.ticking_clock import TickingClock
from planwarden.tools.tool import Tool

HERE = Owner(id="stage", host="stage", pid=1)


def allow_everything(agents: Iterable[AgentSpec]) -> ToolPolicy:
    """Let each agent call all of its tools, and answer without any where its spec says so."""
    return ToolPolicy(
        agents={
            agent.name: AgentPolicy(
                rules=(Rule(name="own-tools", says="allow", tools=agent.tools or ("-",)),),
                answer_without_tools=agent.may_answer_without_tools,
            )
            for agent in agents
        }
    )


def plan_of(*steps: PlannedAgentStep, handoff: HandoffStrategy = "sequential") -> PlannerPlan:
    """Make a plan of these steps, as a person would bring it along."""
    metadata = PlanMetadata(source="edited", handoff_strategy=handoff)
    return PlannerPlan(steps=steps, metadata=metadata, confidence=1.0)


@dataclass(slots=True, kw_only=True)
class Stage:
    """Agents, tools and models put together; everything by default strict, in memory and repeatable."""

    agents: tuple[AgentSpec, ...]
    tools: Mapping[str, Tool]
    policy: ToolPolicy | None = None
    """None allows every agent all of its tools."""
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    planner_llm: LLMService = field(default_factory=ScriptedLLM)
    agent_llm: LLMService = field(default_factory=ScriptedLLM)
    agent_settings: AgentSettings = field(default_factory=AgentSettings)
    planner_settings: PlannerSettings = field(default_factory=lambda: PlannerSettings(mode="model"))
    """By default the planner's model alone decides, as a script of what it says expects."""
    clock: TickingClock = field(default_factory=TickingClock)
    ids: CountingIds = field(default_factory=CountingIds)
    owner: Owner = HERE
    journal: Journal | None = None
    """None makes one in memory."""
    memory: PlanMemory = field(default_factory=InProcessMemory)
    """What planning recalls; runs on a stage teach nothing."""
    tracing: Tracing = field(default_factory=Tracing)
    """By default nothing is traced."""

    @property
    def catalog(self) -> Catalog:
        """Give the checked catalog of these agents and tools."""
        return build_catalog(self.agents, [tool.spec for tool in self.tools.values()], self.aliases)

    @property
    def world(self) -> ToolWorld:
        """Give what stands behind the tool session's door."""
        policy = allow_everything(self.agents) if self.policy is None else self.policy
        return ToolWorld(
            catalog=self.catalog,
            policy=policy,
            tools=self.tools,
            clock=self.clock,
            run=traced_runner(self.tracing),
        )

    @property
    def record(self) -> Journal:
        """Give the journal."""
        if self.journal is None:
            self.journal = MemoryJournal(self.clock, self.ids, is_dead=lambda _: False, lease_s=3600.0)
        return self.journal

    def orchestrator(self) -> Orchestrator:
        """Put the front door together."""
        world, tracer = self.world, self.tracing.tracer
        planner = LLMOrchestrationPlanner(traced_model(self.planner_llm, self.tracing), self.planner_settings)
        agents = AgentModels(default=traced_model(self.agent_llm, self.tracing))
        return Orchestrator(
            journal=self.record,
            executor=Executor(
                planner=TracedPlanner(planner, tracer),
                runtime=TracedSteps(AgentRuntime(agents, self.agent_settings, world), tracer),
                world=world,
                memory=self.memory,
            ),
            owner=self.owner,
            ids=self.ids,
            planner=self.planner_llm.identity,
            agents=self.agent_llm.identity,
            version="test",
            tracer=tracer,
        )

    async def begin(self, plan: PlannerPlan, task: Task) -> RunLog:
        """Begin a run of this plan without carrying it out; give its record, under a lease."""
        world = self.world
        started = RunStarted(
            task=task,
            planner=self.planner_llm.identity,
            agents=self.agent_llm.identity,
            catalog_digest=world.catalog.digest,
            policy_digest=world.policy.digest,
            planwarden_version="test",
        )
        facts = (started, PlanDecided(decision=PlanDecision(plan=plan)))
        lease, events = await self.record.create(self.ids.run_id(), task.tenant, self.owner, facts)
        return RunLog(self.record, lease, fold(events))

    async def open_step(self, log: RunLog, step: str = "s1") -> ToolSession:
        """Start a step and give the session that its agent would hold."""
        if log.state.steps[step].status == "pending":
            await log.record(StepStarted(step=step, agent=log.state.steps[step].planned.agent))
        return open_session(self.world, log, step)

    async def state(self, run_id: str) -> RunState:
        """Fold a run from its journal."""
        return fold(await self.record.read(run_id))

    async def dossier(self, run_id: str) -> Dossier:
        """Build a run's dossier from its journal."""
        return build_dossier(await self.record.read(run_id), await self.record.links(run_id))
