"""How long one recorded step takes: intent and result of a call, each on disk before the run goes on."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from functools import partial
from pathlib import Path

from planwarden.app.system import SystemClock, SystemIds
from planwarden.contracts.facts import CancelRequested
from planwarden.journal.owner import is_dead, this_process
from planwarden.journal.sqlite import SqliteJournal

STEPS = 400


async def main() -> None:
    """Print the median and the quartiles, in milliseconds, beside those of the disk itself."""
    clock, ids = SystemClock(), SystemIds()
    with tempfile.TemporaryDirectory() as folder:
        disk = [_plain_write(Path(folder) / "plain", clock) for _ in range(STEPS)]
        owner = this_process("bench")
        journal = await SqliteJournal.open(
            Path(folder) / "journal.db", clock, ids, is_dead=partial(is_dead, here=owner)
        )
        fact = CancelRequested(by="benchmark")
        lease, _ = await journal.create("bench", "default", owner, [fact])
        took: list[float] = []
        for _ in range(STEPS):
            began = clock.monotonic()
            await journal.append(lease, [fact])
            await journal.append(lease, [fact])
            took.append(clock.monotonic() - began)
        await journal.aclose()
    print(f"journal: {STEPS} steps of two durable facts each")
    print(f"  ms per step: {_said(took)}")
    print(f"  ms for two plain writes with fsync on this disk: {_said([2 * second for second in disk])}")


def _plain_write(path: Path, clock: SystemClock) -> float:
    began = clock.monotonic()
    with path.open("ab") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
    return clock.monotonic() - began


def _said(seconds: list[float]) -> str:
    low, middle, high = (1000 * value for value in statistics.quantiles(seconds, n=4))
    return f"median {middle:.2f}, quartiles {low:.2f} and {high:.2f}"


if __name__ == "__main__":
    asyncio.run(main())
