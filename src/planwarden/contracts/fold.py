"""From events to state: `fold` and its one rule per kind of fact. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never

from planwarden.contracts import facts as f
from planwarden.contracts.calls import ToolCall
from planwarden.contracts.deviations import Deviation, DeviationKind
from planwarden.contracts.event import RunEvent
from planwarden.contracts.model import ModelExchange, ModelUsage
from planwarden.contracts.plan import PlanDecision
from planwarden.contracts.run import CallState, RunState, StepState
from planwarden.contracts.turns import RefusedRequest, Turn
from planwarden.contracts.value import digest
from planwarden.errors import StoreCorrupt


def fold(events: Iterable[RunEvent]) -> RunState:
    """Give the state after these events.

    Raises:
        StoreCorrupt: the events are not a run: empty, or not beginning with `run_started`.
    """
    state: RunState | None = None
    for event in events:
        state = _begin(event) if state is None else advance(state, event)
    if state is None:
        raise StoreCorrupt(
            "A run without events.", remedy="Check the journal: planwarden dossier verify RUN."
        )
    return state


def _begin(event: RunEvent) -> RunState:
    if not isinstance(event.fact, f.RunStarted):
        raise StoreCorrupt(
            f"Run {event.run_id} begins with '{event.fact.kind}', not with 'run_started'.",
            remedy=f"Its head was dropped or altered: planwarden dossier verify {event.run_id}.",
        )
    return RunState(
        run_id=event.run_id,
        started=event.fact,
        started_at=event.at,
        active_since=event.at,
        updated_at=event.at,
        seq=event.seq,
        epoch=event.epoch,
        traces=_traces(event.fact),
    )


def advance(state: RunState, event: RunEvent) -> RunState:
    """Give the state after one more event.

    Raises:
        StoreCorrupt: the fact names a step or call that the run does not have.
    """
    changed = _apply(state, event)
    return replace(changed, seq=event.seq, updated_at=event.at, epoch=event.epoch)


def _apply(state: RunState, event: RunEvent) -> RunState:  # noqa: C901, PLR0911, PLR0912 - one arm per fact
    match event.fact:
        case f.RunStarted():
            raise StoreCorrupt(f"Run {state.run_id} starts twice.", remedy="Verify the journal.")
        case f.RunTakenOver():
            return replace(state, active_since=event.at, traces=state.traces + _traces(event.fact))
        case f.ModelNotOpened() as fact:
            return replace(state, not_opened=fact)
        case f.ModelAnswered(step=step, exchange=exchange):
            return _after_turn(_after_model(state, step, exchange), step, exchange)
        case f.PlanDecided(decision=decision):
            return _after_plan(state, event, decision)
        case f.PlanApprovalAsked():
            return _deviate(replace(state, plan_approval="asked"), event, "confidence_gated")
        case f.PlanApprovalGiven():
            return _after_plan_approval(state, event.fact)
        case f.StepStarted(step=step, execution=execution):
            return _on_step(state, step, lambda s: replace(s, status="running", execution=execution))
        case f.ExecutionFell() as fact:
            return _after_fall(state, event, fact)
        case f.CallRefused() as fact:
            return _after_refusal(state, event, fact)
        case f.ApprovalAsked(call=call, verdict=verdict):
            asked = CallState(call=call, status="asked", epoch=event.epoch, at=event.at, verdict=verdict)
            return _put_call(state, asked)
        case f.ApprovalGiven() as fact:
            return _after_approval(state, event, fact)
        case f.CallIntended() as fact:
            return _after_intent(state, event, fact)
        case f.CallReturned(call_id=call_id, value=value, duration_s=duration):
            return _on_call(
                state, call_id, lambda c: replace(c, status="returned", value=value, duration_s=duration)
            )
        case f.CallFailed() as fact:
            return _after_failure(state, event, fact)
        case f.CallInDoubt(call_id=call_id, message=message):
            doubtful = _on_call(state, call_id, lambda c: replace(c, status="in_doubt", message=message))
            return _deviate(doubtful, event, "outcome_in_doubt", _call(state, call_id).call, message)
        case f.CallSettled() as fact:
            return _after_settlement(state, fact)
        case f.StepAnswered(step=step, answer=answer):
            answered = _on_step(state, step, lambda s: replace(s, status="answered", answer=answer))
            return _after_step(answered, event, step)
        case f.StepFailed() as fact:
            return _after_step_failure(state, event, fact)
        case f.CancelRequested(by=by):
            return replace(state, cancelled_by=by)
        case f.RunEnded() as fact:
            return _after_end(state, event, fact)
        case f.PayloadsErased():
            return state  # says nothing of what the run did
        case _:
            assert_never(event.fact)


def _after_model(state: RunState, step: str | None, exchange: ModelExchange) -> RunState:
    cost, total = exchange.usage, state.usage
    usage = ModelUsage(
        prompt_tokens=total.prompt_tokens + cost.prompt_tokens,
        cached_tokens=total.cached_tokens + cost.cached_tokens,
        output_tokens=total.output_tokens + cost.output_tokens,
        latency_s=total.latency_s + cost.latency_s,
    )
    counted = replace(state, usage=usage, model_calls=state.model_calls + 1)
    if step is None:
        return replace(counted, planner_latency_s=(state.planner_latency_s or 0.0) + cost.latency_s)
    return replace(counted, tokens_per_byte=max(state.tokens_per_byte, exchange.tokens_per_byte))


def _after_turn(state: RunState, step_id: str | None, exchange: ModelExchange) -> RunState:
    """Add an exchange of free execution to its step's turns."""
    if step_id is None or exchange.purpose != "work" or exchange.asked_again:
        return state
    turn = Turn(
        text=exchange.reply or "",
        requests=exchange.tool_requests,
        error_code=exchange.error_code or "",
        error=exchange.error or "",
    )
    return _on_step(state, step_id, lambda s: replace(s, turns=(*s.turns, turn)))


