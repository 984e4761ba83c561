"""The tracing port on OpenTelemetry's SDK, which is installed with `planwarden[telemetry]`."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
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
from planwarden.telemetry.logs import bound

_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}


class OpenTelemetrySpan:
    """A span of the SDK, behind the port."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        """Give its place in the trace."""
        context = self._span.get_span_context()
        if not context.is_valid:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(_given(attributes))

    def fail(self, error_type: str) -> None:
        """Say that the work failed."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(Status(StatusCode.ERROR, error_type))


class OpenTelemetryTracer:
    """Opens spans with one of the SDK's tracers; where a line is logged inside, it carries their ids."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Attributes,
        *,
        kind: Kind = "internal",
        parent: str | None = None,
        links: Sequence[str] = (),
    ) -> Generator[Span]:
        """Open a span around a `with` block."""
        inside = trace.get_current_span().get_span_context()
        linked = [_place(each) for each in links if is_traceparent(each)]
        context = None
        if parent is not None and is_traceparent(parent):
            context = trace.set_span_in_context(trace.NonRecordingSpan(_place(parent)))
            linked += [inside] if inside.is_valid else []
        with self._tracer.start_as_current_span(
            name,
            context,
            _KINDS[kind],
            _given(attributes),
            [Link(each) for each in linked],
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            span = OpenTelemetrySpan(opened)
            at = opened.get_span_context()
            with bound(trace_id=f"{at.trace_id:032x}", span_id=f"{at.span_id:016x}"):
                try:
                    yield span
                except BaseException as error:
                    span.fail(failure_code(error))
                    raise

    def current(self) -> Span:
        """Give the innermost span that is open here."""
        span = trace.get_current_span()
        return OpenTelemetrySpan(span) if span.get_span_context().is_valid else NO_SPAN

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
