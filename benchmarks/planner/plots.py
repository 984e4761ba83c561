"""The pictures of docs/benchmark.md, drawn from a run's tables. Needs matplotlib (the extra `plots`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from benchmarks.planner.page import PLANNERS, PLOTTED
from benchmarks.planner.results import Cell, Measured, Results, Table
from matplotlib.figure import Figure as Canvas

COLOURS: Final = {"prior": "#8a8f98", "model": "#d08a3c", "fused": "#2f6fab"}
WIDE, SQUARE = (9.0, 4.2), (5.0, 4.6)
DPI = 110


def draw_all(results: Results, folder: Path) -> tuple[Path, ...]:
    """Draw every picture whose table was measured; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams.update({"svg.hashsalt": "planwarden", "font.size": 10})
    drawn: list[Path] = []
    for name, (file, title) in PLOTTED.items():
        found = results.table(name)
        if found is None or not found.rows:
            continue
        kind = next(draw for prefix, draw in KINDS.items() if name.startswith(prefix))
        canvas: Any = kind(found, title)  # its own types are not whole
        canvas.savefig(folder / file, dpi=DPI, metadata={"Software": None})
        drawn.append(folder / file)
    return tuple(drawn)


def _bars(found: Table, title: str) -> Canvas:
    canvas, axes = _canvas(WIDE, title)
    for place, planner in enumerate(PLANNERS):
        cells = [_measured(row.get(planner)) for row in found.rows]
        at = [row + (place - 1) * 0.26 for row in range(len(cells))]
        axes.bar(at, [each.mean for each in cells], 0.24, label=planner, color=COLOURS[planner])
        below = [each.mean - each.low for each in cells]
        above = [each.high - each.mean for each in cells]
        axes.errorbar(
            at,
            [each.mean for each in cells],
            yerr=[below, above],
            fmt="none",
            ecolor="#33363b",
            elinewidth=0.9,
            capsize=2,
        )
    names = [f"{row['source']}\n{row['tasks']} tasks" for row in found.rows]
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 1)
    axes.set_ylabel("node F1")
    axes.legend(ncols=3, frameon=False, loc="upper right")
    return canvas


def _reliability(found: Table, title: str) -> Canvas:
    canvas, axes = _canvas(SQUARE, title)
    axes.plot([0, 1], [0, 1], color="#b9bdc4", linewidth=1, linestyle="--", label="as sure as right")
    sure = [_number(row["confidence"]) for row in found.rows]
    right = [_measured(row["exactly right"]) for row in found.rows]
    error = [[e.mean - e.low for e in right], [e.high - e.mean for e in right]]
    axes.errorbar(
        sure, [e.mean for e in right], yerr=error, fmt="o-", color=COLOURS["fused"], capsize=2, label="plans"
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share exactly right")
    axes.legend(frameon=False, loc="upper left")
    return canvas


def _risk(found: Table, title: str) -> Canvas:
    canvas, axes = _canvas(SQUARE, title)
    coverage = [_number(row["coverage"]) for row in found.rows]
    axes.plot(
        coverage, [_number(row["wrong"]) for row in found.rows], "o-", color=COLOURS["fused"], markersize=3
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("share of plans followed, the surest first")
    axes.set_ylabel("share of those that is wrong")
    return canvas


KINDS: Final[Mapping[str, Callable[[Table, str], Canvas]]] = {
    "by_source": _bars,
    "left_out_by_source": _bars,
    "reliability": _reliability,
    "risk": _risk,
}


def _canvas(size: tuple[float, float], title: str) -> tuple[Any, Any]:
    canvas: Any = Canvas(figsize=size, layout="constrained")
    axes: Any = canvas.subplots()
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return canvas, axes


def _measured(cell: Cell) -> Measured:
    return cell if isinstance(cell, Measured) else Measured(mean=0.0, low=0.0, high=0.0)


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0
