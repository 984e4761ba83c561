"""Catalogs of up to 10,000 tools: time for a shortlist, size of the prompt, making and keeping the index."""

from __future__ import annotations

from typing import Final

from benchmarks.planner.bench import Bench
from benchmarks.planner.results import Cell, Figure, Measured, Section, reached_figure, table
from benchmarks.planner.synthetic import OWN, distinct_tools, many_tools, task_over

from planwarden.evaluation.intervals import Spread, spread
from planwarden.evaluation.plan_tasks import evenly

COUNTS: Final = (14, 100, 1_000, 10_000)
REQUESTS, ASKED = 60, 8
SHORTLIST_S: Final = 0.030
FLAT: Final = 1.10
"""How much longer the longest prompt may be than the one over 100 tools and still be called flat."""
REQUEST = "What is the latest price of IBM, and what time is it in Tokyo?"


async def catalog_scale(bench: Bench) -> Section:
    """Measure the shipped planner over ever larger catalogs."""
    real = distinct_tools(bench.tasks) or OWN
    requests = [task.request for task in evenly(bench.tasks, REQUESTS)] or [REQUEST]
    rows: list[dict[str, Cell]] = []
    tokens: dict[int, Spread] = {}
    shortlist = Spread(0.0, 0.0, 0.0)
    for count in COUNTS:
        tools = many_tools(count, real)
        scaled = bench.makes.shipped().scaled(task_over(tools, requests[0], f"scale-{count}"))
        built = scaled.index()
        kept = scaled.index_again()
        bench.tell(f"scale: {count} tools, index {built:.2f} s, again {kept:.2f} s")
        scaled.shortlist(requests[0])
        shortlist = spread([scaled.shortlist(request) for request in requests])
        contestant = bench.makes.shipped().contestant("fused", bench.llm)
        asked = [
            task_over(tools, request, f"{count}-{place}") for place, request in enumerate(requests[:ASKED])
        ]
        judged = await bench.judge(f"scale, {count} tools", asked, contestant)
        tokens[count] = spread([each.attempted.usage.prompt_tokens for each in judged])
        rows.append(
            {
                "tools": count,
                "index, built once (s)": built,
                "index, kept (s)": kept,
                "shortlist (s)": Measured.of(shortlist),
                "prompt tokens": Measured.of(tokens[count]),
            }
        )
    return Section(
        name="catalog scale",
        notes=(
            f"Tools: {len(real)} real ones, numbered on; shortlists for {len(requests)} requests, medians with"
            f" quartiles; prompts of {min(ASKED, len(requests))} requests, as the model counted them.",
        ),
        tables=(table("scale", "Larger and larger catalogs", rows),),
        figures=(
            reached_figure("shortlist over 10,000 tools, seconds", shortlist, SHORTLIST_S, at_most=True),
            _flat(tokens),
        ),
    )


def _flat(tokens: dict[int, Spread]) -> Figure:
    small, large = tokens[100].median, tokens[10_000].median
    ratio = large / small if small else None
    return reached_figure(
        "prompt tokens, 10,000 tools to 100", ratio, FLAT, at_most=True, unit="×", note="medians"
    )
