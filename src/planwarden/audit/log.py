"""What a run says in the structured log: one event per line, no payloads, no secrets.

Goes to the standard logger `planwarden`, which is silent until a program gives it a handler.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog

from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import (
    CallFailed,
    CallInDoubt,
    CallRefused,
    ExecutionFell,
    PlanDecided,
    RunEnded,
)
from planwarden.contracts.plan import PlanDecision

LOGGER = "planwarden"
logging.getLogger(LOGGER).addHandler(logging.NullHandler())


def _log() -> Any:  # noqa: ANN401 - structlog's bound loggers are untyped
    return structlog.wrap_logger(
        logging.getLogger(LOGGER),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def log_event(event: RunEvent) -> None:
    """Log what an operator has to know of one event."""
    log = _log().bind(run_id=event.run_id, seq=event.seq)
    match event.fact:
        case PlanDecided(decision=decision):
            log_refusals(decision, run_id=event.run_id)
        case CallRefused(step=step, tool=tool, refusal=refusal):
            log.warning("call_refused", step=step, tool=tool, refusal=refusal)
        case ExecutionFell(step=step, reason=reason):
            log.warning("execution_fell", step=step, reason=reason)
        case CallFailed(call_id=call_id, failure=failure):
            log.warning("call_failed", call_id=call_id, failure=failure)
        case CallInDoubt(call_id=call_id):
            log.warning("call_in_doubt", call_id=call_id)
        case RunEnded(outcome=outcome, code=code):
            log.info("run_ended", outcome=outcome, code=code)
        case _:
            pass


def log_refusals(decision: PlanDecision, *, run_id: str | None = None) -> None:
    """Log each rung of the validity ladder that refused, as `plan_validation_failed`."""
    plan = decision.plan
    source = plan.metadata.source if plan else None
    for refusal in decision.refusals:
        _log().warning(
            "plan_validation_failed",
            run_id=run_id,
            rung=refusal.rung,
            reason=refusal.reason,
            field=refusal.field,
            plan_source=source,
        )
