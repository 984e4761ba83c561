"""Spans on their way to a real receiver over HTTP: delivered, refused, unanswered, and after a kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from planwarden.errors import SettingsRejected
from planwarden.telemetry.pipeline import GRPC_MODULE
from planwarden.telemetry.tracing import CLOSE_S, Tracing, open_tracing
from traces_kit import GrpcReceiver, Receiver, otlp

SCRIPT = Path(__file__).with_name("dying_tracer.py")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    with Receiver().serve() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        yield receiver


def traced(tracing: Tracing, *names: str) -> None:
    for name in names:
        with tracing.tracer.span(name, {"planwarden.run.id": "r1"}):
            pass


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(record.message) for record in caplog.records if record.name == "planwarden"]


@pytest.mark.requirement("TRC-8")
def test_spans_arrive_as_otlp_with_what_the_standard_variables_say(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2hunter2")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    tracing = open_tracing(otlp(tmp_path))
    traced(tracing, "one", "two")
    assert receiver.spans == []
    tracing.close()
    assert receiver.names == ["one", "two"]
    assert receiver.services == {"shop"}
    assert {each["authorization"] for each in receiver.headers} == {"Bearer hunter2hunter2"}
    assert {each["content-type"] for each in receiver.headers} == {"application/x-protobuf"}
    assert {each["content-encoding"] for each in receiver.headers} == {"gzip"}
    (held,) = receiver.spans[0].attributes
    assert (held.key, held.value.string_value) == ("planwarden.run.id", "r1")
    assert (tracing.counts.delivered, tracing.counts.failed, tracing.counts.not_kept) == (2, 0, 0)
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.requirement("TRC-8")
def test_without_a_name_of_its_own_the_service_is_planwarden(receiver: Receiver, tmp_path: Path) -> None:
    tracing = open_tracing(otlp(tmp_path))
    traced(tracing, "one")
    tracing.close()
    assert receiver.services == {"planwarden"}


def ended(folder: Path, way: str) -> int:
    """Have a process trace and end; give what it ended with."""
    env = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), way],
        check=False,
        env=env,
        timeout=120,
        capture_output=True,
    )
    return done.returncode


@pytest.mark.requirement("TRC-9")
def test_a_kill_9_loses_no_span_that_is_kept_and_the_next_process_delivers_it_once(
    receiver: Receiver, tmp_path: Path
) -> None:
    assert ended(tmp_path, "kill -9") == -signal.SIGKILL
    assert receiver.spans == []
    for process in ("next", "after"):
        tracing = open_tracing(otlp(tmp_path, process=process))
        traced(tracing, process)
        tracing.close()
    assert [name for name in receiver.names if name != "last"] == ["finished", "next", "after"]
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.requirement("TRC-15")
@pytest.mark.parametrize(("way", "code"), [("SIGTERM", -signal.SIGTERM), ("exception", 1), ("exit", 3)])
def test_whoever_ends_in_another_way_than_a_kill_9_loses_nothing_and_ends_as_ever(
    receiver: Receiver, tmp_path: Path, way: str, code: int
) -> None:
    assert ended(tmp_path, way) == code
    open_tracing(otlp(tmp_path, process="next")).close()
    finished = [name for name in receiver.names if name != "unfinished"]
    assert finished == ["finished", "last"]
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.requirement("TRC-10")
def test_a_receiver_that_refuses_is_told_once_counted_and_gets_it_all_later(
    receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = "error"
    tracing = open_tracing(otlp(tmp_path))
    assert tracing.provider is not None
    for name in ("one", "two", "three"):
        traced(tracing, name)
        tracing.provider.force_flush()
    tracing.close()
    assert (tracing.counts.delivered, tracing.counts.failed) == (0, 3)
    (line,) = logged(caplog)
    assert line["event"] == "traces_not_exported"
    assert (line["spans"], line["reason"]) == (1, "refused_or_unreachable")
    receiver.answers = "taken"
    later = open_tracing(otlp(tmp_path, process="p2"))
    later.close()
    assert receiver.names == ["one", "two", "three"]


@pytest.mark.requirement("TRC-10")
@pytest.mark.parametrize("why", ["silence", "nobody"])
def test_a_receiver_that_does_not_answer_holds_up_nobody_for_long(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    receiver.answers = "silence"
    if why == "nobody":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    tracing = open_tracing(otlp(tmp_path))
    began = time.monotonic()
    traced(tracing, "one")
    assert time.monotonic() - began < CLOSE_S
    tracing.close()
    assert time.monotonic() - began < 3 * CLOSE_S
    assert tracing.counts.delivered == 0
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["p1-0001.spans.jsonl"]


@pytest.mark.requirement("TRC-8")
def test_spans_arrive_over_grpc_with_what_the_standard_variables_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with GrpcReceiver().serve() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2hunter2")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
        tracing = open_tracing(otlp(tmp_path, protocol="grpc"))
        with tracing.tracer.span("outer", {"planwarden.run.id": "r1"}):
            traced(tracing, "one")
        tracing.close()
    assert receiver.names == ["one", "outer"]
    assert receiver.services == {"shop"}
    assert receiver.authorizations == {"Bearer hunter2hunter2"}
    one, outer = receiver.spans
    assert (one.parent_span_id, one.trace_id) == (outer.span_id, outer.trace_id)
    assert tracing.counts.delivered == 2


@pytest.mark.requirement("TRC-8")
@pytest.mark.parametrize(
    ("protocol", "says"),
    [("carrier-pigeon", "not spoken"), ("grpc", "opentelemetry-exporter-otlp-proto-grpc")],
)
def test_a_protocol_that_is_not_there_is_refused_with_what_to_do(
    tmp_path: Path, protocol: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, GRPC_MODULE, None)  # as where it is not installed
    with pytest.raises(SettingsRejected, match=says) as caught:
        open_tracing(otlp(tmp_path, protocol=protocol))
    assert "http/protobuf" in caught.value.remedy
