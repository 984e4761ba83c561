"""Spans as bytes of OTLP: the same as OpenTelemetry's own exporter would send, whatever is in them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import SpanLimits

from planwarden.telemetry import otlp_bytes as module
from planwarden.telemetry.otlp_bytes import request_bytes, span_bytes
from planwarden.telemetry.readable import Finished, readable
from planwarden.telemetry.span import SpanRow
from traces_kit import CALLER, an_origin

HALF = "half \ud800"
LONG = "x" * 70_000
"""Longer than two bytes can say."""
TEXT = st.one_of(
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from(["", "a" * 127, "a" * 128, "ä" * 100, LONG, HALF]),
)
PLAIN = st.one_of(
    TEXT, st.booleans(), st.integers(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)
)
VALUES = st.one_of(
    PLAIN,
    st.none(),
    st.lists(TEXT, max_size=3),
    st.lists(PLAIN | st.none(), max_size=3),
    st.tuples(TEXT, TEXT),
    st.dictionaries(TEXT, PLAIN, max_size=2),
)
NAMES = st.one_of(TEXT, st.sampled_from([1, None, True, ("a",)]))
TIMES = st.integers(0, 2**64 - 1)
IDS = st.integers(1, 2**64 - 1).map("{:016x}".format)
ORIGIN = an_origin(service="shop")


@st.composite
def some_rows(draw: st.DrawFn) -> SpanRow:
    """Give any span that a run, a program or the spool of a dead process may leave."""
    seldom = st.sampled_from([False] * 11 + [True])
    return SpanRow(
        trace_id=f"{draw(st.integers(1, 2**128 - 1)):032x}",
        span_id=draw(IDS),
        parent_id=draw(st.none() | IDS),
        parent_elsewhere=draw(st.booleans()),
        flags=draw(st.sampled_from([1, 3])),
        trace_state="vendor=x" if draw(seldom) else "",
        name=draw(TEXT if not draw(seldom) else cast("Any", NAMES)),
        kind=draw(st.integers(0, 4)),
        started=draw(TIMES),
        ended=draw(TIMES),
        status=draw(st.sampled_from([0, 0, 2, 2, 1])),
        status_text=draw(st.none() | TEXT),
        attributes=draw(st.dictionaries(cast("Any", NAMES if draw(seldom) else TEXT), VALUES, max_size=5)),
        links=[CALLER] if draw(seldom) else (),
        events=[("hm", 5, {"a": HALF})] if draw(seldom) else (),
    )


def sent(*finished: Finished) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(request_bytes(map(span_bytes, finished)))


def theirs(finished: Sequence[Finished]) -> ExportTraceServiceRequest:
    return encode_spans([readable(each) for each in finished])


def a_row(**attributes: Any) -> SpanRow:
    return SpanRow(
        "0" * 31 + "1", "0" * 15 + "2", None, False, 1, "", "plan", 0, 1, 2, 0, None, attributes, (), ()
    )


@pytest.mark.requirement("TRC-17")
@given(
    st.lists(some_rows(), min_size=1, max_size=4),
    st.builds(
        SpanLimits,
        max_span_attributes=st.sampled_from([2, 128]),
        max_span_attribute_length=st.sampled_from([None, None, None, 3]),
    ),
)
@example([a_row(a=1), a_row(a=True), a_row(a=1.0), a_row(a="1"), a_row(a=["1"])], SpanLimits())
@example([a_row(a=0.0), a_row(a=-0.0), a_row(a=[]), a_row(a=-1), a_row(a=2**63)], SpanLimits())
@example([a_row(a=float("inf")), a_row(**{"a?": 1, "a\ud800": 2})], SpanLimits())
@example(
    [a_row(a=HALF), a_row(a=[HALF]), a_row()._replace(name=HALF, status=2, status_text=HALF)], SpanLimits()
)
@example([a_row(a=[1, "b"]), a_row(a=["b", None]), a_row(a=[True]), a_row(a=[["b"]])], SpanLimits())
@example(
    [a_row()._replace(status=2, status_text=cast("Any", 5)), a_row()._replace(name=cast("Any", 5))],
    SpanLimits(),
)
def test_what_is_sent_is_what_the_exporter_of_opentelemetry_would_send(
    rows: Sequence[SpanRow], limits: SpanLimits
) -> None:
    origin = replace(ORIGIN, limits=limits)
    finished = [Finished(origin, row) for row in rows]
    assert sent(*finished) == theirs(finished)


@pytest.mark.requirement("TRC-17")
def test_spans_of_several_processes_are_sent_each_with_its_own() -> None:
    ours, heirs = an_origin(service="shop"), an_origin(service="shop before")
    finished = [
        Finished(origin, a_row(a=origin.resource.attributes["service.name"]))
        for origin in (ours, heirs, ours)
    ]
    assert sent(*finished) == theirs(finished)
    assert [len(each.scope_spans[0].spans) for each in sent(*finished).resource_spans] == [2, 1]
    assert request_bytes([]) == b""


@pytest.mark.requirement("TRC-17")
def test_what_runs_say_is_put_together_by_hand_and_only_the_rest_by_protobuf(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = list[Finished]()

    def counted(finished: Finished) -> bytes:
        slow.append(finished)
        return b""

    monkeypatch.setattr(module, "_by_sdk", counted)
    usual = a_row(said="ä" * 200, tokens=3, well=True, sure=0.5, tools=["a", "b"], none=None)
    failed = usual._replace(status=2, status_text="broken", parent_id="0" * 15 + "3")
    odd = (usual._replace(events=[("hm", 5, {})]), usual._replace(links=[CALLER]), a_row(a={"b": 1}))
    for row in (usual, failed, *odd):
        span_bytes(Finished(ORIGIN, row))
    assert [each.row for each in slow] == list(odd)


@pytest.mark.requirement("TRC-17")
@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"trace_id": "f" * 33}, OverflowError),
        ({"span_id": "no"}, ValueError),
        ({"started": -1}, struct.error),
        ({"kind": 9}, KeyError),
    ],
)
def test_a_row_that_is_none_is_an_error_and_no_torn_bytes(
    broken: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        span_bytes(Finished(ORIGIN, a_row()._replace(**broken)))
