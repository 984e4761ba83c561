"""The spool: what waits there, until when, and who takes it over."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from planwarden.contracts.tracing import Attributes
from planwarden.telemetry import spool as module
from planwarden.telemetry.exporters import CountedExporter
from planwarden.telemetry.readable import Finished, OneResource, origin_line, read_finished, readable
from planwarden.telemetry.span import SpanRow
from planwarden.telemetry.spool import Spool
from planwarden.telemetry.tracing import Tracing
from traces_kit import CALLER, an_origin, rows


def spans(*names: str) -> list[SpanRow]:
    traced = rows()
    for name in names:
        with traced.tracer.span(name, {"planwarden.run.id": "r1"}):
            pass
    return traced.rows


def a_spool(folder: Path, name: str) -> Spool:
    return Spool(folder, name, an_origin(service="shop"))


def sent(*spans: SpanRow) -> list[Finished]:
    return [Finished(an_origin(), span) for span in spans]


def names(heir: Spool) -> list[str]:
    return [span.row.name for span in heir.take_over()]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


@pytest.mark.requirement("TRC-9")
def test_what_was_received_is_gone_and_the_rest_is_taken_over_once(tmp_path: Path) -> None:
    one, two, three = spans("one", "two", "three")
    spool = a_spool(tmp_path, "p1")
    for span in (one, two, three):
        spool.add([span])
    spool.received(sent(two))
    spool.close()
    heir, other = a_spool(tmp_path, "p2"), a_spool(tmp_path, "p3")
    assert names(heir) == ["one", "two", "three"]
    assert other.take_over() == []
    heir.received(sent(one, three))
    assert files(tmp_path) == ["p1-0001.spans.jsonl"]
    heir.received(sent(two))
    assert files(tmp_path) == []


@pytest.mark.requirement("TRC-9")
def test_nothing_is_left_where_everything_was_received(tmp_path: Path) -> None:
    spool = a_spool(tmp_path / "spool", "p1")
    assert spool.take_over() == []
    (span,) = spans("one")
    spool.add([span])
    spool.received(sent(span))
    assert (tmp_path / "spool" / "p1-0001.spans.jsonl").stat().st_size == 0
    spool.add([span])
    spool.received(sent(span))
    spool.close()
    assert files(tmp_path / "spool") == []


@pytest.mark.requirement("TRC-9")
def test_a_file_that_was_emptied_says_again_whose_its_spans_are(tmp_path: Path) -> None:
    one, two = spans("one", "two")
    spool = a_spool(tmp_path, "p1")
    spool.add([one])
    spool.received(sent(one))
    spool.add([two])
    spool.close()
    (taken,) = a_spool(tmp_path, "p2").take_over()
    assert (taken.row.name, taken.origin.resource.attributes["service.name"]) == ("two", "shop")


@pytest.mark.requirement("TRC-9")
def test_a_full_file_gets_a_successor_and_goes_when_all_in_it_was_received(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 100)
    one, two, three = spans("one", "two", "three")
    spool = a_spool(tmp_path, "p1")
    for span in (one, two, three):
        spool.add([span])
    assert files(tmp_path) == [f"p1-000{number}.spans.jsonl" for number in (1, 2, 3)]
    spool.received(sent(two, three))
    assert files(tmp_path) == ["p1-0001.spans.jsonl", "p1-0003.spans.jsonl"]
    spool.add([three])
    spool.close()
    assert files(tmp_path) == ["p1-0001.spans.jsonl", "p1-0003.spans.jsonl"]
    assert names(a_spool(tmp_path, "p2")) == ["one", "three"]


@pytest.mark.requirement("TRC-15")
def test_a_child_with_the_number_of_one_that_died_leaves_the_other_ones_file_alone(tmp_path: Path) -> None:
    one, two = spans("one", "two")
    first, second = a_spool(tmp_path, "p1"), a_spool(tmp_path, "p1")
    first.forked()
    first.add([one])
    first.close()
    second.forked()
    second.add([two])
    second.received(sent(two))
    second.close()
    assert names(a_spool(tmp_path, "p2")) == ["one"]


@pytest.mark.requirement("TRC-10")
def test_a_file_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path) -> None:
    one, two = spans("one", "two")
    old = a_spool(tmp_path, "p0")
    old.add([one])
    old.close()
    spool = a_spool(tmp_path, "p1")
    (taken,) = spool.take_over()
    (tmp_path / "p1-0001.spans.jsonl").symlink_to(tmp_path / "no" / "where")
    spool.add([two])
    assert spool.not_kept == 1
    spool.received([taken])
    assert files(tmp_path) == ["p1-0001.spans.jsonl"]
    spool.add([two])
    spool.close()
    assert (spool.not_kept, names(a_spool(tmp_path, "p2"))) == (1, ["two"])


@pytest.mark.requirement("TRC-10")
def test_a_full_spool_and_a_full_disk_are_counted_and_fail_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = spans("one", "two")
    spool = a_spool(tmp_path, "p1")
    spool.add([one])
    monkeypatch.setattr(module, "MOST_BYTES", 300)
    spool.add([two])
    assert spool.not_kept == 1

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "MOST_BYTES", 2**20)
    monkeypatch.setattr(os, "write", full)
    spool.add([two])
    assert spool.not_kept == 2
    (tmp_path / "file").touch()
    nowhere = a_spool(tmp_path / "file" / "folder", "p1")
    nowhere.add([one])
    assert nowhere.not_kept == 1


@pytest.mark.requirement("TRC-10")
def test_what_was_written_in_part_is_taken_back_and_counted(tmp_path: Path) -> None:
    one, two, three = spans("one", "two", "three")
    spool = a_spool(tmp_path, "p1")
    spool.add([one])
    whole = (tmp_path / "p1-0001.spans.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 20, hard))  # as a disk that is full behind it
    try:
        spool.add([two])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (spool.not_kept, (tmp_path / "p1-0001.spans.jsonl").stat().st_size) == (1, whole)
    spool.add([three])
    spool.close()
    assert names(a_spool(tmp_path, "p2")) == ["one", "three"]


@pytest.mark.requirement("TRC-9")
def test_no_more_is_taken_over_than_is_sent_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_TAKEN_OVER", 1)
    for process, span in zip(("p1", "p2"), spans("one", "two"), strict=True):
        spool = a_spool(tmp_path, process)
        spool.add([span])
        spool.close()
    first, second = a_spool(tmp_path, "p3"), a_spool(tmp_path, "p4")
    assert names(first) == ["one"]
    assert names(second) == ["two"]


@pytest.mark.requirement("TRC-14")
def test_what_is_taken_over_says_what_its_process_would_have_sent(tmp_path: Path) -> None:
    traced = rows()
    about: Attributes = {"n": 1, "x": 1.0, "ok": True, "l": ["a"], "none": None}
    with traced.tracer.span("one", about, parent=CALLER, links=(CALLER,)) as span:
        trace.get_current_span().add_event("tried", {"again": 2})
        span.fail("broken")
    spool = Spool(tmp_path, "p1", an_origin(service="dead"))
    spool.add([traced.rows[0]])
    spool.close()
    (taken,) = a_spool(tmp_path, "p2").take_over()
    theirs = encode_spans([readable(Finished(an_origin(service="dead"), traced.rows[0]))])
    assert encode_spans([readable(taken)]) == theirs
    assert taken.origin.resource.attributes["service.name"] == "dead"


@pytest.mark.requirement("TRC-9")
@given(st.integers(1, 200), st.binary(max_size=30).filter(lambda other: b"\n" not in other))
def test_a_torn_line_and_anything_else_in_the_file_is_passed_over(cut: int, other: bytes) -> None:
    (row,) = spans("whole")
    line = module.line_of(row).rstrip()
    lines = [line, origin_line(an_origin()), line, line[:-cut], other, b"{}", b"[1]", b'{"scope": 1}', line]
    assert [span.row.name for span in read_finished(lines)] == ["whole", "whole"]


@pytest.mark.requirement("TRC-14")
def test_what_json_or_utf_8_cannot_say_costs_no_span(tmp_path: Path) -> None:
    traced = rows()
    with traced.tracer.span("half \ud800", {"half": "\ud800"}):
        trace.get_current_span().set_attribute("odd", cast("str", {1, 2}))
    spool = a_spool(tmp_path, "p1")
    spool.add([traced.rows[0]])
    spool.close()
    assert spool.not_kept == 0
    (taken,) = a_spool(tmp_path, "p2").take_over()
    (at_once,) = sent(traced.rows[0])
    for span in (readable(taken), readable(at_once)):
        assert span.name == "half ?"
        assert dict(span.attributes or {}) == {"half": "?", "odd": "{1, 2}"}
    assert isinstance(taken.origin.resource, OneResource)


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


ITSELF: list[object] = []
ITSELF.append(ITSELF)


@pytest.mark.requirement("TRC-14")
@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("odd", Broken(), {"odd": "<Broken>"}),
        ("odd", [1, Broken()], {"odd": "<list>"}),
        (5, "five", {"5": "five"}),
        (Broken(), 1, {"<Broken>": 1}),
        ("large", 2**63, {"large": str(2**63)}),
        ("least", -(2**63), {"least": -(2**63)}),
        ("itself", ITSELF, {"itself": "[[...]]"}),
        ("cut", "half \ud800", {"cut": "half ?"}),
    ],
)
def test_what_a_program_put_in_costs_neither_its_span_nor_another(
    tmp_path: Path, key: Any, value: Any, told: dict[str, Any]
) -> None:
    traced, came = rows(), InMemorySpanExporter()
    with traced.tracer.span("one", {}):
        trace.get_current_span().set_attribute(key, value)
        trace.get_current_span().add_event(key, {key: value}, cast("int", "noon"))
        trace.get_current_span().set_status(StatusCode.ERROR, "half \ud800")
    with traced.tracer.span("two", {}):
        trace.get_current_span().update_name(key)
    spool = a_spool(tmp_path, "p1")
    exporter = CountedExporter(came, lambda _: None)
    spool.add(traced.rows)
    spool.close()
    exporter.export(cast("Sequence[ReadableSpan]", sent(*traced.rows)))
    exporter.export(cast("Sequence[ReadableSpan]", a_spool(tmp_path, "p2").take_over()))
    assert (spool.not_kept, exporter.not_shown, exporter.delivered) == (0, 0, 4)
    one, two, one_later, two_later = came.get_finished_spans()
    assert two.name == two_later.name == next(iter(told))
    for span in (one, one_later):
        (event,) = span.events
        assert dict(span.attributes or {}) == dict(event.attributes or {}) == told
        assert (event.timestamp, span.status.description) == (span.end_time, "half ?")
    (of_process,) = encode_spans([one, two]).resource_spans
    assert len(of_process.scope_spans[0].spans) == 2


@pytest.mark.requirement("TRC-14")
def test_a_span_of_which_nothing_can_be_sent_is_counted_and_the_rest_of_its_batch_goes_on() -> None:
    one, odd, three = spans("one", "odd", "three")
    came, received = InMemorySpanExporter(), list[str]()
    exporter = CountedExporter(came, lambda spans: received.extend(span.row.name for span in spans))
    batch = sent(one, odd._replace(links=["nowhere"]), three)
    exporter.export(cast("Sequence[ReadableSpan]", batch))
    exporter.export(cast("Sequence[ReadableSpan]", batch[1:2]))
    assert [span.name for span in came.get_finished_spans()] == ["one", "three"]
    assert received == ["one", "odd", "three", "odd"]  # the spool has not to keep it for ever
    assert (exporter.delivered, exporter.failed) == (2, 0)
    assert Tracing(exporter=exporter).counts.not_kept == 2
