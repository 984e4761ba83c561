"""The spool: what waits there, until when, and who takes it over."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from planwarden.telemetry import spool as module
from planwarden.telemetry.spool import Spool
from traces_kit import in_memory


def spans(*names: str) -> list[ReadableSpan]:
    traced = in_memory()
    for name in names:
        with traced.tracing.tracer.span(name, {"planwarden.run.id": "r1"}):
            pass
    return list(traced.exporter.get_finished_spans())


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


@pytest.mark.requirement("TRC-9")
def test_what_was_received_is_gone_and_the_rest_is_taken_over_once(tmp_path: Path) -> None:
    one, two, three = spans("one", "two", "three")
    spool = Spool(tmp_path, "p1")
    for span in (one, two, three):
        spool.add(span)
    spool.received([two])
    spool.close()
    heir, other = Spool(tmp_path, "p2"), Spool(tmp_path, "p3")
    assert [span.name for span in heir.take_over()] == ["one", "two", "three"]
    assert other.take_over() == []
    heir.received([one, three])
    assert files(tmp_path) == ["p1-0001.otlp.jsonl"]
    heir.received([two])
    assert files(tmp_path) == []


@pytest.mark.requirement("TRC-9")
def test_nothing_is_left_where_everything_was_received(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "p1")
    assert spool.take_over() == []
    (span,) = spans("one")
    spool.add(span)
    spool.received([span])
    assert (tmp_path / "spool" / "p1-0001.otlp.jsonl").stat().st_size == 0
    spool.add(span)
    spool.received([span])
    spool.close()
    assert files(tmp_path / "spool") == []


@pytest.mark.requirement("TRC-9")
def test_a_full_file_gets_a_successor_and_goes_when_all_in_it_was_received(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 100)
    one, two, three = spans("one", "two", "three")
    spool = Spool(tmp_path, "p1")
    for span in (one, two, three):
        spool.add(span)
    assert files(tmp_path) == [f"p1-000{number}.otlp.jsonl" for number in (1, 2, 3)]
    spool.received([two, three])
    assert files(tmp_path) == ["p1-0001.otlp.jsonl", "p1-0003.otlp.jsonl"]
    spool.close()
    assert files(tmp_path) == ["p1-0001.otlp.jsonl"]


@pytest.mark.requirement("TRC-10")
def test_a_full_spool_and_a_full_disk_are_counted_and_fail_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = spans("one", "two")
    spool = Spool(tmp_path, "p1")
    spool.add(one)
    monkeypatch.setattr(module, "MOST_BYTES", 300)
    spool.add(two)
    assert spool.not_kept == 1

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "MOST_BYTES", 2**20)
    monkeypatch.setattr(os, "write", full)
    spool.add(two)
    assert spool.not_kept == 2
    (tmp_path / "file").touch()
    nowhere = Spool(tmp_path / "file" / "folder", "p1")
    nowhere.add(one)
    assert nowhere.not_kept == 1


@pytest.mark.requirement("TRC-9")
def test_no_more_is_taken_over_than_is_sent_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_TAKEN_OVER", 1)
    for process, span in zip(("p1", "p2"), spans("one", "two"), strict=True):
        spool = Spool(tmp_path, process)
        spool.add(span)
        spool.close()
    first, second = Spool(tmp_path, "p3"), Spool(tmp_path, "p4")
    assert [span.name for span in first.take_over()] == ["one"]
    assert [span.name for span in second.take_over()] == ["two"]
