"""What a run says in the structured log: codes, names from the catalog and digests, no payloads.

docs/guides/logs.md lists every event with its fields.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import (
    ApprovalAsked,
    CallFailed,
    CallInDoubt,
    CallRefused,
    ExecutionFell,
    ModelAnswered,
    ModelNotOpened,
    PlanApprovalAsked,
    PlanDecided,
    RunEnded,
    RunStarted,
    RunTakenOver,
    StepFailed,
    StepStarted,
)
from planwarden.contracts.model import ModelExchange
from planwarden.contracts.plan import (
    PlanDecision,
    PlanMetadata,
    PlannedAgentStep,
    PlannerPlan,
    PlanSource,
    Refusal,
)
from planwarden.errors import StoreError
from planwarden.telemetry.logs import log

_SEGMENT = re.compile(r"([a-z_]{1,40})((?:\[\d{1,4}\])*)")
_FIELDS = frozenset((
    *PlannerPlan.model_fields, *PlannedAgentStep.model_fields, *PlanMetadata.model_fields,
    "agents", "plan", "why", "value",
))  # fmt: skip
"""The names that may stand in a logged path: the contract's and the notation's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWith:
    """What a plan was made of: enough to find the same circumstances again."""

    catalog_digest: str
    policy_digest: str
    planner_model: str | None
    """None for a plan that somebody brought along."""
    prompt_version: str | None = None
    """Of the planner's prompt; likewise."""
    prompt_digest: str | None = None
    """Of the last prompt that the planner's model was asked; None where none was."""
    run_id: str | None = None


@dataclass(slots=True, kw_only=True)
class LoggedRun:
    """What the lines of a run rest on beside its events."""

    started: RunStarted
    tools: Container[str]
    """The names in the catalog; another one a model made up, and it is not logged."""
    prompt_version: str
    """Of the planner's prompt."""
    asked: ModelExchange | None = None
    """The last exchange with the planner's model that was logged about."""


def log_event(event: RunEvent, run: LoggedRun) -> None:
    """Log what an operator has to know of one event."""
    match event.fact:
        case RunStarted() as fact:
            log("info", "run_started", seq=event.seq, planner_model=fact.planner.model, **_digests(fact))
        case RunTakenOver() as fact:
            log("info", "run_taken_over", seq=event.seq, **_digests(fact))
        case ModelAnswered(step=None, exchange=exchange):
            run.asked = exchange
            _log_work(event, run.tools)
        case PlanDecided(decision=decision):
            _log_decision(event, decision, run)
        case RunEnded(outcome=outcome, code=code):
            log("info", "run_ended", seq=event.seq, outcome=outcome, code=code)
        case _:
            _log_work(event, run.tools)


def _log_work(event: RunEvent, tools: Container[str]) -> None:
    seq = event.seq
    match event.fact:
        case PlanApprovalAsked(plan_digest=plan_digest):
            log("info", "approval_asked", seq=seq, what="plan", plan_digest=plan_digest)
        case ApprovalAsked(call=call):
            log("info", "approval_asked", seq=seq, what="call", call_id=call.id, tool=call.tool)
        case StepStarted(step=step, agent=agent, execution=execution):
            log("info", "step_started", seq=seq, step_id=step, agent=agent, execution=execution)
        case ModelAnswered(step=step, exchange=exchange) if exchange.error_code is not None:
            code, again = exchange.error_code, exchange.asked_again
            log(
                "warning",
                "model_failed",
                seq=seq,
                step_id=step,
                purpose=exchange.purpose,
                code=code,
                asked_again=again,
            )
        case ModelNotOpened(role=role, agent=agent, code=code):
            log("warning", "model_not_opened", seq=seq, role=role, agent=agent, code=code)
        case StepFailed(step=step, code=code):
            log("warning", "step_failed", seq=seq, step_id=step, code=code)
        case ExecutionFell(step=step, reason=reason):
            log("warning", "execution_fell", seq=seq, step_id=step, reason=reason)
        case _:
            _log_call(event, tools)


