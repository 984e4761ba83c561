"""The composition root: builds the program from its settings; the only place with real clock and real ids."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from planwarden.audit.dossier import build_dossier
from planwarden.audit.export import file_faults, write_dossier
from planwarden.configuration.settings import Settings, load_settings
from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import ChainFault
from planwarden.contracts.facts import RunStarted
from planwarden.contracts.fold import fold
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.run import RunState, RunStatus, final_answer
from planwarden.contracts.task import Exchange, Task
from planwarden.contracts.value import Json
from planwarden.errors import PlanDenied, PlanRejected, StoreCorrupt
from planwarden.journal.owner import is_dead, this_process
from planwarden.journal.port import Journal, RunHead
from planwarden.journal.sqlite.journal import SqliteJournal

# Catalog, models, planner and runtime bring in DuckDB, httpx, jsonschema and PyYAML, over half a second of
# imports: the methods that need them import them, so that `runs`, `dossier` and `--help` start at once.
if TYPE_CHECKING:
    from planwarden.configuration.catalog_file import AssembledCatalog
    from planwarden.llm.selection import ModelOpener
    from planwarden.llm.service import LLMService, ModelHealth
    from planwarden.orchestration.orchestrator import Orchestrator, Resolution
    from planwarden.orchestration.run_log import EventListener
    from planwarden.planning.planner import LLMOrchestrationPlanner, Planning
    from planwarden.tools.tool import Tool

VERSION = version("planwarden")
GUIDED_NEAR, FREE_NEAR = 0.9, 0.5
"""How near the best a tool must be to be shown; see docs/planner.md for how these came about."""
CONVERSATION_RUNS = 200
"""How many of the newest runs are looked through for earlier turns of a conversation."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the wall time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds since some fixed moment."""
        return time.monotonic()


class SystemIds:
    """The machine's randomness."""

    def run_id(self) -> str:
        """Give a run id that sorts by time."""
        return f"r{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    def nonce(self) -> str:
        """Give 32 unpredictable hexadecimal digits."""
        return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The two models that are in use."""

    planner: LLMService
    agents: LLMService


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run, as far as it got."""

    state: RunState
    dossier: Dossier
    dossier_path: Path

    @property
    def run_id(self) -> str:
        """Name the run."""
        return self.state.run_id

    @property
    def status(self) -> RunStatus:
        """Say where the run stands."""
        return self.state.status

    @property
    def plan(self) -> PlannerPlan | None:
        """Give the plan that was followed."""
        return self.state.decision.plan if self.state.decision else None

    @property
    def answer(self) -> StepAnswer | None:
        """Give the answer with its evidence."""
        return final_answer(self.state)


