"""The record's figures: dossier and verification of one long run, and of a whole journal in constant memory.

The run has 24 tool calls in 12 steps, the most that a plan has; it is carried out by the real runtime with
scripted models, and read from a real SQLite file. Beside them, for scale: as many records, linked by SHA-256,
verified with plain `sqlite3` and `hashlib`, which is the least that any such check costs.
PLANWARDEN_BENCH_RUNS sets how many runs the whole journal has (10000).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from planwarden import Planwarden, Settings, Task, load_settings
from planwarden.contracts.facts import Fact, ModelAnswered, PlanDecided, RunEnded, RunStarted
from planwarden.contracts.model import ModelExchange, ModelIdentity, ModelUsage
from planwarden.contracts.plan import PlanDecision, PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.value import digest
from planwarden.journal.port import Owner
from planwarden.journal.snapshot import Snapshot
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.obedient_llm import ObedientLLM
from planwarden.testing.stage import Stage, plan_of

TIMES = 40
MOST_MS = 20.0
MOST_MIB = 16
MODEL = ModelIdentity(provider="embedded", model="bench")
CATALOG, POLICY = {"bench": "catalog"}, {"bench": "policy"}


async def long_run(planwarden: Planwarden) -> tuple[str, int]:
    """Carry out a run of 24 calls in 12 steps; give its id and how many events it has."""
    tools = {f"t.n{i}": CannedTool(f"t.n{i}", {"text": "x" * 200, "price": 1.5}) for i in range(24)}
    agent = AgentSpec(name="worker", description="works", tools=tuple(tools))
    steps = [
        PlannedAgentStep(id=f"s{i + 1}", agent="worker", tools=(f"t.n{2 * i}", f"t.n{2 * i + 1}"))
        for i in range(12)
    ]
    stage = Stage(
        agents=(agent,),
        tools=tools,
        agent_llm=ObedientLLM(num_ctx=100_000),
        journal=await planwarden.journal(),
    )
    state = await stage.orchestrator().route_task(Task(prompt="Do all of it"), plan_of(*steps))
    if state.status != "completed":
        raise RuntimeError(f"the run to measure ended as {state.status}")
    return state.run_id, state.seq


async def timed(work: Callable[[str], Awaitable[object]], run_id: str) -> list[float]:
    """Give how long each of many tries takes, in milliseconds."""
    took: list[float] = []
    for _ in range(TIMES):
        began = time.perf_counter()
        await work(run_id)
        took.append(1000 * (time.perf_counter() - began))
    return took


def said(took: list[float]) -> str:
    """Give median and quartiles."""
    low, middle, high = statistics.quantiles(took, n=4)
    return f"median {middle:.1f} ms, quartiles {low:.1f} and {high:.1f}"


def plain_chain(folder: Path, count: int) -> list[float]:
    """Verify as many linked records with `sqlite3` and `hashlib` alone; in milliseconds."""
    path = folder / "plain.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY, body BLOB, hash TEXT)")
        previous, body = "", b"x" * 1500
        for seq in range(count):
            previous = hashlib.sha256(previous.encode() + body).hexdigest()
            made.execute("INSERT INTO records VALUES (?, ?, ?)", (seq, body, previous))
        made.commit()
    took: list[float] = []
    for _ in range(TIMES):
        began, previous = time.perf_counter(), ""
        with closing(sqlite3.connect(path)) as stored:
            for body, kept in stored.execute("SELECT body, hash FROM records ORDER BY seq"):
                previous = hashlib.sha256(previous.encode() + body).hexdigest()
                if previous != kept:
                    raise RuntimeError("the plain chain does not verify")
        took.append(1000 * (time.perf_counter() - began))
    return took


def small_run(number: int) -> list[Fact]:
    """Give the facts of a run that plans and ends."""
    step = PlannedAgentStep(id="s1", agent="worker", tools=("look",))
    usage = ModelUsage(prompt_tokens=200, output_tokens=50, latency_s=0.4)
    return [
        RunStarted(
            task=Task(prompt=f"Task {number}"),
            planner=MODEL,
            agents=MODEL,
            catalog_digest=digest(CATALOG),
            policy_digest=digest(POLICY),
            planwarden_version="0",
            snapshots_kept=True,
        ),
        ModelAnswered(exchange=ModelExchange(purpose="plan", messages=(), reply="x" * 2_000, usage=usage)),
        PlanDecided(decision=PlanDecision(plan=plan_of(step))),
        RunEnded(outcome="failed", code="bench"),
    ]


async def fill(settings: Settings, first: int, last: int) -> None:
    """Write runs, what is kept beside them, and an anchor over them."""
    async with Planwarden.open(settings) as planwarden:
        journal = await planwarden.journal()
        kept = (("catalog", CATALOG), ("policy", POLICY))
        await journal.snapshots.keep(
            [
                Snapshot(digest=digest(value), kind=kind, body=f'{{"bench":"{kind}"}}'.encode())
                for kind, value in kept
            ]
        )
        owner = Owner(id="bench", host="bench", pid=1)
        for begin in range(first, last, 200):
            numbers = range(begin, min(begin + 200, last))
            await asyncio.gather(
                *(journal.create(f"r{number}", "default", owner, small_run(number)) for number in numbers)
            )
        await planwarden.archive.anchoring.make()


async def verified(settings: Settings) -> tuple[int, int, float]:
    """Verify everything; give how many runs, how many faults, and how many seconds."""
    async with Planwarden.open(settings) as planwarden:
        began, runs, faults = time.monotonic(), 0, 0
        async for looked in planwarden.archive.verification.everything():
            runs += looked.what == "run"
            faults += len(looked.faults)
        return runs, faults, time.monotonic() - began


def peak_mib() -> float:
    """Give the most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def one_run(folder: Path) -> bool:
    """Measure one long run; says whether the targets are met."""
    async with Planwarden.open(load_settings({"planwarden_home": folder})) as planwarden:
        run_id, events = await long_run(planwarden)
        built = await timed(planwarden.record.dossier, run_id)
        chain = await timed(planwarden.record.verify, run_id)
        whole = await timed(planwarden.archive.verification.run, run_id)
        await planwarden.archive.anchoring.make()
        began = time.perf_counter()
        for _ in range(TIMES):
            await planwarden.archive.anchoring.daily()
        daily = 1000 * (time.perf_counter() - began) / TIMES
    plain = plain_chain(folder, events)
    print(f"one run of 24 calls in 12 steps, {events} events (target: under {MOST_MS:.0f} ms each)")
    print(f"  dossier built from the journal: {said(built)}")
    print(f"  verified, chain and dossier:    {said(chain)}")
    print(f"  verified, with all beside it:   {said(whole)}")
    print(f"  as many records in plain sqlite3 and hashlib: {said(plain)}")
    print(f"  asking at the end of a run whether today has its anchor: {daily:.2f} ms")
    return all(statistics.median(took) < MOST_MS for took in (built, chain, whole))


async def whole_journal(folder: Path, count: int) -> bool:
    """Measure a whole journal; says whether memory stays as it is."""
    settings = load_settings({"planwarden_home": folder})
    few = max(count // 10, 1)
    await fill(settings, 0, few)
    await verified(settings)
    await fill(settings, few, count)
    before = peak_mib()
    runs, faults, seconds = await verified(settings)
    grown = peak_mib() - before
    print(
        f"verify --all: {runs} runs in {seconds:.1f} s ({runs / seconds:.0f} runs a second), {faults} faults"
    )
    print(f"  peak memory: {before:.0f} MiB after a tenth was verified and all was written,")
    print(f"  {grown:.1f} MiB more once all was verified (target: under {MOST_MIB})")
    return runs == count and not faults and grown < MOST_MIB


async def main() -> int:
    """Run both; ends with 1 when a target is missed, in a slice only when a run is not intact."""
    count = int(os.environ.get("PLANWARDEN_BENCH_RUNS", "10000"))
    with tempfile.TemporaryDirectory() as folder:
        fast = await one_run(Path(folder) / "one")
        flat = await whole_journal(Path(folder) / "all", count)
    return 0 if flat and (fast or "PLANWARDEN_BENCH_SLICE" in os.environ) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
