"""Handing over finished spans: when they are kept, that none is lost, and what goes on in a child."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from planwarden.telemetry import ending
from planwarden.telemetry import handover as module
from planwarden.telemetry.handover import Handover
from planwarden.telemetry.readable import Finished, read_finished
from planwarden.telemetry.span import SpanRow
from planwarden.telemetry.spool import Spool
from traces_kit import an_origin, rows

NEVER_S = 1e6
SOON_S = 60


class Behind(SpanProcessor):
    """What stands behind, in the place of the SDK's batches."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names: list[str] = []
        self.kept: list[int] = []
        """How many spans were on disk as each came."""
        self.said: list[str] = []
        self.came = threading.Semaphore(0)

    def on_end(self, span: ReadableSpan) -> None:
        self.names.append(span.row.name)  # type: ignore[attr-defined] # a `Finished`
        self.kept.append(len(on_disk(self._folder)))
        self.came.release()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.said.append("flush")
        return True

    def shutdown(self) -> None:
        self.said.append("shutdown")


def on_disk(folder: Path) -> list[str]:
    return [
        span.row.name
        for path in sorted(folder.glob("*"))
        for span in read_finished(path.read_bytes().splitlines())
    ]


def ended(*names: str) -> list[SpanRow]:
    traced = rows()
    for name in names:
        with traced.tracer.span(name, {}):
            pass
    return traced.rows


class Opened:
    def __init__(self, folder: Path, delay_s: float) -> None:
        self.behind = Behind(folder)
        self.spool = Spool(folder, "p1", an_origin())
        self.handover = Handover(self.spool, an_origin(), self.behind, delay_s=delay_s)


@pytest.fixture
def sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.requirement("TRC-9")
def test_time_alone_has_a_span_kept_first_and_then_sent_again_and_again(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=0.001)
    for number, row in enumerate(ended("one", "two", "three"), start=1):
        opened.handover.add(row)
        assert opened.behind.came.acquire(timeout=SOON_S)
        assert opened.behind.kept[-1] == number
    assert on_disk(tmp_path) == opened.behind.names == ["one", "two", "three"]
    opened.handover.shutdown()


@pytest.mark.requirement("TRC-9")
def test_a_span_that_comes_after_a_rest_is_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, rests = Opened(tmp_path, delay_s=0.001), threading.Semaphore(0)
    called = opened.handover._called  # pyright: ignore[reportPrivateUsage]
    sleep = called.wait

    def rest(timeout: float | None = None) -> bool:
        rests.release()
        return sleep(timeout)

    monkeypatch.setattr(called, "wait", rest)
    for row in ended("one", "two"):
        opened.handover.add(row)
        assert opened.behind.came.acquire(timeout=SOON_S)
        assert rests.acquire(timeout=SOON_S)
    assert on_disk(tmp_path) == ["one", "two"]
    opened.handover.shutdown()


@pytest.mark.requirement("TRC-16")
def test_adding_a_span_writes_nothing_until_somebody_asks(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=NEVER_S)
    for row in ended("one", "two"):
        opened.handover.add(row)
    assert (on_disk(tmp_path), opened.behind.names) == ([], [])
    assert opened.handover.force_flush()
    assert on_disk(tmp_path) == opened.behind.names == ["one", "two"]
    assert opened.behind.said == ["flush"]
    opened.handover.shutdown()


@pytest.mark.requirement("TRC-16")
def test_many_spans_are_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 2)
    opened = Opened(tmp_path, delay_s=NEVER_S)
    for row in ended("a", "b", "c", "d", "e"):
        opened.handover.add(row)
    opened.handover.hand_over()
    assert opened.behind.names == ["a", "b", "c", "d", "e"]
    assert opened.behind.kept == [2, 2, 4, 4, 5]
    opened.handover.shutdown()


@pytest.mark.requirement("TRC-15")
def test_ending_hands_over_the_rest_and_what_comes_later_is_kept_too(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=NEVER_S)
    one, late = ended("one", "late")
    opened.handover.add(one)
    opened.handover.shutdown()
    assert (opened.behind.names, opened.behind.said) == (["one"], ["shutdown"])
    opened.handover.add(late)
    assert on_disk(tmp_path) == ["one", "late"]