class Planwarden:
    """A running Planwarden: `async with Planwarden.open() as pw: result = await pw.route_task(Task(...))`.

    Journal, models and tools are opened when first needed.
    """

    def __init__(self, settings: Settings, tools: Sequence[Tool]) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.ids = SystemIds()
        self._tools = {tool.spec.name: tool for tool in tools}
        self._owner = this_process(self.ids.nonce())
        self._opener: ModelOpener | None = None
        self._journal: SqliteJournal | None = None
        self._models: dict[tuple[str, str], Models] = {}
        self._worlds: dict[tuple[str, ...], AssembledCatalog] = {}
        self._planners: list[LLMOrchestrationPlanner] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings | None = None, *, tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[Planwarden]:
        """Open Planwarden; `tools` are Python tools beside the built-in ones and the catalog file's.

        Raises:
            SettingsRejected: an environment variable has a value that cannot be used.
        """
        planwarden = cls(settings or load_settings(), tools)
        try:
            yield planwarden
        finally:
            await planwarden.aclose()

    async def aclose(self) -> None:
        """Close models and journal."""
        for planner in self._planners:
            planner.close()
        for models in self._models.values():
            await models.planner.aclose()
            await models.agents.aclose()
        if self._journal is not None:
            await self._journal.aclose()
        self._models.clear()
        self._journal = None

    # ---- what is there -------------------------------------------------------------------------------

    async def journal(self) -> Journal:
        """Open the journal.

        Raises:
            StoreUnavailable, StoreCorrupt, StoreVersionMismatch: it cannot be used.
        """
        if self._journal is None:
            self._journal = await SqliteJournal.open(
                self.settings.journal_path,
                self.clock,
                self.ids,
                is_dead=partial(is_dead, here=self._owner),
                lease_s=self.settings.planwarden_lease_s,
            )
        return self._journal

    async def world(self, data: Sequence[str] = ()) -> AssembledCatalog:
        """Give catalog, policy and tools over some data paths; the samples that ship when there are none.

        Raises:
            CatalogRejected: the catalog file has a mistake.
            DataRejected: a path is missing or of no known format.
        """
        key = tuple(data)
        if key not in self._worlds:
            self._worlds[key] = await asyncio.to_thread(self._assemble, key)
        return self._worlds[key]

    def _assemble(self, data: tuple[str, ...]) -> AssembledCatalog:
        from planwarden.configuration import catalog_file as catalogs  # noqa: PLC0415 - heavy; see above
        from planwarden.configuration.python_tools import load_python_tools  # noqa: PLC0415 - heavy; see above
        from planwarden.tools.builtin import open_builtins  # noqa: PLC0415 - heavy; see above
        from planwarden.tools.data_sources import open_sources  # noqa: PLC0415 - heavy; see above

        settings = self.settings
        here = Path(catalogs.FILE_NAME)
        path = settings.planwarden_config or (here if here.is_file() else None)
        loaded = catalogs.load_catalog_file(path)
        builtins = open_builtins(
            open_sources(data, folder=Path.cwd()), settings.workspace, settings.planwarden_home / "tools"
        )
        own = load_python_tools(loaded) | self._tools
        return catalogs.assemble(loaded, builtins.tools, own, builtins.unavailable)

    async def models(self, pinned: RunStarted | None = None) -> Models:
        """Open the models; for a run begun earlier, from the providers that its journal pins.

        Raises:
            ModelError, ConfigurationError: a model cannot be had.
        """
        providers = (
            pinned.planner.provider if pinned else self.settings.planner_llm.provider,
            pinned.agents.provider if pinned else self.settings.llm.provider,
        )
        if providers not in self._models:
            planner = await self._open_model("planner_llm", providers[0])
            try:
                agents = await self._open_model("llm", providers[1])
            except BaseException:
                await planner.aclose()
                raise
            self._models[providers] = Models(planner=planner, agents=agents)
        return self._models[providers]

    async def _open_model(self, group: str, provider: str) -> LLMService:
        from planwarden.llm.retrying import RetryingLLM  # noqa: PLC0415 - heavy; see above
        from planwarden.llm.selection import LLMSettings, ModelOpener  # noqa: PLC0415 - heavy; see above

        self._opener = self._opener or ModelOpener(
            clock=self.clock, ids=self.ids, cache_dir=self.settings.planwarden_cache / "models"
        )
        chosen = getattr(self.settings, group)
        settings = LLMSettings(
            model=chosen.model,
            provider=provider if provider in ("ollama", "embedded") else "auto",
            base_url=chosen.base_url,
            num_ctx=chosen.num_ctx,
            keep_alive=chosen.keep_alive,
            model_file=chosen.model_file,
            threads=chosen.threads or _processors(),
            prefix=group.upper(),
        )
        service = await self._opener.open(settings)
        return RetryingLLM(service, clock=self.clock, attempts=chosen.retries + 1)

    async def health(self) -> Mapping[str, ModelHealth]:
        """Look whether the models are there."""
        models = await self.models()
        return {"planner": await models.planner.health(), "agents": await models.agents.health()}

    # ---- what it does --------------------------------------------------------------------------------

    async def plan_task(self, task: Task) -> Planning:
        """Plan only: nothing runs, nothing is recorded."""
        world = await self.world(task.data)
        planner = self._planner((await self.models()).planner)
        return await planner.plan(await self._with_exchanges(task), world.catalog, world.policy)

    async def route_task(
        self, task: Task, plan: PlannerPlan | None = None, listener: EventListener | None = None
    ) -> RunResult:
        """Carry out a task, planned by the model or by a plan that `accept_plan` let through.

        Raises:
            PlanwardenError: see errors.py; whatever began stays in the journal and can be resumed.
        """
        orchestrator = await self._orchestrator(task.data, await self.models())
        state = await orchestrator.route_task(await self._with_exchanges(task), plan, listener)
        return await self._result(state)

    async def accept_plan(self, text: str | bytes, task: Task) -> PlannerPlan:
        """Validate a plan that somebody brings along, against catalog and policy as they are now.

        Raises:
            PlanRejected: not a plan, or it names what is not there.
            PlanDenied: policy does not allow it.
        """
        from planwarden.planning.validate import (  # noqa: PLC0415 - heavy; see above
            PlanLimits,
            canonical_plan,
            plan_issues,
            read_plan,
        )

        world = await self.world(task.data)
        read = read_plan(text)
        remedy = "docs/reference/plan.md describes the contract; `planwarden plan TASK --json` writes one."
        if not isinstance(read, PlannerPlan):
            raise PlanRejected(
                f"The plan is refused ({read.rung}: {read.reason}): {read.message}.", remedy=remedy
            )
        plan = canonical_plan(read, world.catalog)
        limits = PlanLimits(max_agents=self.settings.planner_llm.max_agents)
        for issue in plan_issues(plan, world.catalog, world.policy, limits):
            message = f"The plan is refused at {issue.field} ({issue.reason}): {issue.message}."
            if issue.reason in ("tool_denied_by_policy", "answer_without_tools_denied"):
                raise PlanDenied(message, remedy="Change the plan, or the policy in the catalog file.")
            raise PlanRejected(message, remedy=remedy)
        edited = {
            "source": "edited",
            "catalog_digest": world.catalog.digest,
            "policy_digest": world.policy.digest,
        }
        return plan.model_copy(update={"metadata": plan.metadata.model_copy(update=edited)})

    async def resume(self, run_id: str, listener: EventListener | None = None) -> RunResult:
        """Go on with an interrupted run."""
        orchestrator = await self._orchestrator_of(run_id)
        return await self._result(await orchestrator.resume(run_id, listener))

    async def resolve(
        self,
        run_id: str,
        resolution: Resolution,
        *,
        by: str,
        call_id: str | None = None,
        result: Json = None,
        listener: EventListener | None = None,
    ) -> RunResult:
        """Say what a waiting run waits for, and go on with it; see `Orchestrator.resolve`."""
        orchestrator = await self._orchestrator_of(run_id)
        state = await orchestrator.resolve(
            run_id, resolution, by=by, call_id=call_id, result=result, listener=listener
        )
        return await self._result(state)

    async def cancel(self, run_id: str, *, by: str) -> RunResult:
        """Stop a run."""
        journal = await self.journal()
        started = fold(await journal.read(run_id)).started
        from planwarden.llm.absent import AbsentLLM  # noqa: PLC0415 - heavy; see above

        models = Models(planner=AbsentLLM(started.planner), agents=AbsentLLM(started.agents))
        orchestrator = await self._orchestrator((), models)
        return await self._result(await orchestrator.cancel(run_id, by=by))

    async def runs(self, *, limit: int = 50) -> tuple[tuple[RunHead, RunState | StoreCorrupt], ...]:
        """Give the newest runs, newest first; in place of a damaged one's state, what is wrong with it."""
        journal = await self.journal()
        heads = await journal.heads(limit=limit)
        return tuple([(head, await self._state_or_damage(journal, head.run_id)) for head in heads])

    @staticmethod
    async def _state_or_damage(journal: Journal, run_id: str) -> RunState | StoreCorrupt:
        try:
            return fold(await journal.read(run_id))
        except StoreCorrupt as damage:
            return damage

    async def dossier(self, run_id: str) -> Dossier:
        """Build a run's dossier from its journal."""
        journal = await self.journal()
        return build_dossier(await journal.read(run_id), await journal.links(run_id))

    async def verify(self, run_id: str) -> tuple[ChainFault, ...]:
        """Find every place where a run's record is not what was written: chain, payloads, exported file."""
        journal = await self.journal()
        faults = await journal.verify(run_id)
        if faults:
            return faults
        try:
            dossier = await self.dossier(run_id)
        except StoreCorrupt as error:
            return (ChainFault(run_id=run_id, seq=None, problem=error.message),)
        return await asyncio.to_thread(file_faults, self.settings.dossier_folder, dossier)

    # ---- inside --------------------------------------------------------------------------------------

    async def _result(self, state: RunState) -> RunResult:
        dossier = await self.dossier(state.run_id)
        path = await asyncio.to_thread(write_dossier, self.settings.dossier_folder, dossier)
        return RunResult(state=state, dossier=dossier, dossier_path=path)

    async def _orchestrator_of(self, run_id: str) -> Orchestrator:
        journal = await self.journal()
        started = fold(await journal.read(run_id)).started
        return await self._orchestrator(started.task.data, await self.models(started))

    async def _orchestrator(self, data: Sequence[str], models: Models) -> Orchestrator:
        from planwarden.orchestration.executor import Executor  # noqa: PLC0415 - heavy; see above
        from planwarden.orchestration.orchestrator import Orchestrator  # noqa: PLC0415 - heavy; see above
        from planwarden.runtime.directed import AgentSettings, DirectedRuntime  # noqa: PLC0415 - heavy; see above
        from planwarden.runtime.tool_session import ToolWorld  # noqa: PLC0415 - heavy; see above

        world = await self.world(data)
        journal = await self.journal()
        agent = self.settings.llm
        tool_world = ToolWorld(
            catalog=world.catalog, policy=world.policy, tools=world.tools, clock=self.clock
        )
        settings = AgentSettings(
            temperature=agent.temperature,
            seed=agent.seed,
            max_output_tokens=agent.max_output_tokens,
            timeout_s=agent.timeout_s,
        )
        return Orchestrator(
            journal=journal,
            executor=Executor(
                planner=self._planner(models.planner),
                runtime=DirectedRuntime(models.agents, settings, tool_world),
                world=tool_world,
            ),
            owner=self._owner,
            ids=self.ids,
            planner=models.planner.identity,
            agents=models.agents.identity,
            version=VERSION,
        )

    def _planner(self, llm: LLMService) -> LLMOrchestrationPlanner:
        from planwarden.llm.model_file import SMOLLM2  # noqa: PLC0415 - heavy; see above
        from planwarden.planning.planner import LLMOrchestrationPlanner, PlannerSettings  # noqa: PLC0415 - heavy; see above

        chosen = self.settings.planner_llm
        trial = llm.identity.digest == SMOLLM2.digest
        guided = trial if chosen.guided == "auto" else chosen.guided == "yes"
        settings = PlannerSettings(
            max_agents=chosen.max_agents,
            shortlist=chosen.shortlist,
            guided=guided,
            near=GUIDED_NEAR if guided else FREE_NEAR,
            examples=chosen.examples,
            temperature=chosen.temperature,
            seed=chosen.seed,
            max_output_tokens=chosen.max_output_tokens,
            timeout_s=chosen.timeout_s,
            min_confidence=chosen.min_confidence,
            on_low_confidence=chosen.on_low_confidence,
        )
        planner = LLMOrchestrationPlanner(llm, settings)
        self._planners.append(planner)
        return planner

    async def _with_exchanges(self, task: Task) -> Task:
        """Give the task with the earlier turns of its conversation, oldest first, from the journal."""
        if task.conversation is None or task.exchanges:
            return task
        journal = await self.journal()
        turns: list[Exchange] = []
        for head in reversed(await journal.heads(tenant=task.tenant, limit=CONVERSATION_RUNS)):
            state = fold(await journal.read(head.run_id))
            if state.started.task.conversation != task.conversation:
                continue
            turns.append(Exchange(role="user", content=state.started.task.prompt))
            answer = final_answer(state)
            if answer is not None:
                turns.append(Exchange(role="assistant", content=answer.text[:4_000]))
        return task.model_copy(update={"exchanges": tuple(turns[-8:])})


def _processors() -> int:
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 2
