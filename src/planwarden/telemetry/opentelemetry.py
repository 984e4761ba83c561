"""The tracing port: spans that OpenTelemetry understands. It comes with the extra `telemetry`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import Link, SpanContext, SpanKind

from planwarden.contracts.tracing import NO_SPAN, Attributes, Span, is_traceparent
from planwarden.contracts.tracing import SpanKind as Kind
from planwarden.telemetry.readable import place_of
from planwarden.telemetry.span import CURRENT, Place, SpanRow, TracedSpan, given, innermost, traceparent_of

_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
_NUMBERS = {kind: known.value for kind, known in _KINDS.items()}
_SAMPLED = 1
_RANDOM = 2
"""Bits of a trace's flags."""


class OpenTelemetryTracer:
    """Opens spans, sampled and numbered as a provider of OpenTelemetry's SDK is set up to."""

    def __init__(self, provider: TracerProvider, finish: Callable[[SpanRow], None]) -> None:
        """Take sampler and ids from `provider`; `finish` is told each sampled span that ended."""
        self._sampler = provider.sampler
        self._ids = provider.id_generator
        self._finish = finish
        self._inherited = type(self._sampler).should_sample is ParentBased.should_sample
        """Whether a span inside one of ours is sampled if that is: so it is said, unless it is configured."""

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
        inside = get_current().get(CURRENT)  # types are compared: to ask an ABC takes its time
        if type(inside) is not TracedSpan:
            inside = trace.get_current_span()
        linked = [each for each in links if is_traceparent(each)] if links else []
        about = given(attributes)
        if parent is not None and is_traceparent(parent):
            outer = inside.get_span_context()
            linked += [traceparent_of(outer)] if outer.is_valid else []
            place = self._place(name, about, kind, linked, trace.NonRecordingSpan(place_of(parent)))
        elif self._inherited and type(inside) is TracedSpan:
            place = inside.inside
        else:
            place = self._place(name, about, kind, linked, inside)
        return TracedSpan(
            place,
            f"{self._ids.generate_span_id():016x}",
            name,
            about,
            kind=_NUMBERS[kind],
            links=linked,
            finish=self._finish if place.flags & _SAMPLED else None,
        )

    def current(self) -> Span:
        """Give the innermost span of ours that is open here."""
        return innermost() or NO_SPAN

    def headers(self) -> Mapping[str, str]:
        """Give the header by which another process continues it."""
        traceparent = self.current().traceparent
        return {"traceparent": traceparent} if traceparent else {}

    def _place(
        self, name: str, about: dict[str, Any], kind: Kind, linked: Sequence[str], outer: trace.Span
    ) -> Place:
        """Ask the sampler; what it adds goes into `about`."""
        under = outer.get_span_context()
        trace_id = under.trace_id if under.is_valid else self._ids.generate_trace_id()
        sampled = self._sampler.should_sample(
            trace.set_span_in_context(outer, Context()) if under.is_valid else Context(),
            trace_id,
            name,
            _KINDS[kind],
            about,
            [Link(place_of(each)) for each in linked],
        )
        about.update(cast("Any", sampled).attributes or {})  # its type is said in part only
        return Place(
            f"{trace_id:032x}",
            f"{under.span_id:016x}" if under.is_valid else None,
            under.is_remote,
            (_SAMPLED if sampled.decision.is_sampled() else 0) | self._random(under),
            sampled.trace_state.to_header() if sampled.trace_state else "",
        )

    def _random(self, under: SpanContext) -> int:
        if under.is_valid:
            return under.trace_flags & _RANDOM
        says_so = getattr(self._ids, "is_trace_id_random", bool)  # older releases of the SDK do not
        return _RANDOM if says_so() else 0