def _after_fall(state: RunState, event: RunEvent, fact: f.ExecutionFell) -> RunState:
    fallen = _on_step(state, fact.step, lambda s: replace(s, fell=fact, refused_when_fell=len(s.refused)))
    if fact.reason != "turn_limit":
        return fallen
    return _deviate(fallen, event, "budget_exceeded", step=fact.step, detail=fact.message)


def _came_of_request(step: StepState, outcome: str | RefusedRequest) -> StepState:
    """Note what came of the request in line; requests are carried out one after the other, in their order."""
    turn = step.turns[-1] if step.turns else None
    if not step.is_free or turn is None or turn.pending is None:
        return step
    return replace(step, turns=(*step.turns[:-1], replace(turn, outcomes=(*turn.outcomes, outcome))))


def _after_plan(state: RunState, event: RunEvent, decision: PlanDecision) -> RunState:
    plan = decision.plan
    steps = {step.id: StepState(planned=step) for step in plan.steps} if plan else {}
    decided = replace(state, decision=decision, steps=steps)
    source = plan.metadata.source if plan is not None else None
    if source == "fallback":
        reasons = ", ".join(f"{refusal.rung}: {refusal.reason}" for refusal in decision.refusals)
        decided = _deviate(decided, event, "fallback_plan_used", detail=reasons)
    gated = any(refusal.reason == "confidence_too_low" for refusal in decision.refusals)
    if gated and source in ("fallback", "cached"):  # one that waits for a person deviates as that is asked
        decided = _deviate(decided, event, "confidence_gated")
    return decided


def _after_refusal(state: RunState, event: RunEvent, fact: f.CallRefused) -> RunState:
    def refuse(step: StepState) -> StepState:
        told = RefusedRequest(refusal=fact.refusal, message=fact.message)
        # while a call is open no request is in line: what is refused then is that call, made again
        seen = step if step.open_call else _came_of_request(step, told)
        return replace(seen, refused=(*step.refused, fact))

    refused = _on_step(state, fact.step, refuse)
    deviation = Deviation(
        kind=fact.refusal, seq=event.seq, step=fact.step, tool=fact.tool, detail=fact.message
    )
    return replace(refused, deviations=(*refused.deviations, deviation))


def _after_plan_approval(state: RunState, fact: f.PlanApprovalGiven) -> RunState:
    """Take what a person said about the plan; said too late, or about another plan, it changes nothing."""
    plan = state.decision.plan if state.decision else None
    if state.plan_approval != "asked" or plan is None or fact.plan_digest != plan.digest():
        return state
    return replace(state, plan_approval="approved" if fact.approved else "denied")


def _after_approval(state: RunState, event: RunEvent, fact: f.ApprovalGiven) -> RunState:
    """Take what a person said about a call; said too late, or about other arguments, it changes nothing."""
    asked = _call(state, fact.call_id)
    if asked.status != "asked" or fact.arguments_digest != digest(asked.call.arguments):
        return state
    status = "approved" if fact.approved else "denied"
    given = _on_call(state, fact.call_id, lambda c: replace(c, status=status, settled_by=fact.by))
    if fact.approved:
        return given
    return _deviate(given, event, "approval_denied", asked.call, f"refused by {fact.by}")


