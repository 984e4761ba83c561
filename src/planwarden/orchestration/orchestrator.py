"""The front door: a task goes in, a run comes out; runs are resumed, resolved, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import anyio

from planwarden.audit.log import LoggedRun, log_event
from planwarden.contracts.clock import Ids
from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import (
    ApprovalGiven,
    CallSettled,
    CancelRequested,
    Fact,
    ModelNotOpened,
    PlanApprovalGiven,
    PlanDecided,
    RunStarted,
    RunTakenOver,
)
from planwarden.contracts.fold import fold
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlannerPlan
from planwarden.contracts.run import CallState, RunState
from planwarden.contracts.task import Task
from planwarden.contracts.tracing import NO_TRACES, Span, Tracer
from planwarden.contracts.value import Json, digest
from planwarden.errors import InputError, LeaseHeld, StoreCorrupt
from planwarden.journal.port import Journal, Lease, Owner
from planwarden.orchestration.executor import Executor
from planwarden.orchestration.run_log import EventListener, RunLog
from planwarden.orchestration.run_span import note_outcome, run_span
from planwarden.planning.planner import Planning
from planwarden.planning.prompt import PROMPT_VERSION

Resolution = Literal["done", "not_done", "approve", "deny"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orchestrator:
    """Routes tasks through planner, scheduler and runtime; keeps everything in the journal."""

    journal: Journal
    executor: Executor
    owner: Owner
    ids: Ids
    planner: ModelIdentity
    agents: ModelIdentity
    agent_models: Mapping[str, ModelIdentity] = field(default_factory=dict[str, ModelIdentity])
    version: str
    tracer: Tracer = NO_TRACES
    keeps_snapshots: bool = False
    """Whether catalog and policy are kept beside what is begun; by whoever makes this."""

    async def plan_task(self, task: Task) -> Planning:
        """Plan only: nothing runs, nothing is recorded."""
        return await self.executor.plan(task)

    async def route_task(
        self, task: Task, plan: PlannerPlan | None = None, listener: EventListener | None = None
    ) -> RunState:
        """Carry out a task: planned by the model, or by a validated plan that was brought along.

        Raises:
            StoreError: the journal cannot be written.
            LeaseLost: another process took the run over.
        """
        run_id = self.ids.run_id()
        with run_span(self.tracer, task, run_id) as span:
            facts: list[Fact] = [self._started(task, span)]
            if plan is not None:
                facts.append(PlanDecided(decision=PlanDecision(plan=plan)))
            lease, events = await self.journal.create(run_id, task.tenant, self.owner, facts)
            return await self._go_on(lease, events, listener, span)

    async def fail_to_begin(
        self, task: Task, why: ModelNotOpened, plan: PlannerPlan | None = None
    ) -> RunState:
        """Record a run that cannot be planned or carried out, because a model that it needs cannot be had.

        Raises:
            StoreError: the journal cannot be written.
        """
        run_id = self.ids.run_id()
        with run_span(self.tracer, task, run_id) as span:
            facts: list[Fact] = [self._started(task, span), why]
            if plan is not None:
                facts.append(PlanDecided(decision=PlanDecision(plan=plan)))
            lease, events = await self.journal.create(run_id, task.tenant, self.owner, facts)
            return await self._go_on(lease, events, None, span)

    def _started(self, task: Task, span: Span) -> RunStarted:
        world = self.executor.world
        return RunStarted(
            task=task,
            planner=self.planner,
            agents=self.agents,
            agent_models=dict(self.agent_models),
            catalog_digest=world.catalog.digest,
            policy_digest=world.policy.digest,
            planwarden_version=self.version,
            snapshots_kept=self.keeps_snapshots,
            traceparent=span.traceparent,
        )

    async def resume(self, run_id: str, listener: EventListener | None = None) -> RunState:
        """Go on with a run from where its journal ends.

        Raises:
            RunNotFound: no such run.
            LeaseHeld: a live process is running it.
            StoreCorrupt: its record is not what was written.
        """
        state = fold(await self.journal.read(run_id))
        if state.ended is not None:
            return state
        await self._refuse_altered(run_id)
        with run_span(self.tracer, state.started.task, run_id, state) as span:
            lease, events = await self._take_over(run_id, span)
            return await self._go_on(lease, events, listener, span)

    async def _take_over(self, run_id: str, span: Span) -> tuple[Lease, tuple[RunEvent, ...]]:
        world = self.executor.world
        taken = RunTakenOver(
            owner=self.owner.id,
            catalog_digest=world.catalog.digest,
            policy_digest=world.policy.digest,
            traceparent=span.traceparent,
        )
        lease = await self.journal.acquire(run_id, self.owner)
        try:
            await self.journal.append(lease, [taken])
            return lease, await self.journal.read(run_id)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.journal.release(lease)
            raise

    async def _refuse_altered(self, run_id: str) -> None:
        """Act only on a record whose every byte is as written."""
        for fault in await self.journal.verify(run_id):
            raise StoreCorrupt(
                f"The record of run {run_id} was altered: {fault.problem}.",
                remedy=f"Restore the journal from a backup. See planwarden dossier verify {run_id}.",
            )

    async def resolve(
        self,
        run_id: str,
        resolution: Resolution,
        *,
        by: str,
        call_id: str | None = None,
        result: Json = None,
        listener: EventListener | None = None,
    ) -> RunState:
        """Say what a waiting run waits for, and go on with it.

        Args:
            run_id: which run.
            resolution: `done` or `not_done` for a call in doubt; `approve` or `deny` where approval is asked.
            by: who says so.
            call_id: which call; the only one waiting when None.
            result: what a call that was done had returned, where it is known.
            listener: is told every event.

        Raises:
            RunNotFound: no such run.
            InputError: the run does not wait for this.
        """
        state = fold(await self.journal.read(run_id))
        await self.journal.post(run_id, _resolution_fact(state, resolution, by, call_id, result))
        return await self.resume(run_id, listener)

    async def cancel(self, run_id: str, *, by: str) -> RunState:
        """Stop a run; where a live process runs it, that process stops it within about a second.

        Raises:
            RunNotFound: no such run.
            InputError: the run is over already.
        """
        state = fold(await self.journal.read(run_id))
        if state.ended is not None:
            raise InputError(
                f"Run {run_id} is over already: {state.ended.outcome}.", remedy="There is nothing to cancel."
            )
        await self.journal.post(run_id, CancelRequested(by=by))
        try:
            return await self.resume(run_id)
        except LeaseHeld:
            return state

    async def _go_on(
        self, lease: Lease, events: tuple[RunEvent, ...], listener: EventListener | None, span: Span
    ) -> RunState:
        state = fold(events)
        run = LoggedRun(
            started=state.started, tools=self.executor.world.catalog.tools, prompt_version=PROMPT_VERSION
        )

        def tell(event: RunEvent) -> None:
            log_event(event, run)
            if listener is not None:
                listener(event)

        for event in events:
            if event.epoch == lease.epoch:
                tell(event)
        log = RunLog(self.journal, lease, state, tell)
        try:
            return await self.executor.carry_out(log)
        finally:
            note_outcome(span, log.state)
            with anyio.CancelScope(shield=True):
                await log.release()


def _resolution_fact(
    state: RunState, resolution: Resolution, by: str, call_id: str | None, result: Json
) -> Fact:
    if state.ended is not None:
        raise InputError(
            f"Run {state.run_id} is over already: {state.ended.outcome}.",
            remedy="There is nothing to resolve.",
        )
    if resolution in ("done", "not_done"):
        call = _waiting_call(state, call_id, "in_doubt")
        confirmed: Json = {"text": f"Confirmed as done by {by}; its result was not recorded."}
        value = (confirmed if result is None else result) if resolution == "done" else None
        outcome = "done" if resolution == "done" else "not_done"
        return CallSettled(call_id=call.call.id, outcome=outcome, value=value, by=by)
    approved = resolution == "approve"
    plan = state.decision.plan if state.decision else None
    if state.plan_approval == "asked" and plan is not None and call_id is None:
        return PlanApprovalGiven(plan_digest=plan.digest(), approved=approved, by=by)
    call = _waiting_call(state, call_id, "asked")
    return ApprovalGiven(
        call_id=call.call.id, arguments_digest=digest(call.call.arguments), approved=approved, by=by
    )


def _waiting_call(state: RunState, call_id: str | None, status: Literal["in_doubt", "asked"]) -> CallState:
    waiting = [call for call in state.calls if call.status == status]
    chosen = [call for call in waiting if call_id in (None, call.call.id)]
    if len(chosen) == 1:
        return chosen[0]
    what = "is in doubt" if status == "in_doubt" else "waits for approval"
    listed = ", ".join(f"{call.call.id} ({call.call.tool})" for call in waiting) or "none"
    which = f"call {call_id}" if call_id else "exactly one call"
    raise InputError(
        f"Run {state.run_id}: {which} was expected to be one that {what}; those are: {listed}.",
        remedy=f"See planwarden dossier show {state.run_id} --format md; name the call with --call ID.",
    )
