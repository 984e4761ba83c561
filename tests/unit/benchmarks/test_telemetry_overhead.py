"""The benchmark of what telemetry costs: both kinds of runs are whole, every span arrives, too much fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import telemetry_overhead as benchmark

pytestmark = pytest.mark.anyio


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    command = [sys.executable, str(benchmark.__file__), "receive"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        address = f"http://127.0.0.1:{int(other.stdout.readline())}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        yield address
        other.terminate()


@pytest.mark.requirement("TRC-12")
async def test_the_arms_of_a_block_are_whole_and_every_span_of_them_arrives(
    receiver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "RUNS", 2)
    (arms,) = await benchmark.blocks(1, tmp_path, receiver)
    came = int(await asyncio.to_thread(benchmark.fetched, receiver))
    runs = {name: arm.runs for name, arm in arms.items()}
    assert {**runs, "all": 2} == {"off": 2, "log": 2, "traces": 2, "all": 2}
    assert runs["all"] >= 2
    assert came == (runs["traces"] + 1 + runs["all"] + 1) * benchmark.SPANS
    for name, arm in arms.items():
        log = tmp_path / "0" / name / "log"
        assert (log.read_text("utf-8").count("run_ended") if log.exists() else 0) == arm.log * (arm.runs + 1)
        assert (arm.delivery.wall > 0) is arm.traces
        assert arm.each("process") > 0
    report = "\n".join(benchmark.report([arms, arms]))
    assert report.count("adds:") == 9


@pytest.mark.requirement("TRC-12")
@pytest.mark.parametrize(
    ("more", "fails"),
    [
        ([0.06] * 20, True),
        ([0.04] * 11 + [0.5] * 9, False),
        ([0.06], True),
        ([0.06, 0.06, 0.06, 0.04], False),
        ([0.06] * 4, True),
    ],
)
def test_too_much_is_above_five_percent_in_the_median_or_in_nearly_all_of_few(
    more: list[float], fails: bool
) -> None:
    assert benchmark.too_much(more) is fails
