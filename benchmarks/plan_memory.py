"""A memory of 10,000 plans: recalling from cold, warm, with one that is new; keeping, forgetting, a repeat.

PLANWARDEN_BENCH_PLANS sets how many (10,000).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from planwarden.catalog.catalog import build_catalog
from planwarden.contracts.memory import RememberedPlan, RememberedStep
from planwarden.contracts.specs import AgentSpec, ToolSpec
from planwarden.contracts.task import Task
from planwarden.planning.memory.key import repeat_key
from planwarden.planning.memory.repeat import repeated
from planwarden.planning.memory.sqlite import SqliteMemory
from planwarden.policy.rules import ToolPolicy

COUNT = int(os.environ.get("PLANWARDEN_BENCH_PLANS", "10000"))
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
TOOLS = tuple(f"tool{number}.do" for number in range(40))


def lessons(digests: tuple[str, str]) -> Iterator[RememberedPlan]:
    """Make what so many runs taught, two steps each."""
    for number in range(COUNT):
        request = f"Request number {number}: what did it cost, and how did it change since the year before?"
        first, second = TOOLS[number % 40], TOOLS[(number * 7 + 1) % 40]
        yield RememberedPlan(
            id=f"m{number:012x}",
            tenant="default",
            request=request,
            repeat_key=repeat_key(Task(prompt=request)),
            steps=(
                RememberedStep(agent="worker", tools=(first,)),
                RememberedStep(agent="worker", tools=(second,), depends_on=(0,)),
            ),
            origin="run",
            catalog_digest=digests[0],
            policy_digest=digests[1],
            at=BEGUN + timedelta(minutes=number),
            run_id=f"r{number}",
        )


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    """Say how long some work takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def main() -> None:
    """Measure, and print a line for each."""
    specs = [ToolSpec(name=name, description="Works", effect="read", parameters=CLOSED) for name in TOOLS]
    catalog = build_catalog([AgentSpec(name="worker", description="Works", tools=TOOLS)], specs)
    policy = ToolPolicy()
    known = list(lessons((catalog.digest, policy.digest)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        filling = await seconds(lambda: SqliteMemory(path).rebuild(known, begun=BEGUN))
        print(f"{COUNT} plans kept anew in {filling:.2f} s, {path.stat().st_size / 1e6:.1f} MB")
        colds = [await seconds(lambda: SqliteMemory(path).recall("default", None)) for _ in range(5)]
        print(f"recall, first of a process  {statistics.median(colds) * 1e3:8.1f} ms")
        memory = SqliteMemory(path)
        tracemalloc.start()
        plans = await memory.recall("default", None)
        print(f"memory for {len(plans)} plans       {tracemalloc.get_traced_memory()[0] / 1e6:8.1f} MB")
        tracemalloc.stop()
        warm = [await seconds(lambda: memory.recall("default", None)) for _ in range(50)]
        print(f"recall, nothing new         {statistics.median(warm) * 1e3:8.2f} ms")
        keeping, again = list[float](), list[float]()
        for number in range(10):
            new = known[number].model_copy(update={"at": BEGUN + timedelta(days=400, minutes=number)})
            keeping.append(await seconds(partial(memory.remember, new)))
            again.append(await seconds(lambda: memory.recall("default", None)))
        print(f"keep one                    {statistics.median(keeping) * 1e3:8.2f} ms")
        print(f"recall, one new             {statistics.median(again) * 1e3:8.1f} ms")
        task = Task(prompt=plans[0].request)
        began = time.perf_counter()
        found = repeated(task, catalog, policy, plans)
        assert found is not None
        print(f"find a repeat               {(time.perf_counter() - began) * 1e3:8.1f} ms")
        forgetting = await seconds(lambda: memory.forget("default", [known[1].id]))
        print(f"forget one, wiped           {forgetting * 1e3:8.1f} ms")


CLOSED: dict[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}

if __name__ == "__main__":
    asyncio.run(main())
