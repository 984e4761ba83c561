"""Live shadow planning: which runs, when, and that it never stands in the way of real work."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.app.shadowing.file import ShadowFile, newest
from planwarden.app.shadowing.shadowing import Shadowing, begin_shadowing, is_chosen
from planwarden.contracts.shadow import ShadowRecord, ShadowState
from planwarden.errors import SettingsRejected, StoreUnavailable

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("SHD-12")]

AT = datetime(2026, 11, 24, tzinfo=UTC)


def a_record(run_id: str, state: ShadowState = "due", code: str = "") -> ShadowRecord:
    return ShadowRecord(
        run_id=run_id, state=state, at=AT, planner="small", planner_digest="sha256:" + "0" * 64, code=code
    )


class Work:
    """Plans when it is let, or goes wrong."""

    def __init__(self, *, open_at_once: bool = True, wrong: Exception | None = None) -> None:
        self.begun: list[str] = []
        self.gate = asyncio.Event()
        self.closed = 0
        self._wrong = wrong
        if open_at_once:
            self.gate.set()

    def due(self, run_id: str) -> ShadowRecord:
        return a_record(run_id)

    async def plan(self, run_id: str) -> ShadowRecord:
        self.begun.append(run_id)
        await self.gate.wait()
        if self._wrong is not None:
            raise self._wrong
        return a_record(run_id, "planned")

    async def aclose(self) -> None:
        self.closed += 1


def states(path: Path) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [(line["run_id"], line["state"]) for line in lines]


@given(run_id=st.text(max_size=40), rate=st.floats(0, 1), more=st.floats(0, 1))
def test_a_run_is_chosen_the_same_each_time_and_by_a_higher_rate_too(
    run_id: str, rate: float, more: float
) -> None:
    run_id = run_id.encode("utf-8", "replace").decode()
    low, high = sorted((rate, more))
    assert is_chosen(run_id, low) == is_chosen(run_id, low)
    assert is_chosen(run_id, low) <= is_chosen(run_id, high)
    assert not is_chosen(run_id, 0.0)
    assert is_chosen(run_id, 1.0)


def test_the_share_that_is_chosen_is_about_the_rate() -> None:
    chosen = sum(is_chosen(f"r20261124-{number:06d}", 0.2) for number in range(5_000))
    assert 900 < chosen < 1_100


async def test_a_chosen_run_is_due_at_once_and_planned_when_nothing_else_is_done(tmp_path: Path) -> None:
    path, work = tmp_path / "shadow.jsonl", Work()
    live = Shadowing(1.0, ShadowFile(path=path), work)
    with live.real_work():
        await live.offer("r1")
        await live.offer("r1")
        assert (states(path), work.begun) == ([("r1", "due"), ("r1", "due")], [])
    await live.drained()
    assert states(path)[2:] == [("r1", "planned")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await live.aclose()
    assert work.closed == 1


async def test_a_run_that_is_not_of_the_share_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shadow.jsonl"
    live = Shadowing(0.0, ShadowFile(path=path), Work())
    await live.offer("r1")
    assert not path.exists()


async def test_real_work_stops_what_is_being_planned_and_it_is_planned_afterwards(tmp_path: Path) -> None:
    path, work = tmp_path / "shadow.jsonl", Work(open_at_once=False)
    live = Shadowing(1.0, ShadowFile(path=path), work)
    await live.offer("r1")
    await asyncio.sleep(0)
    assert work.begun == ["r1"]
    with live.real_work():
        await live.drained()
        assert states(path) == [("r1", "due")]
        work.gate.set()
    await live.drained()
    assert work.begun == ["r1", "r1"]
    assert states(path) == [("r1", "due"), ("r1", "planned")]


async def test_closing_waits_for_nobody_and_leaves_the_run_due(tmp_path: Path) -> None:
    path, work = tmp_path / "shadow.jsonl", Work(open_at_once=False)
    live = Shadowing(1.0, ShadowFile(path=path), work)
    await live.offer("r1")
    await live.offer("r2")
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await live.aclose()
    found = await ShadowFile(path=path).read()
    assert [record.run_id for record in found.due] == ["r1", "r2"]
    assert work.closed == 1


async def test_whatever_goes_wrong_is_logged_and_counted_and_raised_to_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "planwarden")
    path = tmp_path / "shadow.jsonl"
    live = Shadowing(1.0, ShadowFile(path=path), Work(wrong=KeyError("Erika Mustermann")))
    await live.offer("r1")
    await live.drained()
    assert live.failed == 1
    [logged] = [json.loads(line) for line in caplog.messages]
    assert (logged["event"], logged["run_id"], logged["code"]) == ("shadow_failed", "r1", "unexpected_error")
    assert "Erika" not in caplog.text
    (tmp_path / "file").write_text("", "utf-8")
    elsewhere = Shadowing(1.0, ShadowFile(path=tmp_path / "file" / "shadow.jsonl"), Work())
    await elsewhere.offer("r2")
    assert elsewhere.failed == 1
    assert json.loads(caplog.messages[-1])["code"] == "store_unavailable"


async def test_a_shadow_planner_that_is_configured_wrong_is_logged_and_nothing_is_chosen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "planwarden")

    def wrong() -> Work:
        raise SettingsRejected("no key", remedy="Mend it.")

    live = begin_shadowing(1.0, tmp_path / "shadow.jsonl", wrong)
    await live.offer("r1")
    assert (live.failed, (tmp_path / "shadow.jsonl").exists()) == (1, False)
    assert json.loads(caplog.messages[0])["code"] == "settings_rejected"


def test_the_newest_line_of_a_run_counts_and_damaged_ones_are_counted() -> None:
    lines = [
        a_record("r1").model_dump_json().encode(),
        a_record("r2").model_dump_json().encode(),
        a_record("r1", "planned").model_dump_json().encode(),
        a_record("r1").model_dump_json().encode(),
        b'{"run_id": "r3", "sta',
        b"\xff\xfe",
        b"",
    ]
    found = newest(lines)
    assert [(record.run_id, record.state) for record in found.records] == [("r1", "planned"), ("r2", "due")]
    assert ([record.run_id for record in found.due], found.damaged) == (["r2"], 2)


async def test_a_file_that_is_not_there_holds_nothing_and_one_that_is_a_folder_is_refused(
    tmp_path: Path,
) -> None:
    assert (await ShadowFile(path=tmp_path / "none").read()).records == ()
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await ShadowFile(path=tmp_path).read()
