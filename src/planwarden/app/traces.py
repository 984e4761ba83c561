"""Traces as they are configured, and the parts of a run put into spans."""

from __future__ import annotations

import os
from collections.abc import Mapping

from planwarden.app.system import VERSION
from planwarden.configuration.settings import Settings
from planwarden.configuration.telemetry import otlp_protocol
from planwarden.journal.port import Owner
from planwarden.llm.service import LLMService
from planwarden.llm.wrappers.traced import ContentTracedLLM, TracedLLM
from planwarden.runtime.tool_run import ToolRunner, run_tool
from planwarden.runtime.traced import content_traced_tools, traced_tools
from planwarden.telemetry.tracing import Tracing, TracingSettings, open_tracing


def open_traces(settings: Settings, process: Owner) -> Tracing:
    """Open what `TELEMETRY__*` and the standard variables say.

    Raises:
        SettingsRejected: a library is missing, or a variable or file cannot be used.
    """
    chosen = settings.telemetry
    return open_tracing(
        TracingSettings(
            destination=chosen.traces,
            version=VERSION,
            content=chosen.content,
            propagate=chosen.propagate,
            file=settings.traces_file,
            spool=settings.spool_folder,
            process=f"{os.getpid()}-{process.id[:12]}",
            protocol=otlp_protocol(),
        )
    )


def traced_model(adapter: LLMService, tracing: Tracing) -> LLMService:
    """Put each exchange with a model into a span, where traces are on."""
    if not tracing.on:
        return adapter
    inner = ContentTracedLLM(adapter, tracing.tracer) if tracing.content else adapter
    return TracedLLM(inner, tracing.tracer)


def traced_runner(tracing: Tracing) -> ToolRunner:
    """Give what runs tools, in spans where traces are on."""
    if not tracing.on:
        return run_tool
    inner = content_traced_tools(run_tool, tracing.tracer) if tracing.content else run_tool
    return traced_tools(inner, tracing.tracer)


def trace_headers(tracing: Tracing) -> Mapping[str, str]:
    """Give the headers that go with a request to a model server: none unless that is configured."""
    return tracing.tracer.headers() if tracing.propagate else {}
