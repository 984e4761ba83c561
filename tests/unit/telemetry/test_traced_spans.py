"""Our spans beside those of OpenTelemetry's SDK: the same is said and sampled, and programs see the same."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from opentelemetry.trace.span import Span

from planwarden.telemetry.opentelemetry import OpenTelemetryTracer
from planwarden.telemetry.readable import Finished, place_of, readable
from planwarden.telemetry.span import SpanRow, innermost
from planwarden.telemetry.tracing import open_tracing
from traces_kit import CALLER, CountingTraceIds, a_provider, an_origin, otlp, rows

NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
VALUE = st.one_of(NAME, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
ATTRIBUTES = st.dictionaries(NAME, VALUE, max_size=4)
CALLERS = SpanContext(
    int("c" * 32, 16), int("d" * 16, 16), is_remote=True, trace_flags=TraceFlags(1), trace_state=None
)


@contextmanager
def inside(span: Span) -> Generator[Span]:
    """Be inside a span that somebody else opened."""
    with trace.use_span(span):
        yield span


def said(spans: Any) -> Any:
    """Give what a receiver is told, but for resource, scope, times and the order of attributes."""
    request = encode_spans(spans)
    found = [span for of in request.resource_spans for each in of.scope_spans for span in each.spans]
    for span in found:
        span.start_time_unix_nano = span.end_time_unix_nano = 0
        span.attributes.sort(key=lambda each: each.key)
        for event in span.events:
            event.time_unix_nano = 0
    return found


def ours(traced: Any) -> Any:
    """Give what a receiver is told of our spans."""
    return said([readable(Finished(an_origin(), row)) for row in traced.rows])


def in_use(span: Span, name: str, more: dict[str, Any]) -> None:
    """Do what a program does with a span that is open."""
    span.set_attribute("by hand", 1)
    span.set_attributes(more)
    span.add_event("tried", more)
    span.add_link(CALLERS)
    span.update_name(f"{name}!")
    span.set_status(StatusCode.ERROR, "broken")


@pytest.mark.requirement("TRC-13")
@given(NAME, ATTRIBUTES, ATTRIBUTES)
def test_a_receiver_is_told_what_the_sdk_would_tell_it(
    name: str, about: dict[str, Any], more: dict[str, Any]
) -> None:
    exporter, provider = InMemorySpanExporter(), a_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    theirs = provider.get_tracer("scope")
    links = [Link(CALLERS)]
    with (
        theirs.start_as_current_span(name, trace.set_span_in_context(NonRecordingSpan(CALLERS)), links=links),
        theirs.start_as_current_span("inner", kind=trace.SpanKind.CLIENT, attributes=about) as span,
    ):
        in_use(span, name, more)
    traced = rows()
    with (
        traced.tracer.span(name, {}, parent=CALLER, links=(CALLER,)),
        traced.tracer.span("inner", about, kind="client"),
    ):
        in_use(trace.get_current_span(), name, more)
    assert ours(traced) == said(exporter.get_finished_spans())


@pytest.mark.requirement("TRC-13")
@pytest.mark.parametrize(
    ("sampler", "caller", "finished"),
    [
        (ParentBased(ALWAYS_ON), None, ["inner", "outer"]),
        (ParentBased(ALWAYS_OFF), None, []),
        (ParentBased(ALWAYS_OFF), CALLER, ["inner", "outer"]),
        (ParentBased(ALWAYS_ON), f"{CALLER[:-2]}00", []),
        (ALWAYS_ON, f"{CALLER[:-2]}00", ["inner", "outer"]),
        (ALWAYS_OFF, CALLER, []),
    ],
)
def test_what_is_kept_is_what_the_sampler_says(
    sampler: Sampler, caller: str | None, finished: list[str]
) -> None:
    traced = rows(sampler)
    with traced.tracer.span("outer", {}, parent=caller) as outer, traced.tracer.span("inner", {}) as inner:
        inner.note({"a": 1})
        inner.fail("broken")
        assert trace.get_current_span().is_recording() is bool(finished)
    assert [row.name for row in traced.rows] == finished
    assert outer.traceparent is not None
    assert outer.traceparent.endswith("-01" if finished else "-00")
    assert {row.trace_id for row in traced.rows} <= {outer.traceparent.split("-")[1]}


class ByName(Sampler):
    """Samples what is named so, whatever it is in."""

    def __init__(self, name: str) -> None:
        self._name = name

    def should_sample(
        self, parent_context: Context | None, trace_id: int, name: str, *_: Any, **__: Any
    ) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE if name == self._name else Decision.DROP)

    def get_description(self) -> str:
        return self._name


@pytest.mark.requirement("TRC-13")
@pytest.mark.parametrize("name", ["outer", "inner"])
def test_a_sampler_that_does_not_ask_the_parent_is_asked_for_every_span(name: str) -> None:
    traced = rows(ByName(name))
    with traced.tracer.span("outer", {}), traced.tracer.span("inner", {}):
        pass
    assert [row.name for row in traced.rows] == [name]


@pytest.mark.requirement("TRC-13")
@pytest.mark.parametrize(
    ("ids", "caller"),
    [
        (RandomIdGenerator(), None),
        (CountingTraceIds(), None),
        (RandomIdGenerator(), CALLER),
        (CountingTraceIds(), f"{CALLER[:-2]}03"),
    ],
)
def test_whether_a_trace_id_is_random_is_said_as_the_sdk_says_it(
    ids: IdGenerator, caller: str | None
) -> None:
    provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
    around = None if caller is None else trace.set_span_in_context(NonRecordingSpan(place_of(caller)))
    theirs = provider.get_tracer("scope").start_span("one", around)
    kept: list[SpanRow] = []
    tracer = OpenTelemetryTracer(provider, kept.append)
    with tracer.span("outer", {}, parent=caller), tracer.span("inner", {}):
        pass
    assert [row.flags for row in kept] == [int(theirs.get_span_context().trace_flags)] * 2


@pytest.mark.requirement("TRC-13")
def test_the_limits_of_events_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "1")
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "2")
    exporter, provider = InMemorySpanExporter(), a_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traced = rows()
    theirs = provider.get_tracer("scope").start_span("one")
    with traced.tracer.span("one", {}):
        for span in (theirs, trace.get_current_span()):
            for name in ("first", "second", "third"):
                span.add_event(name, {"a": "12345", "b": "12345"})
    theirs.end()
    (span,) = ours(traced)
    assert [span] == said(exporter.get_finished_spans())
    assert [event.name for event in span.events] == ["second", "third"]
    assert span.dropped_events_count == 1
    for event in span.events:
        assert [(each.key, each.value.string_value) for each in event.attributes] == [("b", "123")]
        assert event.dropped_attributes_count == 1


@pytest.mark.requirement("TRC-13")
def test_the_variables_of_sampling_and_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    traced = rows()
    with traced.tracer.span("gone", {}):
        pass
    assert traced.rows == []
    monkeypatch.delenv("OTEL_TRACES_SAMPLER")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2")
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")
    assert SpanLimits().max_span_attributes == 2
    traced = rows()
    with traced.tracer.span("cut", {"a": "12345", "b": ["12345"], "c": "12345"}):
        pass
    (span,) = ours(traced)
    assert span.dropped_attributes_count == 1
    assert [each.key for each in span.attributes] == ["b", "c"]
    assert span.attributes[0].value.array_value.values[0].string_value == "123"
    assert span.attributes[1].value.string_value == "123"


@pytest.mark.requirement("TRC-13")
def test_a_program_that_traces_is_around_and_inside_of_ours() -> None:
    exporter, provider = InMemorySpanExporter(), a_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    state = TraceState([("vendor", "x")])
    around = SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1), trace_state=state)
    traced = rows()
    with inside(NonRecordingSpan(around)), traced.tracer.span("ours", {}) as span:
        theirs = provider.get_tracer("theirs").start_span("theirs")
        theirs.end()
        assert traced.tracer.current() is span
    (row,) = traced.rows
    (inner,) = exporter.get_finished_spans()
    assert (row.trace_id, row.parent_id, row.trace_state) == (f"{7:032x}", f"{8:016x}", "vendor=x")
    assert inner.parent is not None
    assert (inner.parent.trace_id, f"{inner.parent.span_id:016x}") == (7, row.span_id)
    assert inner.parent.trace_state == state


@pytest.mark.requirement("TRC-13")
def test_what_is_said_after_the_end_is_not_heard_and_an_exception_is_what_it_is() -> None:
    traced = rows()
    with traced.tracer.span("whole", {}) as span:
        seen = trace.get_current_span()
        seen.record_exception(ValueError("hot"))
        seen.end()
        assert seen.is_recording()
    before = ours(traced)
    span.note({"late": 1})
    span.fail("late")
    in_use(seen, "late", {"late": 1})
    assert ours(traced) == before
    (event,) = before[0].events
    told = {each.key: each.value.string_value for each in event.attributes}
    assert (told["exception.type"], told["exception.message"]) == ("ValueError", "hot")
    assert "ValueError: hot" in told["exception.stacktrace"]


STATUS = st.tuples(st.sampled_from(StatusCode), st.one_of(st.none(), NAME), st.booleans())


@pytest.mark.requirement("TRC-13")
@given(st.lists(STATUS, max_size=4))
def test_of_several_statuses_that_holds_which_the_sdk_keeps(said_of_it: list[Any]) -> None:
    exporter, provider = InMemorySpanExporter(), a_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traced = rows()
    with traced.tracer.span("one", {}), provider.get_tracer("scope").start_as_current_span("one") as theirs:
        for code, why, whole in said_of_it:
            told = Status(code, why if code is StatusCode.ERROR else None)
            for span in (theirs, innermost()):
                assert isinstance(span, Span)
                span.set_status(told) if whole else span.set_status(told.status_code, told.description)
    (row,) = traced.rows
    (expected,) = exporter.get_finished_spans()
    assert (row.status, row.status_text) == (expected.status.status_code.value, expected.status.description)


@pytest.mark.requirement("TRC-13")
def test_a_status_that_says_nothing_leaves_a_failure_as_it_is() -> None:
    traced = rows()
    with traced.tracer.span("one", {}) as span:
        span.fail("broken")
        trace.get_current_span().set_status(StatusCode.UNSET)
    (row,) = traced.rows
    assert (row.status, row.status_text) == (StatusCode.ERROR.value, "broken")


@pytest.mark.requirement("TRC-13")
def test_where_the_sdk_is_disabled_nothing_is_traced(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing = open_tracing(otlp(tmp_path))
    with tracing.tracer.span("gone", {}) as span:
        assert span.traceparent is None
    assert not tracing.on
    tracing.close()
    assert list(tmp_path.iterdir()) == []
