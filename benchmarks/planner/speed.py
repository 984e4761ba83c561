"""How long a plan takes, without a model and with the embedded one."""

from __future__ import annotations

from typing import Final

from benchmarks.planner.bench import Bench, Mode
from benchmarks.planner.results import Cell, Figure, Measured, Section, reached_figure, table

from planwarden.evaluation.plan_benchmark import summarise
from planwarden.evaluation.plan_tasks import evenly

LIMITS: Final[dict[Mode, float]] = {"prior": 0.050, "fused": 1.0}


async def latency(bench: Bench) -> Section:
    """Time plans over tools that were indexed before, one after the other."""
    sample = evenly(bench.tasks, bench.sizes.latency)
    shipped = bench.makes.shipped()
    rows: list[dict[str, Cell]] = []
    figures: list[Figure] = []
    for mode, limit in LIMITS.items():
        contestant = shipped.contestant(mode, bench.llm)
        await contestant.attempt(sample[0])  # what is loaded once is not part of a plan
        judged = await bench.judge(f"latency, {mode}", sample, contestant)
        for summary in summarise(judged):
            rows.append(
                {
                    "planner": mode,
                    "source": summary.name,
                    "tasks": summary.tasks,
                    "seconds": Measured.of(summary.cost.seconds),
                    "indexing, once": Measured.of(summary.cost.index_seconds),
                    "tokens in": Measured.of(summary.cost.prompt_tokens),
                    "tokens out": Measured.of(summary.cost.output_tokens),
                }
            )
            if summary.name == "all":
                behind = "no model" if mode == "prior" else bench.llm.identity.provider
                name = f"seconds for a plan, {behind}"
                figures.append(
                    reached_figure(name, summary.cost.seconds, limit, at_most=True, note="median, quartiles")
                )
    return Section(
        name="latency",
        notes=(
            f"{len(sample)} tasks, one after the other; nothing remembered; medians with quartiles.",
            "Not in the seconds: loading the weights, and indexing the tools, which a product does once.",
        ),
        tables=(table("latency", "Seconds and tokens for a plan", rows),),
        figures=tuple(figures),
    )
