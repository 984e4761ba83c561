"""The diagrams of a calibration as PNG. Needs matplotlib, which comes with the extra `plots`."""

# pyright: reportUnknownMemberType=false
# matplotlib's own types leave keyword arguments open

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from planwarden.errors import ConfigurationError, DataRejected, installing
from planwarden.evaluation.calibration.sureness import Case, RiskPoint, Sureness, risk_coverage
from planwarden.evaluation.intervals import SEED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, GOOD, RAW = "#1b2a41", "#8896ab", "#0b7285", "#c2410c"
SIZE, DPI = (6.4, 6.0), 150
BAND_RESAMPLES = 200
GRID = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a diagram is drawn of."""

    label: str
    """Of the model."""
    after: Sureness
    """Calibrated, on plans that the map was not fitted on."""
    before: Sureness
    """Uncalibrated: the raw probability."""
    cases: Sequence[Case]
    """Calibrated."""


def check_drawable() -> None:
    """Find out whether diagrams can be drawn at all.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise ConfigurationError(
            "Diagrams as PNG need matplotlib, which is not installed.",
            remedy=f"Run {installing('plots')}, or leave --out away: the terminal shows both diagrams.",
        )


def write_diagrams(folder: Path, drawn: Drawn) -> tuple[Path, Path]:
    """Write `reliability.png` and `risk_coverage.png` into a folder. Blocks.

    Raises:
        ConfigurationError: matplotlib is not installed.
        DataRejected: they cannot be written.
    """
    check_drawable()
    paths = folder / "reliability.png", folder / "risk_coverage.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, figure in zip(paths, (_reliability(drawn), _risk(drawn)), strict=True):
            figure.savefig(path, dpi=DPI, facecolor="white")
    except OSError as error:
        raise DataRejected(
            f"{folder} cannot be written to: {error.strerror}.", remedy="Name another folder with --out."
        ) from error
    return paths


def _figure() -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure as NewFigure  # noqa: PLC0415 - an extra

    figure = NewFigure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _reliability(drawn: Drawn) -> Figure:
    figure = _figure()
    axes, counts = figure.subplots(2, 1, height_ratios=(5, 1), sharex=True)
    _titled(axes, f"Reliability of plan confidence\n{drawn.label}")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--", label="perfect", zorder=1)
    raw = drawn.before.bins
    axes.plot(
        [b.confidence for b in raw],
        [b.right for b in raw],
        color=RAW,
        linewidth=1,
        marker="o",
        markersize=3.5,
        alpha=0.75,
        label=f"before calibration, error {drawn.before.ece.mean:.3f}",
        zorder=2,
    )
    bins = drawn.after.bins
    axes.errorbar(
        [b.confidence for b in bins],
        [b.right for b in bins],
        yerr=[[b.right - b.low for b in bins], [b.high - b.right for b in bins]],
        color=GOOD,
        linewidth=1.6,
        marker="o",
        markersize=5,
        capsize=3,
        elinewidth=1,
        label=f"calibrated, error {_interval(drawn.after)}",
        zorder=3,
    )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share of plans exactly right")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    note = f"n = {drawn.after.cases} plans, held out; {len(bins)} bins of equal mass; bars: 95 % (Wilson)"
    edges = [place / 20 for place in range(21)]
    counts.hist([confidence for confidence, _ in drawn.cases], bins=edges, color=GOOD, alpha=0.55)
    counts.set(xlabel=f"confidence\n{note}", ylabel="plans")
    _plain(counts)
    return figure


def _risk(drawn: Drawn) -> Figure:
    figure = _figure()
    axes = figure.subplots()
    _titled(axes, f"Risk against coverage\n{drawn.label}")
    curve, base = drawn.after.curve, 1.0 - drawn.after.right
    grid = [(place + 1) / GRID for place in range(GRID)]
    low, high = _band(drawn.cases, grid)
    axes.fill_between(grid, low, high, color=GOOD, alpha=0.15, linewidth=0, label="95 % (bootstrap)")
    axes.plot(
        [p.coverage for p in curve],
        [p.risk for p in curve],
        color=GOOD,
        linewidth=1.8,
        label=f"by calibrated confidence, area {drawn.after.aurc.mean:.3f}",
    )
    axes.axhline(base, color=RAW, linewidth=1, linestyle="--", label=f"by chance, area {base:.3f}")
    best = _best(drawn.after)
    area = sum(risk for _, risk in best) / len(best)
    axes.plot(
        [coverage for coverage, _ in best],
        [risk for _, risk in best],
        color=SOFT,
        linewidth=1,
        linestyle=":",
        label=f"best possible, area {area:.3f}",
    )
    _mark_minima(axes, curve)
    top = min(1.02, max([base, *high]) * 1.05 + 0.02)
    axes.set(xlim=(0, 1.0), ylim=(0, top), ylabel="share of followed plans that are wrong")
    axes.set_xlabel(f"share of plans followed, the surest first (n = {drawn.after.cases}, held out)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure


def _mark_minima(axes: Axes, curve: Sequence[RiskPoint]) -> None:
    """Say which minimum confidence leads to a few coverages."""
    label = "minimum confidence for this coverage"
    for coverage in (0.25, 0.5, 0.75):
        point = next(each for each in curve if each.coverage >= coverage)
        axes.plot(
            [point.coverage], [point.risk], marker="o", markersize=4, color=INK, linestyle="", label=label
        )
        label = "_again"
        axes.annotate(
            f"≥ {point.confidence:.2f}",
            (point.coverage, point.risk),
            textcoords="offset points",
            xytext=(4, -12),
            fontsize=8.5,
            color=INK,
        )


def _band(cases: Sequence[Case], grid: Sequence[float]) -> tuple[list[float], list[float]]:
    random = Random(SEED)  # noqa: S311 - statistics, not secrets
    rows: list[list[float]] = []
    for _ in range(BAND_RESAMPLES):
        curve = risk_coverage(random.choices(cases, k=len(cases)))
        rows.append([curve[max(0, round(coverage * len(curve)) - 1)].risk for coverage in grid])
    columns = [sorted(column) for column in zip(*rows, strict=True)]
    last = BAND_RESAMPLES - 1
    return [c[int(0.025 * last)] for c in columns], [c[int(0.975 * last)] for c in columns]


def _best(found: Sureness) -> list[tuple[float, float]]:
    """Give the curve of a confidence that ranks every right plan above every wrong one."""
    right = round(found.right * found.cases)
    return [(k / found.cases, max(0, k - right) / k) for k in range(1, found.cases + 1)]


def _interval(found: Sureness) -> str:
    return f"{found.ece.mean:.3f} ({found.ece.low:.3f} to {found.ece.high:.3f})"


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold")
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6eaf0", linewidth=0.8)
    axes.set_axisbelow(True)
