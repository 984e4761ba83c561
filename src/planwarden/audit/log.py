"""What a run says in the structured log: one event per line, no payloads, no secrets.

Goes to the standard logger `planwarden`, which is silent until a program gives it a handler.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
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
    RunStarted,
)
from planwarden.contracts.plan import (
    PlanDecision,
    PlanMetadata,
    PlannedAgentStep,
    PlannerPlan,
    PlanSource,
    Refusal,
)
from planwarden.errors import StoreError

LOGGER = "planwarden"
logging.getLogger(LOGGER).addHandler(logging.NullHandler())

_SEGMENT = re.compile(r"([a-z_]{1,40})((?:\[\d{1,4}\])*)")
_FIELDS = frozenset((
    *PlannerPlan.model_fields, *PlannedAgentStep.model_fields, *PlanMetadata.model_fields,
    "agents", "plan", "why", "value",
))  # fmt: skip
"""The names that may stand in a logged path: the contract's and the notation's."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWith:
    """What a plan was made of: enough to find the same circumstances again."""

    catalog_digest: str
    policy_digest: str
    planner_model: str | None
    """None for a plan that somebody brought along."""
    run_id: str | None = None


def log_event(event: RunEvent, started: RunStarted) -> None:
    """Log what an operator has to know of one event of a run that began so."""
    log = _log().bind(run_id=event.run_id, seq=event.seq)
    match event.fact:
        case PlanDecided(decision=decision):
            made = PlannedWith(
                catalog_digest=started.catalog_digest,
                policy_digest=started.policy_digest,
                planner_model=started.planner.model,
                run_id=event.run_id,
            )
            log_refusals(decision.refusals, made, source=_source(decision))
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
        _log().warning(
            "plan_validation_failed",
            run_id=made.run_id,
            rung=refusal.rung,
            inner_rung=refusal.inner,
            reason=refusal.reason,
            field=field,
            step=_step(field),
            plan_source=source,
            planner_model=made.planner_model,
            catalog_digest=made.catalog_digest,
            policy_digest=made.policy_digest,
        )


def log_unlearned(run_id: str, error: StoreError) -> None:
    """Log that what a run taught could not be kept; `planwarden memory rebuild` learns it later."""
    _log().warning("memory_not_written", run_id=run_id, code=error.code)


def log_shadow_failed(run_id: str | None, code: str, kind: str) -> None:
    """Log that a shadow plan could not be made or kept; the run itself is not touched by it.

    Args:
        run_id: of the run whose task it was; None where no run is concerned yet.
        code: of the error.
        kind: the class of an error that nobody foresaw; its text, which may quote a task, is left out.
    """
    _log().warning("shadow_failed", run_id=run_id, code=code, kind=kind)


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
