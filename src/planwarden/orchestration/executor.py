"""The one run loop: ask the scheduler, do what it says, until the run ends or waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import anyio

from planwarden.contracts.calls import ToolCall
from planwarden.contracts.facts import (
    CallInDoubt,
    CallSettled,
    Fact,
    ModelAnswered,
    PlanApprovalAsked,
    PlanDecided,
    RunEnded,
    StepFailed,
)
from planwarden.contracts.run import RunState
from planwarden.contracts.task import Task
from planwarden.orchestration.run_log import RunLog
from planwarden.orchestration.scheduler import (
    Finish,
    MakePlan,
    Move,
    Reconcile,
    RunStep,
    WaitForPerson,
    next_move,
)
from planwarden.planning.memory.in_process import InProcessMemory
from planwarden.planning.memory.port import PlanMemory
from planwarden.planning.planner import Planning
from planwarden.planning.traced import Planner
from planwarden.runtime.tool_run import ask_tool
from planwarden.runtime.tool_session import ToolWorld
from planwarden.runtime.traced import StepRunner
from planwarden.telemetry.logs import bound
from planwarden.tools.tool import Done, NotDone, ToolContext, Unknown

HEARTBEAT_S = 1.0
"""How often the owner renews its lease and looks for requests from outside, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Carries out runs with one planner, one runtime and one world of tools."""

    planner: Planner
    runtime: StepRunner
    world: ToolWorld
    memory: PlanMemory = field(default_factory=InProcessMemory)

    async def plan(self, task: Task) -> Planning:
        """Plan a task with what its tenant and conversation remember; records nothing.

        Raises:
            StoreError: the memory cannot be read.
        """
        remembered = await self.memory.recall(task.tenant, task.conversation)
        return await self.planner.plan(task, self.world.catalog, self.world.policy, remembered)

    async def carry_out(self, log: RunLog) -> RunState:
        """Take a run as far as it goes.

        Raises:
            LeaseLost: another process took the run over; nothing more was done here.
        """
        lost: list[Exception] = []
        try:
            async with anyio.create_task_group() as tasks:
                working = anyio.CancelScope()
                tasks.start_soon(self._heartbeat, log, working, lost)
                with working:
                    await self._loop(log)
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise _first(group) from group
        if lost:
            raise lost[0]
        if log.state.cancelled_by is not None and log.state.ended is None:
            await self._loop(log)
        return log.state

    async def _loop(self, log: RunLog) -> None:
        while True:
            state = await log.absorb()
            moves = next_move(state)
            if not moves or isinstance(moves[0], WaitForPerson):
                return
            await self._make(log, moves)

    async def _make(self, log: RunLog, moves: Sequence[Move]) -> None:
        async with anyio.create_task_group() as tasks:
            for move in moves:
                match move:
                    case MakePlan():
                        await self._plan(log)
                    case Reconcile(call=call):
                        await self._reconcile(log, call)
                    case RunStep(step=step):
                        tasks.start_soon(self._step, log, step)
                    case Finish(outcome=outcome, code=code, message=message):
                        await log.record(RunEnded(outcome=outcome, code=code, message=message))
                    case WaitForPerson():
                        return

    async def _heartbeat(self, log: RunLog, working: anyio.CancelScope, lost: list[Exception]) -> None:
        """Keep the lease; stop the work when it is lost or somebody cancels."""
        while True:
            await anyio.sleep(HEARTBEAT_S)
            try:
                await log.renew()
                state = await log.absorb()
            except Exception as error:  # noqa: BLE001 - handed on below: without its record the run must stop
                lost.append(error)
                working.cancel()
                return
            if state.cancelled_by is not None:
                working.cancel()
                return

    async def _plan(self, log: RunLog) -> None:
        await log.record(*planning_facts(await self.plan(log.state.started.task)))

    async def _step(self, log: RunLog, step: str) -> None:
        """Run a step inside what is left of the run's wall time."""
        state = log.state
        limit = state.started.task.limits.max_wall_s
        left = limit - (self.world.clock.now() - state.active_since).total_seconds()
        with bound(step_id=step), anyio.move_on_after(max(0.0, left)) as scope:
            if left > 0:
                await self.runtime.run_step(log, step)
        over = left <= 0 or scope.cancelled_caught
        if over and log.state.steps[step].status in ("pending", "running"):
            message = f"the run's wall time of {limit:g} s is spent"
            await log.record(StepFailed(step=step, code="budget_exceeded", message=message))

    async def _reconcile(self, log: RunLog, call: ToolCall) -> None:
        """Settle an intent that an earlier owner left open: read, ask the tool, or leave it to a person."""
        await log.record(await self._settlement(log.state.run_id, call))

    async def _settlement(self, run_id: str, call: ToolCall) -> Fact:
        tool, spec = self.world.tools.get(call.tool), self.world.catalog.tools.get(call.tool)
        if tool is None or spec is None:
            return CallInDoubt(call_id=call.id, message=f"'{call.tool}' is not in the catalog any more")
        if spec.effect == "read":
            return CallSettled(call_id=call.id, outcome="not_done", by="read")
        context = ToolContext(
            run_id=run_id,
            call_id=call.id,
            idempotency_key=call.idempotency_key(run_id),
            now=self.world.clock.now(),
        )
        match await ask_tool(tool, spec, call.arguments, context):
            case Done(value=value):
                return CallSettled(call_id=call.id, outcome="done", value=value, by="verify")
            case NotDone():
                return CallSettled(call_id=call.id, outcome="not_done", by="verify")
            case Unknown(reason=reason):
                message = f"the process ended while '{call.tool}' may have been running: {reason}"
                return CallInDoubt(call_id=call.id, message=message)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Give the first real error of a group of concurrent ones; the others stay in its cause."""
    error = group.exceptions[0]
    return _first(cast("ExceptionGroup[Exception]", error)) if isinstance(error, ExceptionGroup) else error


def planning_facts(planning: Planning) -> tuple[Fact, ...]:
    """Give the facts that a planning leaves on record. Pure."""
    facts: list[Fact] = [ModelAnswered(exchange=exchange) for exchange in planning.exchanges]
    facts.append(PlanDecided(decision=planning.decision))
    plan = planning.decision.plan
    if planning.needs_person and plan is not None:
        reason = planning.decision.refusals[-1].message
        facts.append(PlanApprovalAsked(plan_digest=plan.digest(), reason=reason))
    return tuple(facts)
