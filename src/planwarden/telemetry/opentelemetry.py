"""The tracing port on OpenTelemetry's SDK, which is installed with `planwarden[telemetry]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.context import attach, create_key, detach, get_value, set_value
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from planwarden.contracts.tracing import (
    NO_SPAN,
    Attributes,
    Span,
    failure_code,
    is_traceparent,
)
from planwarden.contracts.tracing import SpanKind as Kind

_OURS = create_key("planwarden-span")
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}


class OpenTelemetrySpan:
    """A span of the SDK, behind the port, opened for a `with` block.

    The SDK's own context managers cost as much again as the span, and each of its attributes a lock.
    """

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._noted: dict[str, AttributeValue] = {}

    def __enter__(self) -> Span:
        self._outside = attach(trace.set_span_in_context(self._span, set_value(_OURS, self)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            self.fail(failure_code(error))
        detach(self._outside)
        self._span.set_attributes(self._noted)
        self._span.end()

    @property
    def traceparent(self) -> str | None:
        """Give its place in the trace."""
        return _traceparent(self._span.get_span_context())

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._noted.update(_given(attributes))

    def fail(self, error_type: str) -> None:
        """Say that the work failed."""
        self._noted["error.type"] = error_type
        self._span.set_status(Status(StatusCode.ERROR, error_type))


def _traceparent(at: SpanContext) -> str | None:
    if not at.is_valid:
        return None
    return f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}"


class OpenTelemetryTracer:
    """Opens spans with one of the SDK's tracers."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def span(
        self,
        name: str,
        attributes: Attributes,
        *,
        kind: Kind = "internal",
        parent: str | None = None,
        links: Sequence[str] = (),
    ) -> AbstractContextManager[Span]:
        """Open a span around a `with` block."""
        under, linked = None, [_place(each) for each in links if is_traceparent(each)]
        if parent is not None and is_traceparent(parent):
            inside = trace.get_current_span().get_span_context()
            under = trace.set_span_in_context(trace.NonRecordingSpan(_place(parent)))
            linked += [inside] if inside.is_valid else []
        return OpenTelemetrySpan(
            self._tracer.start_span(
                name, under, _KINDS[kind], _given(attributes), [Link(each) for each in linked]
            )
        )

    def current(self) -> Span:
        """Give the innermost span of ours that is open here."""
        span = get_value(_OURS)
        return span if isinstance(span, OpenTelemetrySpan) else NO_SPAN

    def headers(self) -> Mapping[str, str]:
        """Give the header by which another process continues it."""
        traceparent = self.current().traceparent
        return {"traceparent": traceparent} if traceparent else {}


def _given(attributes: Attributes) -> dict[str, AttributeValue]:
    return {name: value for name, value in attributes.items() if value is not None}


def _place(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    return SpanContext(
        trace_id=int(trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
    )