@pytest.mark.requirement("TRC-15")
def test_an_end_while_a_span_comes_leaves_nobody_waiting_for_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(tmp_path, delay_s=NEVER_S)
    one, two, three = ended("one", "two", "three")
    over = opened.handover._over  # pyright: ignore[reportPrivateUsage]
    looked, here = over.is_set, threading.current_thread()

    def then_ended() -> bool:
        """Say that it goes on; then another thread ends it, before anything is made of the answer."""
        if threading.current_thread() is not here:
            return looked()
        monkeypatch.setattr(over, "is_set", looked)
        ending = threading.Thread(target=opened.handover.shutdown)
        ending.start()
        ending.join(SOON_S)
        return False

    monkeypatch.setattr(over, "is_set", then_ended)
    for row in (one, two, three):
        opened.handover.add(row)
    assert over.is_set()
    assert on_disk(tmp_path) == ["one", "two", "three"]


@pytest.mark.requirement("TRC-15")
def test_one_that_ended_is_not_kept_until_the_process_ends(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=NEVER_S)
    gone = weakref.ref(opened.handover)
    opened.handover.shutdown()
    del opened
    gc.collect()
    assert gone() is None


@pytest.mark.requirement("TRC-16")
def test_spans_of_many_threads_are_each_handed_over_once(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=0.0001)
    given = ended(*(f"s{number}" for number in range(400)))

    def add(part: int) -> None:
        for row in given[part::4]:
            opened.handover.add(row)

    threads = [threading.Thread(target=add, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    opened.handover.shutdown()
    assert sorted(opened.behind.names) == sorted(on_disk(tmp_path)) == sorted(row.name for row in given)


@pytest.mark.requirement("TRC-15")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_hands_over_its_own_spans_and_leaves_its_parents_alone(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=NEVER_S)
    parents, childs = ended("of the parent", "of the child")
    opened.handover.add(parents)
    child = os.fork()
    if child == 0:
        opened.handover.add(childs)
        opened.handover.force_flush()
        os._exit(0 if opened.behind.names == ["of the child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    opened.handover.shutdown()
    assert on_disk(tmp_path) == ["of the parent", "of the child"]  # each in a file of its own


@pytest.mark.requirement("TRC-15")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_whose_spans_were_received_leaves_what_its_parent_keeps(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=NEVER_S)
    before, parents, childs, late = ended("before", "of the parent", "of the child", "late")
    opened.spool.add([before])
    opened.spool.received([Finished(an_origin(), before)])
    told, tell = os.pipe()
    turn = opened.spool._turn  # pyright: ignore[reportPrivateUsage]
    turn.acquire()  # as a thread has it that is left behind
    child = os.fork()
    if child == 0:
        signal.alarm(SOON_S)  # ends a child that waits for that thread
        os.read(told, 1)  # the parent has kept a span meanwhile
        opened.handover.add(childs)
        opened.handover.force_flush()
        mine = on_disk(tmp_path)
        opened.spool.received([Finished(an_origin(), childs)])
        opened.handover.shutdown()
        opened.spool.close()
        os._exit(0 if mine == ["of the parent", "of the child"] else 1)
    turn.release()
    opened.spool.add([parents])
    os.write(tell, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert on_disk(tmp_path) == ["of the parent"]
    opened.spool.add([late])
    assert on_disk(tmp_path) == ["of the parent", "late"]
    opened.spool.close()
    opened.handover.shutdown()
    heir = Spool(tmp_path, "p2", an_origin())
    assert [span.row.name for span in heir.take_over()] == ["of the parent", "late"]


@pytest.mark.requirement("TRC-15")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_forked_after_the_end_keeps_its_spans_too(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=NEVER_S)
    (childs,) = ended("of the child")
    opened.handover.shutdown()
    turn = opened.handover._turn  # pyright: ignore[reportPrivateUsage]
    turn.acquire()  # as a thread has it that is left behind
    child = os.fork()
    if child == 0:
        signal.alarm(SOON_S)  # ends a child that waits for that thread
        opened.handover.add(childs)
        os._exit(0 if on_disk(tmp_path) == ["of the child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.requirement("TRC-15")
def test_sigterm_is_looked_at_only_where_nobody_else_does(tmp_path: Path, sigterm: None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Opened(tmp_path / "ignored", delay_s=NEVER_S).handover.shutdown()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Opened(tmp_path / "looked at", delay_s=NEVER_S).handover.shutdown()
    assert signal.getsignal(signal.SIGTERM) is ending._terminated  # pyright: ignore[reportPrivateUsage]


@pytest.mark.requirement("TRC-14")
def test_a_row_of_which_no_line_can_be_made_costs_itself_only(tmp_path: Path) -> None:
    opened = Opened(tmp_path, delay_s=NEVER_S)
    odd, whole = ended("odd", "whole")
    opened.handover.add(odd._replace(attributes=cast("dict[str, object]", object())))
    opened.handover.add(whole)
    opened.handover.shutdown()
    assert opened.spool.not_kept == 1
    assert on_disk(tmp_path) == ["whole"]
