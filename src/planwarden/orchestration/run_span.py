"""The span of a run: one for each process that has it, all in the run's own trace."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from planwarden.contracts.run import RunState
from planwarden.contracts.task import Task
from planwarden.contracts.tracing import Attributes, Span, Tracer
from planwarden.telemetry.logs import bound


@contextmanager
def run_span(tracer: Tracer, task: Task, run_id: str, before: RunState | None = None) -> Generator[Span]:
    """Open the span of this process's part of a run, and bind the run's id to what is logged in it.

    A run that is gone on with stays in the trace in which it began, beside its first span, with links to
    the spans of all who had it before.

    Args:
        tracer: opens it.
        task: of the run.
        run_id: of the run.
        before: the run so far, where it is gone on with.
    """
    about: Attributes = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.conversation.id": task.conversation,
        "planwarden.run.id": run_id,
        "planwarden.run.resumed": before is not None,
        "planwarden.tenant": task.tenant,
    }
    earlier = before.traces if before else ()
    parent = task.traceparent or (earlier[0] if earlier else None)
    with bound(run_id=run_id), tracer.span("invoke_workflow", about, parent=parent, links=earlier) as span:
        yield span


def note_outcome(span: Span, state: RunState) -> None:
    """Note how a run stands when this process leaves it."""
    span.note(
        {
            "planwarden.run.status": state.status,
            "planwarden.run.code": state.ended.code or None if state.ended else None,
            "planwarden.run.adherence": state.adherence,
            "planwarden.run.deviations": [each.kind for each in state.deviations] or None,
            "planwarden.run.steps": len(state.steps),
            "planwarden.run.tool_calls": len(state.calls),
            "planwarden.run.model_calls": state.model_calls,
            "gen_ai.usage.input_tokens": state.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": state.usage.output_tokens,
        }
    )
    if state.ended is not None and state.ended.outcome in ("failed", "refused"):
        span.fail(state.ended.code or state.ended.outcome)
