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
async def test_a_pair_of_blocks_is_timed_and_every_span_of_it_arrives(
    receiver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "RUNS", 2)
    off, on = await benchmark.compare(1, tmp_path, receiver)
    came = int(await asyncio.to_thread(benchmark.fetched, receiver))
    assert len(off) == len(on) == 1
    assert min(*off, *on) > 0
    assert came == 3 * benchmark.SPANS
    assert (tmp_path / "on0" / "log").read_text("utf-8").count("run_ended") == 3
    assert not (tmp_path / "off0" / "log").exists()


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
