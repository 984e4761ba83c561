"""What one run adds to each metric. Pure.

What a run once added to a counter or a histogram it adds for good: only what cannot change any more is
counted there, and the rest in gauges. A counter that fell would be taken for one that began anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from planwarden.audit.metrics.declared import OPEN_CALL, OPEN_RUN, Labels
from planwarden.contracts.summary import RunSummary, SummarisedCall

Mark = tuple[str, Labels, float]
"""A metric, its labels, and what it grows by; for a histogram the value that falls into it."""


def is_over(run: RunSummary) -> bool:
    """Tell whether nothing of a run can change any more."""
    return run.status not in OPEN_RUN


def marks(run: RunSummary) -> Iterator[Mark]:
    """Give everything that a run adds, as far as it got."""
    yield from _planning(run)
    yield from _models(run)
    for call in run.calls:
        yield from _call(run, call)
    for kind, count in run.deviations.items():
        yield "planwarden_deviations", (kind,), count
    yield "planwarden_run_takeovers", (), run.takeovers
    if is_over(run):
        yield from _ended(run)
    else:
        yield "planwarden_open_runs", (run.status,), 1
        yield from _waiting(run)


def _planning(run: RunSummary) -> Iterator[Mark]:
    for refused in run.refusals:
        yield "planwarden_plan_refusals", (refused.rung, refused.reason), 1
    if run.source is not None:
        yield "planwarden_plans", (run.source,), 1
    if run.plan_steps is not None:
        yield "planwarden_plan_steps", (), run.plan_steps
    decided = run.plan_steps is not None or is_over(run)
    if decided and run.planner_latency_s is not None:  # until then a repair may add to it
        yield "planwarden_planner_latency_seconds", (run.planner_provider,), run.planner_latency_s


def _models(run: RunSummary) -> Iterator[Mark]:
    for spent in run.tokens:
        yield "planwarden_model_calls", (spent.role,), spent.calls
        yield "planwarden_model_seconds", (spent.role,), spent.latency_s
        yield "planwarden_tokens", (spent.role, "in"), spent.prompt
        yield "planwarden_tokens", (spent.role, "out"), spent.output
        yield "planwarden_cached_tokens", (spent.role,), spent.cached
    for fault in run.model_faults:
        yield "planwarden_model_errors", (fault.role, fault.code), fault.count


def _call(run: RunSummary, call: SummarisedCall) -> Iterator[Mark]:
    if call.status in OPEN_CALL and not is_over(run):
        yield "planwarden_open_calls", (call.status,), 1
        return
    yield "planwarden_tool_calls", (call.verdict or "none", _outcome(call)), 1
    if call.duration_s is not None:
        yield "planwarden_tool_call_duration_seconds", (), call.duration_s


def _outcome(call: SummarisedCall) -> str:
    match call.status:
        case "returned" | "refused" | "denied" | "in_doubt":
            return call.status
        case "failed":
            return call.failure or "error"
        case "asked" | "approved" | "intended" | "not_done":
            return "not_run"


def _ended(run: RunSummary) -> Iterator[Mark]:
    yield "planwarden_runs", (run.status,), 1
    yield "planwarden_run_duration_seconds", (), max((run.updated_at - run.started_at).total_seconds(), 0.0)
    if run.adherence is not None:
        yield "planwarden_adherence_ratio", (), run.adherence


def _waiting(run: RunSummary) -> Iterator[Mark]:
    waiting = {
        "plan": int(run.plan_waits),
        "call": sum(call.status == "asked" for call in run.calls),
        "outcome": sum(call.status == "in_doubt" for call in run.calls),
    }
    for kind, count in waiting.items():
        if count:
            yield "planwarden_approvals_waiting", (kind,), count
            yield "planwarden_oldest_wait_timestamp_seconds", (kind,), run.updated_at.timestamp()
