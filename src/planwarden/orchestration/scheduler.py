"""What happens next in a run: `next_move(state)`. Pure; the executor does what it says."""

from __future__ import annotations

from dataclasses import dataclass

from planwarden.contracts.calls import ToolCall
from planwarden.contracts.facts import RunOutcome
from planwarden.contracts.plan import PlanDecision
from planwarden.contracts.run import RunState, StepState


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePlan:
    """Ask the planner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Find out what became of a call whose intent an earlier owner left open."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """Carry out this step, as far as it goes."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForPerson:
    """Nothing can go on before a person has spoken."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """End the run."""

    outcome: RunOutcome
    code: str = ""
    message: str = ""


Move = MakePlan | Reconcile | RunStep | WaitForPerson | Finish


def next_move(state: RunState) -> tuple[Move, ...]:
    """Say what to do next: nothing (the run is over), one move, or steps that may run together."""
    if state.ended is not None:
        return ()
    if state.cancelled_by is not None:
        message = f"cancelled by {state.cancelled_by}"
        return (Finish(outcome="cancelled", code="cancelled", message=message),)
    if state.not_opened is not None:
        return (Finish(outcome="failed", code=state.not_opened.code, message=state.not_opened.message),)
    if state.decision is None:
        return (MakePlan(),)
    if state.decision.plan is None:
        return (_refused(state.decision),)
    if state.plan_approval == "asked":
        return (WaitForPerson(what="the plan waits for approval"),)
    if state.plan_approval == "denied":
        return (Finish(outcome="refused", code="approval_denied", message="a person refused the plan"),)
    left_open = tuple(
        Reconcile(call=call.call)
        for call in state.calls
        if call.status == "intended" and call.epoch < state.epoch
    )
    return left_open or _steps(state)


def _refused(decision: PlanDecision) -> Finish:
    last = decision.refusals[-1] if decision.refusals else None
    return Finish(
        outcome="refused",
        code=last.reason if last else "nothing_allowed",
        message=last.message if last else "nothing may be done",
    )


def _steps(state: RunState) -> tuple[Move, ...]:
    failed = next((step for step in state.steps.values() if step.status == "failed"), None)
    if failed is not None:
        message = f"step '{failed.planned.id}' failed: {failed.failure_message}"
        return (Finish(outcome="failed", code=failed.failure_code, message=message),)
    ready = [step for step in state.steps.values() if _ready(step, state)]
    runnable = [step for step in ready if not _waiting_on(step)]
    if runnable:
        limit = state.started.task.limits.max_parallel_steps
        return tuple(RunStep(step=step.planned.id) for step in runnable[:limit])
    if ready:
        return (WaitForPerson(what=_waiting_on(ready[0])),)
    return (_completed(state),)


def _ready(step: StepState, state: RunState) -> bool:
    done = all(state.steps[name].status == "answered" for name in step.planned.depends_on)
    return done and step.status in ("pending", "running")


def _waiting_on(step: StepState) -> str:
    for call in step.calls:
        if call.status == "asked":
            return f"call {call.call.id} ({call.call.tool}) waits for approval"
        if call.status == "in_doubt":
            return f"call {call.call.id} ({call.call.tool}) is in doubt: {call.message}"
    return ""


def _completed(state: RunState) -> Finish:
    plan = state.decision.plan if state.decision else None
    if plan is not None and plan.metadata.way_out == "ask_user":
        return Finish(
            outcome="asked", code="task_unclear", message="the planner put a question back to the user"
        )
    return Finish(outcome="completed")