def _log_call(event: RunEvent, tools: Container[str]) -> None:
    seq = event.seq
    match event.fact:
        case CallRefused(step=step, tool=tool, refusal=refusal):
            known = tool if tool in tools else "*"
            log("warning", "call_refused", seq=seq, step_id=step, tool=known, refusal=refusal)
        case CallFailed(call_id=call_id, failure=failure):
            log("warning", "call_failed", seq=seq, call_id=call_id, failure=failure)
        case CallInDoubt(call_id=call_id):
            log("warning", "call_in_doubt", seq=seq, call_id=call_id)
        case _:
            pass


def _log_decision(event: RunEvent, decision: PlanDecision, run: LoggedRun) -> None:
    started, plan = run.started, decision.plan
    made = PlannedWith(
        catalog_digest=started.catalog_digest,
        policy_digest=started.policy_digest,
        planner_model=started.planner.model,
        prompt_version=None if _source(decision) == "edited" else run.prompt_version,
        prompt_digest=run.asked.prompt_digest() if run.asked and decision.refusals else None,
        run_id=event.run_id,
    )
    log_refusals(decision.refusals, made, source=_source(decision))
    log(
        "info",
        "plan_decided",
        seq=event.seq,
        plan_source=_source(decision),
        steps=len(plan.steps) if plan else 0,
        confidence=plan.confidence if plan else None,
        prompt_version=made.prompt_version,
    )


def _digests(fact: RunStarted | RunTakenOver) -> dict[str, str]:
    return {"catalog_digest": fact.catalog_digest, "policy_digest": fact.policy_digest}


def log_planning(decision: PlanDecision, made: PlannedWith) -> None:
    """Log what was refused on the way to a plan that no run follows yet."""
    log_refusals(decision.refusals, made, source=_source(decision))


def log_refusals(refusals: Sequence[Refusal], made: PlannedWith, *, source: PlanSource | None) -> None:
    """Log each rung of the validity ladder that refused, as `plan_validation_failed`.

    Args:
        refusals: their messages, which may quote the model or a file, are left out.
        made: with what.
        source: of the plan that is followed in the end; `edited` for one brought along, None for no plan.
    """
    for refusal in refusals:
        field = safe_field(refusal.field)
        log(
            "warning",
            "plan_validation_failed",
            run_id=made.run_id,
            rung=refusal.rung,
            inner_rung=refusal.inner,
            reason=refusal.reason,
            field=field,
            step=_step(field),
            plan_source=source,
            planner_model=made.planner_model,
            prompt_version=made.prompt_version,
            prompt_digest=made.prompt_digest,
            catalog_digest=made.catalog_digest,
            policy_digest=made.policy_digest,
        )


def log_unlearned(run_id: str, error: StoreError) -> None:
    """Log that what a run taught could not be kept; `planwarden memory rebuild` learns it later."""
    log("warning", "memory_not_written", run_id=run_id, code=error.code)


def log_unreadable(error: StoreError) -> None:
    """Log that the journal cannot be read, so that there are no metrics until it can."""
    log("warning", "journal_unreadable", code=error.code)


def log_shadow_failed(run_id: str | None, code: str, kind: str) -> None:
    """Log that a shadow plan could not be made or kept; the run itself is not touched by it.

    Args:
        run_id: of the run whose task it was; None where no run is concerned yet.
        code: of the error.
        kind: the class of an error that nobody foresaw; its text, which may quote a task, is left out.
    """
    log("warning", "shadow_failed", run_id=run_id, code=code, kind=kind)


def safe_field(field: str) -> str:
    """Give the path of a field with every name replaced by `*` that is not the contract's own.

    A path may hold names that a model or a file made up, and these may hold anything.
    """
    parts = (_SEGMENT.fullmatch(part) for part in field.split(".")) if field else ()
    return ".".join(
        f"{part[1]}{part[2]}" if part is not None and part[1] in _FIELDS else "*" for part in parts
    )


def _step(field: str) -> int | None:
    """Give the position of the step that a field belongs to, from 0."""
    found = re.match(r"steps\[(\d{1,4})\]", field)
    return int(found[1]) if found else None


def _source(decision: PlanDecision) -> PlanSource | None:
    return decision.plan.metadata.source if decision.plan else None
