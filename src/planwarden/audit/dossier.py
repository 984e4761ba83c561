"""Building the dossier: a pure function of a run's events and their chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from planwarden.contracts import facts as f
from planwarden.contracts.dossier import (
    Dossier,
    DossierApproval,
    DossierCall,
    DossierEvent,
    DossierExchange,
    DossierStep,
    NotOpened,
)
from planwarden.contracts.event import EventLink, RunEvent
from planwarden.contracts.fold import fold
from planwarden.contracts.run import CallState, RunState, final_answer
from planwarden.contracts.value import canonical_json, digest


def build_dossier(events: Sequence[RunEvent], links: Sequence[EventLink]) -> Dossier:
    """Build the audit file of one run. Pure: the same record gives the same bytes.

    Raises:
        StoreCorrupt: the events are not a run.
    """
    state = fold(events)
    plan = state.decision.plan if state.decision else None
    return Dossier(
        run_id=state.run_id,
        status=state.status,
        outcome_code=state.ended.code if state.ended else "",
        outcome_message=state.ended.message if state.ended else "",
        task=state.started.task,
        planner=state.started.planner,
        agents=state.started.agents,
        agent_models=state.started.agent_models,
        catalog_digest=state.started.catalog_digest,
        policy_digest=state.started.policy_digest,
        planwarden_version=state.started.planwarden_version,
        started_at=state.started_at,
        updated_at=state.updated_at,
        not_opened=_not_opened(state),
        decision=state.decision,
        plan_digest=plan.digest() if plan else None,
        steps=tuple(_steps(state)),
        calls=tuple(_calls(state)),
        approvals=tuple(_approvals(events)),
        deviations=state.deviations,
        adherence=state.adherence,
        answer=final_answer(state),
        usage=state.usage,
        model_calls=state.model_calls,
        exchanges=tuple(_exchanges(events)),
        events=tuple(dossier_event(link) for link in links),
        head=links[-1].hash,
    )


def dossier_bytes(dossier: Dossier) -> bytes:
    """Serialise a dossier to its one canonical form, as it is written to disk and compared."""
    return canonical_json(dossier.model_dump(mode="json")) + b"\n"


def _not_opened(state: RunState) -> NotOpened | None:
    fact = state.not_opened
    if fact is None:
        return None
    return NotOpened(
        role=fact.role, agent=fact.agent, code=fact.code, message=fact.message, remedy=fact.remedy
    )


def _steps(state: RunState) -> Iterable[DossierStep]:
    for step in state.steps.values():
        yield DossierStep(
            id=step.planned.id,
            agent=step.planned.agent,
            status=step.status,
            execution=step.execution,
            fell=f"{step.fell.reason}: {step.fell.message}" if step.fell else "",
            answer=step.answer,
            failure_code=step.failure_code,
            failure_message=step.failure_message,
        )


def _calls(state: RunState) -> Iterable[DossierCall]:
    for step in state.steps.values():
        for refused in step.refused:
            yield DossierCall(
                id=None,
                step=refused.step,
                tool=refused.tool,
                role=None,
                status="refused",
                arguments=refused.arguments,
                verdict=refused.verdict,
                refusal=refused.refusal,
                message=refused.message,
            )
        for call in step.calls:
            yield _call(state.run_id, call)


def _call(run_id: str, state: CallState) -> DossierCall:
    returned = state.status == "returned"
    return DossierCall(
        id=state.call.id,
        step=state.call.step,
        tool=state.call.tool,
        role=state.call.role,
        status=state.status,
        arguments=state.call.arguments,
        verdict=state.verdict,
        failure=state.failure,
        message=state.message,
        attempt=state.call.attempt,
        idempotency_key=state.call.idempotency_key(run_id),
        result=state.value if returned else None,
        result_digest=digest(state.value) if returned else None,
        duration_s=state.duration_s,
        settled_by=state.settled_by,
    )


def _approvals(events: Iterable[RunEvent]) -> Iterable[DossierApproval]:
    for event in events:
        match event.fact:
            case f.PlanApprovalGiven(plan_digest=subject, approved=approved, by=by):
                said = "approved" if approved else "denied"
                yield DossierApproval(at=event.at, by=by, what="plan", subject=subject, decision=said)
            case f.ApprovalGiven(call_id=subject, approved=approved, by=by):
                said = "approved" if approved else "denied"
                yield DossierApproval(at=event.at, by=by, what="call", subject=subject, decision=said)
            case f.CallSettled(call_id=subject, outcome=outcome, by=by):
                yield DossierApproval(at=event.at, by=by, what="outcome", subject=subject, decision=outcome)
            case f.CancelRequested(by=by):
                yield DossierApproval(
                    at=event.at, by=by, what="cancel", subject=event.run_id, decision="cancel"
                )
            case _:
                pass


def _exchanges(events: Iterable[RunEvent]) -> Iterable[DossierExchange]:
    for event in events:
        if isinstance(event.fact, f.ModelAnswered):
            exchange = event.fact.exchange
            yield DossierExchange(
                seq=event.seq,
                step=event.fact.step,
                prompt_digest=exchange.prompt_digest(),
                exchange=exchange,
            )


def dossier_event(link: EventLink) -> DossierEvent:
    """Give one line of the record as a dossier shows it."""
    return DossierEvent(
        seq=link.seq,
        at=link.at,
        epoch=link.epoch,
        kind=link.kind,
        payload_digest=link.payload_digest,
        hash=link.hash,
    )
