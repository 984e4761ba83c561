"""What the planner with its embedder takes without a model: memory, and time from a process's start."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.planner.bench import Bench
from benchmarks.planner.results import Cell, Measured, Section, reached_figure, table
from benchmarks.planner.synthetic import OWN, many_tools, task_over

from planwarden.evaluation.intervals import spread_of
from planwarden.evaluation.plan_tasks import PlanTask

STARTS = 5
MEMORY_MB, START_S = 150.0, 1.0


async def footprint(bench: Bench) -> Section:
    """Start fresh processes, one after the other, each planning one task."""
    task = (
        bench.tasks[0]
        if bench.tasks
        else task_over(many_tools(40, OWN), "What is the latest price of IBM?", "cold")
    )
    found = [await asyncio.to_thread(_start, bench, task) for _ in range(STARTS)]
    rows: list[dict[str, Cell]] = [
        {
            "what": label,
            "median, quartiles": Measured.of(spread_of([each[key] for each in found])),
            "first": found[0][key],
        }
        for key, label in (
            ("seconds", "seconds from process start to the first plan"),
            ("processor", "processor seconds until then"),
            ("resident_mb", "resident memory after it, MiB"),
            ("peak_mb", "highest resident memory, MiB"),
        )
    ]
    return Section(
        name="footprint",
        notes=(
            f"{STARTS} fresh processes: planner, ranker and embedder; no model, no agents, no tools.",
            f"Each plans one task over {len(task.tools)} tools that nobody indexed before.",
        ),
        tables=(table("footprint", "Planner with embedder, without the model", rows, digits=2),),
        figures=(
            reached_figure(
                "resident memory without the model",
                spread_of([each["resident_mb"] for each in found]),
                MEMORY_MB,
                at_most=True,
                unit=" MiB",
            ),
            reached_figure(
                "cold start to the first plan",
                spread_of([each["seconds"] for each in found]),
                START_S,
                at_most=True,
                unit=" s",
            ),
        ),
    )


def _start(bench: Bench, task: PlanTask) -> dict[str, float]:
    command: Sequence[str] = (sys.executable, "-m", "benchmarks.planner.cold_start")
    began = bench.clock.monotonic()
    done = subprocess.run(
        command, input=task.model_dump_json(), stdout=subprocess.PIPE, text=True, check=True
    )
    said = json.loads(done.stdout)
    bench.tell(f"cold start: {said['ready'] - began:.2f} s, {said['resident_mb']:.0f} MiB, {said['source']}")
    return {
        "seconds": said["ready"] - began,
        "resident_mb": said["resident_mb"],
        "peak_mb": said["peak_mb"],
        "processor": said["processor"],
    }
