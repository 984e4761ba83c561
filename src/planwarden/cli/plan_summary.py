"""How `planwarden eval plans` shows what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from planwarden.cli.output import out, plain, say

if TYPE_CHECKING:
    from planwarden.evaluation.intervals import Spread
    from planwarden.evaluation.plan_benchmark import Judged, Summary

MEASURES = ("valid", "node_f1", "edge_f1", "exact_set", "exact_plan", "order")
COSTS: Mapping[str, tuple[str, int]] = {
    "seconds": ("seconds", 3),
    "indexing": ("index_seconds", 3),
    "tokens in": ("prompt_tokens", 0),
    "of them cached": ("cached_tokens", 0),
    "tokens out": ("output_tokens", 0),
}
"""Column → field of `Cost`, and how many digits after the point are shown."""


def show_summaries(summaries: tuple[Summary, ...], judged: tuple[Judged, ...]) -> None:
    """Print scores and costs, where the plans came from, and the first task that got none."""
    _show_scores(summaries)
    _show_costs(summaries)
    whole = next(each for each in summaries if each.name == "all")
    say("plans by source: " + ", ".join(f"{name} {count}" for name, count in whole.sources.items()))
    errors = [each for each in judged if each.attempted.source == "none"]
    if errors:
        first = errors[0]
        said = plain(f"{first.task.id}: {first.attempted.error}"[:300])
        say(f"[yellow]{len(errors)} tasks got no plan[/], the first {said}")


def _show_scores(summaries: tuple[Summary, ...]) -> None:
    table = _table([name.replace("_", " ") for name in MEASURES])
    for each in summaries:
        table.add_row(plain(each.name), str(each.tasks), *(_score(each, measure) for measure in MEASURES))
    out.print(table)
    say("[dim]means with 95 % bootstrap intervals; edge f1 over tasks whose gold plan has links[/]")


def _show_costs(summaries: tuple[Summary, ...]) -> None:
    table = _table(list(COSTS))
    for each in summaries:
        cells = (_spread(getattr(each.cost, field), digits) for field, digits in COSTS.values())
        table.add_row(plain(each.name), str(each.tasks), *cells)
    out.print(table)
    say("[dim]of one plan: medians with quartiles; indexing a task's tools, once, is not in the seconds[/]")


def _table(columns: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("source", no_wrap=True)
    for column in ("tasks", *columns):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _score(summary: Summary, measure: str) -> str:
    found = summary.scores.get(measure)
    return "–" if found is None else f"{found.mean:.3f}\n[dim]{found.low:.2f}–{found.high:.2f}[/]"


def _spread(found: Spread, digits: int) -> str:
    around = f"{found.low:.{digits}f}–{found.high:.{digits}f}"
    return f"{found.median:.{digits}f}\n[dim]{around}[/]"
