"""Catalogs of up to 10,000 tools: time for a shortlist, size of the prompt, making and keeping the index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from benchmarks.planner.bench import Bench
from benchmarks.planner.results import Cell, Figure, Measured, Section, reached_figure, table
from benchmarks.planner.synthetic import OWN, distinct_tools, many_tools, task_over

from planwarden.catalog.catalog import Catalog
from planwarden.evaluation.intervals import Spread, spread_of
from planwarden.evaluation.offered import OFFERED_POLICY, catalog_of
from planwarden.evaluation.plan_tasks import evenly
from planwarden.planning.prior import PriorRequest, PriorSource

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
        catalog, _ = catalog_of(task_over(tools, REQUEST, "catalog"))
        source = bench.makes.shipped().source()
        built = _seconds(bench, partial(source.prepare, catalog))
        kept = _seconds(bench, partial(bench.makes.shipped().source().prepare, catalog))
        bench.tell(f"scale: {count} tools, index {built:.2f} s, again {kept:.2f} s")
        shortlist = _shortlists(bench, source, catalog, requests)
        contestant = bench.makes.shipped().contestant("fused", bench.llm)
        asked = [task_over(tools, text, f"{count}-{place}") for place, text in enumerate(requests[:ASKED])]
        judged = await bench.judge(f"scale, {count} tools", asked, contestant)
        tokens[count] = spread_of([each.attempted.usage.prompt_tokens for each in judged])
        rows.append(
            {
                "tools": count,
                "index, first time (s)": built,
                "index, next process (s)": kept,
                "shortlist (s)": Measured.of(shortlist),
                "prompt tokens": Measured.of(tokens[count]),
                "seconds for a plan": Measured.of(spread_of([each.attempted.seconds for each in judged])),
            }
        )
    return Section(
        name="catalog scale",
        notes=(
            f"{len(real)} real tools, numbered on; shortlists for {len(requests)} requests, medians.",
            f"Prompts for {min(ASKED, len(requests))} of the requests, as the model counted their tokens.",
        ),
        tables=(table("scale", "Larger and larger catalogs", rows),),
        figures=(
            reached_figure("shortlist over 10,000 tools, seconds", shortlist, SHORTLIST_S, at_most=True),
            _flat(tokens),
        ),
    )


def _shortlists(bench: Bench, source: PriorSource, catalog: Catalog, requests: Sequence[str]) -> Spread:
    """Time shortlists over an index that is there, the first one, which warms up, left out."""
    asked = [PriorRequest(text=text, catalog=catalog, policy=OFFERED_POLICY) for text in requests]
    source.prior(asked[0])
    return spread_of([_seconds(bench, partial(source.prior, each)) for each in asked])


def _seconds(bench: Bench, work: Callable[[], object]) -> float:
    began = bench.clock.monotonic()
    work()
    return bench.clock.monotonic() - began


def _flat(tokens: dict[int, Spread]) -> Figure:
    small, large = tokens[100].median, tokens[10_000].median
    ratio = large / small if small else None
    return reached_figure(
        "prompt tokens, 10,000 tools to 100", ratio, FLAT, at_most=True, unit="×", note="medians"
    )
