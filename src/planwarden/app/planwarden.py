"""`Planwarden`: the program as a library sees it. Journal, models and tools are opened when first needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from planwarden.app.archive.archive import open_archive
from planwarden.app.conversation import with_earlier_turns
from planwarden.app.data_paths import absolute_paths
from planwarden.app.remembering import Rebuilt, learn, rebuild
from planwarden.app.result import RunResult
from planwarden.app.shadowing.desk import ShadowDesk
from planwarden.app.system import SystemClock, SystemIds
from planwarden.audit.dossier import build_dossier
from planwarden.audit.log import PlannedWith, log_planning
from planwarden.configuration.settings import Settings, load_settings
from planwarden.configuration.telemetry import secrets_of
from planwarden.contracts.facts import CancelRequested, RunStarted
from planwarden.contracts.fold import fold
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.run import RunState
from planwarden.contracts.summary import summarise
from planwarden.contracts.task import Task
from planwarden.contracts.value import Json
from planwarden.journal.owner import is_dead, this_process
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.planning.memory.lesson import example
from planwarden.planning.memory.sqlite import SqliteMemory
from planwarden.telemetry.logs import hide_secrets
from planwarden.telemetry.tracing import Tracing

# The assembly brings in DuckDB, httpx, jsonschema and PyYAML, over half a second of imports: the few methods
# that need it import it, so that `runs`, `dossier` and `--help` start at once.
if TYPE_CHECKING:
    from planwarden.app.archive.replay import PlannedAgain
    from planwarden.app.models import Models, ModelShelf
    from planwarden.app.planner_shelf import PlannerShelf
    from planwarden.app.trials import Trial
    from planwarden.configuration.catalog_file import AssembledCatalog
    from planwarden.llm.service import LLMService, ModelHealth
    from planwarden.orchestration.orchestrator import Orchestrator, Resolution
    from planwarden.orchestration.run_log import EventListener
    from planwarden.planning.planner import Planning
    from planwarden.tools.tool import Tool


class Planwarden:
    """A running Planwarden: `async with Planwarden.open() as pw: result = await pw.route_task(Task(...))`.

    Journal, models and tools are opened when first needed.
    """

    def __init__(self, settings: Settings, tools: Sequence[Tool]) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.ids = SystemIds()
        hide_secrets(secrets_of(settings))
        self._tracing: Tracing | None = None
        self._tools = {tool.spec.name: tool for tool in tools}
        self._owner = this_process(self.ids.nonce())
        self._journal: SqliteJournal | None = None
        self._shelf: ModelShelf | None = None
        self._worlds: dict[tuple[str, ...], AssembledCatalog] = {}
        self._planners: PlannerShelf | None = None
        self.memory = SqliteMemory(self.settings.memory_path)
        """What is remembered of plans, also while `PLANWARDEN_MEMORY` is off."""
        self.archive = open_archive(settings, self.journal, self.memory, self.clock, self._owner)
        """What is done with runs that are there: anchors, verification, bundles, erasure, backups."""
        self.record = self.archive.record
        """Dossiers, search and totals over the runs in the journal."""
        self.shadow = ShadowDesk(
            settings=settings,
            clock=self.clock,
            journal=self.journal,
            world=self.world,
            shelf=lambda: self.model_shelf,
            recall=self._recall,
        )
        """Planners beside the configured one, which plan and do nothing else."""

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
        """Close models and journal, and deliver what was traced; no shadow plan is waited for."""
        await self.shadow.aclose()
        if self._planners is not None:
            self._planners.close()
        if self._shelf is not None:
            await self._shelf.aclose()
        if self._journal is not None:
            await self._journal.aclose()
        self._journal = None
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)
        self._tracing = None

    # ---- what is there -------------------------------------------------------------------------------

    async def journal(self) -> SqliteJournal:
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
        key = absolute_paths(data)
        if key not in self._worlds:
            from planwarden.app.assembly import assemble_world  # noqa: PLC0415 - heavy; see above

            self._worlds[key] = await asyncio.to_thread(assemble_world, self.settings, key, self._tools)
        return self._worlds[key]

    async def models(self, pinned: RunStarted | None = None, world: AssembledCatalog | None = None) -> Models:
        """Open the models, with those that agents of `world` have of their own; see `ModelShelf.models`."""
        return await self.model_shelf.models(pinned, world)

    async def model(self, role: Literal["planner", "agents"]) -> LLMService:
        """Open the model of one role by itself, for looking at it; the caller closes it.

        Raises:
            ModelError, ConfigurationError: it cannot be had.
        """
        return await self.model_shelf.model(role)

    async def health(self) -> Mapping[str, ModelHealth]:
        """Look whether the models are there."""
        models = await self.models()
        return {"planner": await models.planner.health(), "agents": await models.agents.default.health()}

    async def try_tools(
        self, names: Sequence[str] = (), *, data: Sequence[str] = (), consent: bool = False
    ) -> tuple[Trial, ...]:
        """Try tools by their own examples, all when none is named; built-in ones write to a scratch folder.

        Raises:
            InputError: there is no tool of a name.
            CatalogRejected, DataRejected: see `world`.
        """
        from planwarden.app.trials import TrialRules, try_in_scratch  # noqa: PLC0415 - heavy; see above

        rules = TrialRules(clock=self.clock, ids=self.ids, consent=consent)
        return await try_in_scratch(self.settings, self._tools, names, rules, data=absolute_paths(data))

    # ---- what it does --------------------------------------------------------------------------------

    async def plan_task(self, task: Task) -> Planning:
        """Plan only: nothing runs, nothing is recorded."""
        from planwarden.planning.prompt import PROMPT_VERSION  # noqa: PLC0415 - heavy; see above
        from planwarden.planning.traced import TracedPlanner  # noqa: PLC0415 - heavy; see above

        prepared = await self._prepared(task)
        world = await self.world(prepared.data)
        remembered = await self._planner_shelf().memory.recall(prepared.tenant, prepared.conversation)
        models = await self.models()
        planner = TracedPlanner(self._planner_shelf().planner(models), self.tracing.tracer)
        planning = await planner.plan(prepared, world.catalog, world.policy, remembered)
        made = PlannedWith(
            catalog_digest=world.catalog.digest,
            policy_digest=world.policy.digest,
            planner_model=models.planner.identity.model,
            prompt_version=PROMPT_VERSION,
            prompt_digest=planning.exchanges[-1].prompt_digest() if planning.exchanges else None,
        )
        log_planning(planning.decision, made)
        return planning

    async def route_task(
        self, task: Task, plan: PlannerPlan | None = None, listener: EventListener | None = None
    ) -> RunResult:
        """Carry out a task, planned by the model or by a plan that `accept_plan` let through.

        Raises:
            PlanwardenError: see errors.py; whatever began stays in the journal and can be resumed.
            ModelError: a model cannot be had; that is on record as a failed run, whose id the error has.
        """
        with self.shadow.real_work():
            prepared = await self._prepared(task)
            world = await self.world(prepared.data)  # its mistakes are said before any model is opened
            memory = self._planner_shelf().memory
            await memory.recall(prepared.tenant, prepared.conversation)  # and the memory's
            opened = await self.model_shelf.try_models(world=world)
            orchestrator = await self._orchestrator(world, opened.models)
            if (missing := opened.not_had) is None:
                return await self._result(await orchestrator.route_task(prepared, plan, listener))
            failed = await self._result(await orchestrator.fail_to_begin(prepared, missing.fact(), plan))
            raise missing.error.on_record(failed.run_id)

    async def accept_plan(self, text: str | bytes, task: Task) -> PlannerPlan:
        """Validate a plan that somebody brings along, against catalog and policy as they are now.

        Raises:
            PlanRejected: not a plan, or it names what is not there.
            PlanDenied: policy does not allow it.
        """
        from planwarden.app.assembly import accept_plan  # noqa: PLC0415 - heavy; see above

        return accept_plan(text, await self.world(absolute_paths(task.data)), self.settings.planner_llm)

    async def add_example(self, plan: str | bytes, task: Task) -> RememberedPlan:
        """Remember a plan for a request, validated against catalog and policy as they are now.

        Raises:
            PlanRejected, PlanDenied: see `accept_plan`.
            StoreError: the memory cannot be written.
        """
        given = task.model_copy(update={"data": absolute_paths(task.data)})
        taught = example(given, await self.accept_plan(plan, given), at=self.clock.now())
        await self.memory.remember(taught)
        return taught

    async def forget_run(self, run_id: str) -> int:
        """Forget what a run taught; it never teaches again. Gives how many plans were forgotten.

        Raises:
            RunNotFound: no such run.
        """
        started = fold(await (await self.journal()).read(run_id)).started
        return await self.memory.forget_run(started.task.tenant, run_id)

    async def rebuild_memory(self) -> Rebuilt:
        """Learn from all runs in the journal anew; examples stay, what was forgotten stays forgotten."""
        on = self.settings.planwarden_memory == "on"
        memory = self._planner_shelf().memory if on else self.memory
        return await rebuild(memory, await self.journal(), now=self.clock.now())

    async def plan_again(self, run_id: str) -> PlannedAgain | None:
        """Plan a run's task again as it was planned then: same task, catalog, policy, provider.

        None where there is nothing to plan again: a plan was brought along, or none was decided.

        Raises:
            RunNotFound: no such run.
            SnapshotMissing: catalog or policy of the run were not kept.
        """
        from planwarden.app.archive.replay import plan_again, planning_inputs  # noqa: PLC0415 - heavy; see above

        inputs = await planning_inputs(await self.journal(), run_id, self._planner_shelf().memory)
        if inputs is None:
            return None
        models = await self.models(inputs.started)
        return await plan_again(inputs, self._planner_shelf().planner(models), models.planner.identity)

    async def resume(self, run_id: str, listener: EventListener | None = None) -> RunResult:
        """Go on with an interrupted run; of one that is over, say how it ended, without its models."""
        with self.shadow.real_work():
            if (state := await self._own(run_id)).ended is not None:
                return await self._result(state)
            orchestrator = await self._orchestrator_of(state)
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
        with self.shadow.real_work():
            orchestrator = await self._orchestrator_of(await self._own(run_id))
            state = await orchestrator.resolve(
                run_id, resolution, by=by, call_id=call_id, result=result, listener=listener
            )
            return await self._result(state)

    async def cancel(self, run_id: str, *, by: str) -> RunResult:
        """Stop a run; needs neither its models nor its catalog or data."""
        from planwarden.app.assembly import only_to_end  # noqa: PLC0415 - heavy; see above

        orchestrator = await self._orchestrator(*only_to_end((await self._own(run_id)).started))
        return await self._result(await orchestrator.cancel(run_id, by=by))

    async def request_cancel(self, run_id: str, *, by: str) -> None:
        """Have a run stopped by the process that runs it, within about a second."""
        await (await self.journal()).post(run_id, CancelRequested(by=by))

    @property
    def tracing(self) -> Tracing:
        """Give where spans go, opened when first needed.

        Raises:
            SettingsRejected: what `TELEMETRY__TRACES` needs is not installed or cannot be written.
        """
        if self._tracing is None:
            from planwarden.app.traces import open_traces  # noqa: PLC0415 - heavy; see above

            self._tracing = open_traces(self.settings, self._owner)
        return self._tracing

    @property
    def model_shelf(self) -> ModelShelf:
        """Give what opens the models."""
        if self._shelf is None:
            from planwarden.app.models import ModelShelf  # noqa: PLC0415 - heavy; see above

            self._shelf = ModelShelf(self.settings, self.clock, self.ids, self.tracing)
        return self._shelf

    # ---- inside --------------------------------------------------------------------------------------

    def _planner_shelf(self) -> PlannerShelf:
        if self._planners is None:
            from planwarden.app.planner_shelf import PlannerShelf  # noqa: PLC0415 - heavy; see above

            self._planners = PlannerShelf(self.settings, self.memory)
        return self._planners

    async def _recall(self, tenant: str, conversation: str | None) -> Sequence[RememberedPlan]:
        return await self._planner_shelf().memory.recall(tenant, conversation)

    async def _result(self, state: RunState) -> RunResult:
        await learn(state, self._planner_shelf().memory)
        journal = await self.journal()
        events = await journal.read(state.run_id)
        await journal.index.put([summarise(events)])
        if state.ended is not None:
            await self.archive.anchoring.daily()
        dossier = build_dossier(events, await journal.links(state.run_id))
        path = await self.record.export(dossier)
        await self.shadow.offer(state)
        return RunResult(state=state, dossier=dossier, dossier_path=path)

    async def _own(self, run_id: str) -> RunState:
        await (await self.journal()).transfer.require_own(run_id)
        return fold(await (await self.journal()).read(run_id))

    async def _orchestrator_of(self, state: RunState) -> Orchestrator:
        from planwarden.app.assembly import only_to_end  # noqa: PLC0415 - heavy; see above

        if state.not_opened is not None:  # it failed to begin: its end alone is missing
            return await self._orchestrator(*only_to_end(state.started))
        world = await self.world(state.started.task.data)
        return await self._orchestrator(world, await self.models(state.started, world))

    async def _orchestrator(self, world: AssembledCatalog, models: Models) -> Orchestrator:
        from planwarden.app.assembly import make_orchestrator, snapshots_of  # noqa: PLC0415 - heavy; see above

        journal = await self.journal()
        await journal.snapshots.keep(snapshots_of(world))
        made = make_orchestrator(
            journal=journal,
            owner=self._owner,
            clock=self.clock,
            ids=self.ids,
            models=models,
            planner=self._planner_shelf().planner(models),
            world=world,
            memory=self._planner_shelf().memory,
            chosen=self.settings.llm,
            tracing=self.tracing,
        )
        return replace(made, keeps_snapshots=True)

    async def _prepared(self, task: Task) -> Task:
        """Give the task as it is stored: data paths absolute, with the earlier turns of its conversation."""
        prepared = task.model_copy(update={"data": absolute_paths(task.data)})
        if task.conversation is None or task.exchanges:
            return prepared
        context = max(self.settings.planner_llm.num_ctx, self.settings.llm.num_ctx)
        return await with_earlier_turns(prepared, await self.journal(), context_tokens=context)
