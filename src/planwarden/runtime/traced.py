"""Wrappers that trace what an agent does: its step as `invoke_agent`, each tool that runs as `execute_tool`.

A refused call does not run and has no span of its own; the step's span says how many there were, and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from planwarden.contracts.run import StepState
from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.tracing import Attributes, Tracer
from planwarden.contracts.value import Json
from planwarden.runtime.recorder import Recorder
from planwarden.runtime.tool_run import Failed, Returned, ToolRunner, Unclear
from planwarden.telemetry.logs import without_secrets
from planwarden.tools.tool import Tool, ToolContext


class StepRunner(Protocol):
    """Carries out steps."""

    async def run_step(self, recorder: Recorder, step_id: str) -> None:
        """Take a step as far as it goes; all of it on record."""
        ...


class TracedSteps:
    """Puts each step into a span."""

    def __init__(self, inner: StepRunner, tracer: Tracer) -> None:
        self._inner = inner
        self._tracer = tracer

    async def run_step(self, recorder: Recorder, step_id: str) -> None:
        """Take a step as far as it goes, in a span named by its agent."""
        planned = recorder.state.steps[step_id].planned
        about: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": planned.agent,
            "gen_ai.conversation.id": recorder.state.started.task.conversation,
            "planwarden.run.id": recorder.state.run_id,
            "planwarden.step.id": step_id,
        }
        with self._tracer.span(f"invoke_agent {planned.agent}", about) as span:
            await self._inner.run_step(recorder, step_id)
            step = recorder.state.steps[step_id]
            span.note(_came_of(step))
            if step.failure_code:
                span.fail(step.failure_code)


def _came_of(step: StepState) -> Attributes:
    return {
        "planwarden.step.status": step.status,
        "planwarden.step.execution": "free" if step.is_free else "directed",
        "planwarden.step.calls": len(step.calls),
        "planwarden.step.refusals": [each.refusal for each in step.refused] or None,
    }


def traced_tools(run: ToolRunner, tracer: Tracer) -> ToolRunner:
    """Put each run of a tool into a span, and tell the tool the span's place in the trace."""

    async def traced(
        tool: Tool, spec: ToolSpec, arguments: Mapping[str, Json], context: ToolContext
    ) -> Returned | Failed | Unclear:
        about: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": spec.name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": context.call_id,
            "planwarden.run.id": context.run_id,
            "planwarden.tool.effect": spec.effect,
        }
        with tracer.span(f"execute_tool {spec.name}", about) as span:
            outcome = await run(tool, spec, arguments, replace(context, traceparent=span.traceparent))
            match outcome:
                case Returned():
                    pass
                case Failed(failure=failure):
                    span.fail(failure)
                case Unclear(failure=failure):
                    span.note({"planwarden.tool.in_doubt": True})
                    span.fail(failure)
        return outcome

    return traced


def content_traced_tools(run: ToolRunner, tracer: Tracer) -> ToolRunner:
    """Add arguments and result, in full but for secrets, to the span that `traced_tools` around it opened."""

    async def traced(
        tool: Tool, spec: ToolSpec, arguments: Mapping[str, Json], context: ToolContext
    ) -> Returned | Failed | Unclear:
        span = tracer.current()
        span.note({"gen_ai.tool.call.arguments": _json(dict(arguments))})
        outcome = await run(tool, spec, arguments, context)
        if isinstance(outcome, Returned):
            span.note({"gen_ai.tool.call.result": _json(outcome.value)})
        return outcome

    return traced


def _json(value: Json) -> str:
    return json.dumps(without_secrets(value), ensure_ascii=False)
