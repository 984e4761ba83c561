"""Finding runs among many: `planwarden runs --agent --tool --deviation --since`, as the command asks.

PLANWARDEN_BENCH_SEARCHED sets how many runs (100000). Beside it, in the same run, what a plain scan costs: it
reads each summary and looks.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from planwarden import Planwarden, Settings, Task, load_settings
from planwarden.contracts.calls import ToolCall
from planwarden.contracts.facts import (
    CallFailed,
    CallIntended,
    Fact,
    PlanDecided,
    RunEnded,
    RunStarted,
    StepStarted,
)
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlanMetadata, PlannedAgentStep, PlannerPlan
from planwarden.contracts.summary import RunSummary
from planwarden.contracts.verdict import Allowed
from planwarden.journal.index import RunQuery, facets_of, facets_wanted
from planwarden.journal.port import Owner

MODEL = ModelIdentity(provider="embedded", model="bench")
DIGEST = f"sha256:{'0' * 64}"
AGENTS = tuple(f"agent_{number}" for number in range(5))
TOOLS = tuple(f"domain{number % 8}.tool{number}" for number in range(40))
TARGET_S = 0.2
REPEATS = 9


def facts(number: int) -> list[Fact]:
    """Make a run: agents and tools in turn, every tenth fails a call, every thousandth is of a rare tool."""
    tool = "rare.tool" if number % 1000 == 0 else TOOLS[number % len(TOOLS)]
    step = PlannedAgentStep(id="s1", agent=AGENTS[number % len(AGENTS)], tools=(tool,))
    plan = PlannerPlan(steps=(step,), metadata=PlanMetadata(source="planner"), confidence=0.5)
    call = ToolCall(id="s1.1", step="s1", tool=tool, role="primary", arguments={})
    began: list[Fact] = [
        RunStarted(
            task=Task(prompt=f"Task {number}"),
            planner=MODEL,
            agents=MODEL,
            catalog_digest=DIGEST,
            policy_digest=DIGEST,
            planwarden_version="0",
        ),
        PlanDecided(decision=PlanDecision(plan=plan)),
    ]
    if number % 10 == 0:
        began += [
            StepStarted(step="s1", agent=step.agent),
            CallIntended(call=call, verdict=Allowed(rule="own", reason="own"), idempotency_key="k"),
            CallFailed(call_id="s1.1", failure="error", message="no", duration_s=0.1),
        ]
    return [*began, RunEnded(outcome="failed" if number % 10 == 0 else "completed", code="")]


async def fill(settings: Settings, count: int) -> float:
    """Write runs into the journal and bring its index up to date; gives what the latter took, in seconds."""
    owner = Owner(id="bench", host="bench", pid=1)
    async with Planwarden.open(settings) as planwarden:
        journal = await planwarden.journal()
        for begin in range(0, count, 200):
            numbers = range(begin, min(begin + 200, count))
            await asyncio.gather(
                *(journal.create(f"r{number}", "default", owner, facts(number)) for number in numbers)
            )
        began = time.monotonic()
        await planwarden.record.bring_up_to_date()
        return time.monotonic() - began


async def timed(ask: Callable[[], Awaitable[object]]) -> list[float]:
    """Ask again and again; give the seconds of each."""
    taken: list[float] = []
    for _ in range(REPEATS):
        began = time.monotonic()
        await ask()
        taken.append(time.monotonic() - began)
    return sorted(taken)


async def scan(planwarden: Planwarden, query: RunQuery) -> list[RunSummary]:
    """Find the same by reading every summary."""
    wanted = set(facets_wanted(query))
    read = [each async for each in planwarden.record.summaries()]
    kept = [each for each in read if isinstance(each, RunSummary) and wanted <= set(facets_of(each))]
    return kept[::-1][: query.limit]


QUERIES = {
    "--agent agent_3": RunQuery(agent="agent_3", limit=20),
    "--tool rare.tool": RunQuery(tool="rare.tool", limit=20),
    "--deviation tool_failed": RunQuery(deviation="tool_failed", limit=20),
    "--agent agent_0 --deviation tool_failed --since 30d": RunQuery(
        agent="agent_0", deviation="tool_failed", since=datetime.now(UTC) - timedelta(days=30), limit=20
    ),
    "--agent agent_1 --deviation tool_failed (none)": RunQuery(
        agent="agent_1", deviation="tool_failed", limit=20
    ),
    "--status completed --agent agent_2 --tool domain2.tool2": RunQuery(
        status="completed", agent="agent_2", tool=TOOLS[2], limit=20
    ),
    "--since 30d": RunQuery(since=datetime.now(UTC) - timedelta(days=30), limit=20),
}


async def main() -> int:
    """Run the benchmark; ends with 1 when a search is slower than the target, but not in a slice."""
    count = int(os.environ.get("PLANWARDEN_BENCH_SEARCHED", "100000"))
    slowest = 0.0
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings({"planwarden_home": Path(home)})
        indexed_s = await fill(settings, count)
        print(f"search over {count} runs (index of all of them made anew: {indexed_s:.0f} s)")
        async with Planwarden.open(settings) as planwarden:
            for name, query in QUERIES.items():
                taken = await timed(lambda query=query: planwarden.record.found(query))
                hits = len(await planwarden.record.found(query))
                middle = statistics.median(taken)
                slowest = max(slowest, middle)
                spread = f"({taken[0] * 1000:.1f} to {taken[-1] * 1000:.1f})"
                print(f"  {middle * 1000:7.1f} ms {spread}  {hits:2} runs  {name}")
            began = time.monotonic()
            await scan(planwarden, QUERIES["--deviation tool_failed"])
            print(f"  {(time.monotonic() - began) * 1000:7.0f} ms  a plain scan for --deviation tool_failed")
    print(f"  slowest median {slowest * 1000:.1f} ms, target {TARGET_S * 1000:.0f} ms")
    return 1 if slowest > TARGET_S and "PLANWARDEN_BENCH_SLICE" not in os.environ else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