def _after_intent(state: RunState, event: RunEvent, fact: f.CallIntended) -> RunState:
    intended = CallState(
        call=fact.call, status="intended", epoch=event.epoch, at=event.at, verdict=fact.verdict
    )
    placed = _put_call(state, intended)
    first = state.find_call(fact.call.id) is None or fact.call.attempt == 1
    if fact.call.role == "fallback" and first:
        return _deviate(placed, event, "fallback_used", fact.call)
    return placed


def _after_failure(state: RunState, event: RunEvent, fact: f.CallFailed) -> RunState:
    failed = _on_call(
        state,
        fact.call_id,
        lambda c: replace(
            c, status="failed", failure=fact.failure, message=fact.message, duration_s=fact.duration_s
        ),
    )
    return _deviate(failed, event, "tool_failed", _call(state, fact.call_id).call, fact.message)


def _after_settlement(state: RunState, fact: f.CallSettled) -> RunState:
    """Take what became of a call; a second opinion, after the first was acted upon, changes nothing."""
    if _call(state, fact.call_id).status not in ("intended", "in_doubt"):
        return state
    status = "returned" if fact.outcome == "done" else "not_done"
    return _on_call(
        state, fact.call_id, lambda c: replace(c, status=status, value=fact.value, settled_by=fact.by)
    )


def _after_step_failure(state: RunState, event: RunEvent, fact: f.StepFailed) -> RunState:
    failed = _on_step(
        state,
        fact.step,
        lambda s: replace(s, status="failed", failure_code=fact.code, failure_message=fact.message),
    )
    if fact.code == "tool_first_policy_violation":
        failed = _deviate(failed, event, "tool_first_violation", step=fact.step, detail=fact.message)
    if fact.code == "budget_exceeded":
        failed = _deviate(failed, event, "budget_exceeded", step=fact.step, detail=fact.message)
    return _after_step(failed, event, fact.step)


def _after_step(state: RunState, event: RunEvent, step_id: str) -> RunState:
    step = state.steps[step_id]
    for tool in step.planned.tools:
        if not any(call.call.tool == tool for call in step.ran):
            deviation = Deviation(kind="tool_skipped", seq=event.seq, step=step_id, tool=tool)
            state = replace(state, deviations=(*state.deviations, deviation))
    if step.status == "answered" and not step.planned.tools:
        state = _deviate(state, event, "answered_without_tools", step=step_id)
    return state


def _after_end(state: RunState, event: RunEvent, fact: f.RunEnded) -> RunState:
    ended = replace(state, ended=fact)
    for step_id, step in state.steps.items():
        if step.status in ("pending", "running"):
            ended = _deviate(ended, event, "step_not_run", step=step_id, detail=f"left {step.status}")
    return ended


def _deviate(
    state: RunState,
    event: RunEvent,
    kind: DeviationKind,
    call: ToolCall | None = None,
    detail: str = "",
    *,
    step: str | None = None,
) -> RunState:
    deviation = Deviation(
        kind=kind,
        seq=event.seq,
        step=call.step if call else step,
        tool=call.tool if call else None,
        detail=detail,
    )
    return replace(state, deviations=(*state.deviations, deviation))


def _traces(fact: f.RunStarted | f.RunTakenOver) -> tuple[str, ...]:
    return (fact.traceparent,) if fact.traceparent else ()


def _on_step(state: RunState, step_id: str, change: Callable[[StepState], StepState]) -> RunState:
    step = state.steps.get(step_id)
    if step is None:
        raise StoreCorrupt(
            f"Run {state.run_id} speaks of step '{step_id}', which its plan does not have.",
            remedy=f"Check it: planwarden dossier verify {state.run_id}.",
        )
    return replace(state, steps={**state.steps, step_id: change(step)})


def _call(state: RunState, call_id: str) -> CallState:
    found = state.find_call(call_id)
    if found is None:
        raise StoreCorrupt(
            f"Run {state.run_id} speaks of call '{call_id}', which was never intended.",
            remedy=f"Check it: planwarden dossier verify {state.run_id}.",
        )
    return found


def _on_call(state: RunState, call_id: str, change: Callable[[CallState], CallState]) -> RunState:
    return _put_call(state, change(_call(state, call_id)))


def _put_call(state: RunState, call: CallState) -> RunState:
    def put(step: StepState) -> StepState:
        if any(other.call.id == call.call.id for other in step.calls):
            calls = tuple(call if other.call.id == call.call.id else other for other in step.calls)
            return replace(step, calls=calls)
        return replace(_came_of_request(step, call.call.id), calls=(*step.calls, call))

    return _on_step(state, call.call.step, put)
