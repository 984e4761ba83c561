"""Metrics over many runs: how long at first, again, and as a scrape; and how much memory more than over few.

PLANWARDEN_BENCH_RUNS sets how many runs (10000).
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from planwarden import Planwarden, Settings, Task, load_settings
from planwarden.audit.metrics.exposition import prometheus_text
from planwarden.contracts.facts import Fact, ModelAnswered, PlanDecided, RunEnded, RunStarted
from planwarden.contracts.model import ModelExchange, ModelIdentity, ModelUsage
from planwarden.contracts.plan import PlanDecision, PlanMetadata, PlannedAgentStep, PlannerPlan
from planwarden.journal.port import Owner

MODEL = ModelIdentity(provider="embedded", model="bench")
DIGEST = f"sha256:{'0' * 64}"
MOST_MIB = 32


def facts(number: int) -> list[Fact]:
    """Make a run that plans and ends."""
    step = PlannedAgentStep(id="s1", agent="finance_agent", tools=("finance.snapshot",))
    plan = PlannerPlan(steps=(step,), metadata=PlanMetadata(source="planner"), confidence=0.5)
    usage = ModelUsage(prompt_tokens=200, output_tokens=50, latency_s=0.4)
    return [
        RunStarted(
            task=Task(prompt=f"Task {number}"),
            planner=MODEL,
            agents=MODEL,
            catalog_digest=DIGEST,
            policy_digest=DIGEST,
            planwarden_version="0",
        ),
        ModelAnswered(exchange=ModelExchange(purpose="plan", messages=(), reply="x" * 2_000, usage=usage)),
        PlanDecided(decision=PlanDecision(plan=plan)),
        RunEnded(outcome="failed", code="bench"),
    ]


async def fill(settings: Settings, first: int, last: int) -> None:
    """Write runs into the journal."""
    owner = Owner(id="bench", host="bench", pid=1)
    async with Planwarden.open(settings) as planwarden:
        journal = await planwarden.journal()
        for begin in range(first, last, 200):
            numbers = range(begin, min(begin + 200, last))
            await asyncio.gather(
                *(journal.create(f"r{number}", "default", owner, facts(number)) for number in numbers)
            )


async def measure(settings: Settings) -> tuple[int, float]:
    """Give how many runs were counted and how long it took, in seconds."""
    async with Planwarden.open(settings) as planwarden:
        began = time.monotonic()
        totals = await planwarden.record.metrics()
        return int(totals.of("planwarden_runs", "failed")), time.monotonic() - began


async def scraped(settings: Settings) -> float:
    """Give how long a scrape takes after an earlier one, in seconds, its text included."""
    async with Planwarden.open(settings) as planwarden:
        tally = planwarden.record.tally()
        await tally.look()
        began = time.monotonic()
        prometheus_text(await tally.look())
        return time.monotonic() - began


def peak_mib() -> float:
    """Give the most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main() -> int:
    """Run the benchmark; ends with 1 when memory grows with the number of runs."""
    count = int(os.environ.get("PLANWARDEN_BENCH_RUNS", "10000"))
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings({"planwarden_home": Path(home)})
        few = max(count // 10, 1)
        await fill(settings, 0, few)
        await measure(settings)
        await fill(settings, few, count)
        before = peak_mib()
        counted, first = await measure(settings)
        again, second = await measure(settings)
        scrape = await scraped(settings)
        grown = peak_mib() - before
    print(f"metrics of {counted} runs, {count - few} of them new")
    print(
        f"  first: {first:.1f} s, again: {second:.2f} s, a scrape of an open listener: {scrape * 1000:.0f} ms"
    )
    print(f"  peak memory: {before:.0f} MiB before, {grown:.1f} MiB more while all of them were read")
    return 1 if not counted == again == count or grown > MOST_MIB else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
