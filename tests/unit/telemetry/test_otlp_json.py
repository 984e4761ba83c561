"""Spans as lines of OTLP: what a Collector reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from planwarden.telemetry.otlp_json import OtlpLines
from planwarden.telemetry.readable import Finished, readable
from traces_kit import CALLER, an_origin, rows

TEXT = st.text(max_size=20)
VALUES = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.lists(TEXT, max_size=3),
)


def one_span(
    name: str,
    attributes: dict[str, Any],
    *,
    failed: bool,
    parent: str | None,
    events: Sequence[str],
    state: str,
) -> ReadableSpan:
    traced = rows()
    with traced.tracer.span(name, attributes, parent=parent, links=(CALLER,)) as span:
        for event in events:
            trace.get_current_span().add_event(event, attributes)
        if failed:
            span.fail("broken")
    (finished,) = traced.rows
    return readable(Finished(an_origin(service='a "quoted" name'), finished._replace(trace_state=state)))


def as_protobuf(line: str) -> ExportTraceServiceRequest:
    """Read a line as OTLP says it: ids are hexadecimal, where other bytes of protobuf are base64."""
    value = json.loads(line)
    for span in value["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for place in (span, *span["links"]):
            for name in {"traceId", "spanId", "parentSpanId"} & set(place):
                place[name] = base64.b64encode(bytes.fromhex(place[name])).decode()
    return json_format.Parse(json.dumps(value), ExportTraceServiceRequest())


def comparable(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """Take out where the two differ: theirs leaves out whether a span is sampled, ours says less of links."""
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.flags &= 0x300
        for link in span.links:
            link.flags = 0
    return request


@pytest.mark.requirement("TRC-11")
@given(
    TEXT.filter(bool),
    st.dictionaries(TEXT.filter(bool), VALUES, max_size=4),
    st.booleans(),
    st.sampled_from([None, CALLER]),
    st.lists(TEXT.filter(bool), max_size=3),
    st.sampled_from(["", "vendor=x", 'vendor=a"b\\,other=1']),
)
def test_a_line_says_what_the_exporter_of_opentelemetry_says(
    name: str, attributes: dict[str, Any], failed: bool, parent: str | None, events: list[str], state: str
) -> None:
    span = one_span(name, attributes, failed=failed, parent=parent, events=events, state=state)
    line = OtlpLines().line(span)
    assert "\n" not in line
    theirs = comparable(encode_spans([span]))
    assert str(comparable(as_protobuf(line))) == str(theirs)  # as text, in which NaN is like itself
