"""The measured part of docs/benchmark.md, from a run's results: it says nothing that was not measured.

Pure: results in, Markdown out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from benchmarks.planner.layout import NOTHING, said
from benchmarks.planner.results import Cell, Figure, Measured, Results, Section, Table, status

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PLANNERS: Final = ("prior", "model", "fused")
PLOTTED: Final[Mapping[str, tuple[str, str]]] = {
    "by_source": ("by-source.png", "Node F1 by source: prior, model, fused, with 95 % intervals"),
    "left_out_by_source": ("left-out.png", "The same with each source left out of memory and training"),
    "reliability_fused": ("reliability.png", "Share of plans that are exactly right against confidence"),
    "risk_fused": ("risk-coverage.png", "Share of wrong plans when only the surest are followed"),
}
"""Table → the picture made of it, and what it shows."""
HIDDEN: Final = ("reliability_", "risk_")
"""Tables of which only the picture stands on the page, where there is one."""


def filled_in(page: str, results: Results) -> str:
    """Put the measured part between the marks of a page.

    Raises:
        ValueError: the page lacks the marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"the page needs the marks {BEGIN} and {END}"
        raise ValueError(msg)
    body = "\n".join(page_lines(results))
    return f"{before}{BEGIN}\n\n{body}\n\n{END}{after}"


def page_lines(results: Results) -> Iterator[str]:
    """Write the whole measured part."""
    yield "## What came out"
    yield ""
    yield f"Measured on {results.measured_on}, version {results.version} (`{results.commit}`), on"
    yield f"one machine: {results.machine}. The model was {results.model}."
    yield ""
    yield from _verdict_lines(results)
    for section in results.sections:
        yield from _section_lines(section)
    yield from rivals_lines(results)


def _verdict_lines(results: Results) -> Iterator[str]:
    figures = [figure for section in results.sections for figure in section.figures]
    if not figures:
        return
    yield "| figure | measured | 95 % interval or quartiles | to reach | |"
    yield "|---|---|---|---|---|"
    for each in figures:
        yield f"| {' | '.join(_figure_cells(each))} |"
    yield ""
    missed = [each.name for each in figures if each.reached is False]
    if missed:
        yield f"Not reached: {'; '.join(missed)}."
    else:
        yield "Everything that was measured in this run reached its figure."
    yield ""


def _figure_cells(figure: Figure) -> tuple[str, ...]:
    value = NOTHING if figure.value is None else f"{said(figure.value, 3)}{figure.unit}"
    around = ""
    if figure.low is not None and figure.high is not None:
        around = f"{said(figure.low, 3)}–{said(figure.high, 3)}"
    bound = f"{'≥' if figure.is_at_least else '≤'} {figure.target:g}{figure.unit}"
    name = f"{figure.name} ({figure.note})" if figure.note else figure.name
    return name, value, around, bound, status(figure)


def _section_lines(section: Section) -> Iterator[str]:
    yield f"### {section.name[:1].upper()}{section.name[1:]}"
    yield ""
    for note in section.notes:
        yield f"- {note}"
    yield f"- Took {section.seconds / 60:.1f} minutes to measure."
    yield ""
    for shown in section.tables:
        if shown.name in PLOTTED:
            file, title = PLOTTED[shown.name]
            yield f"![{title}](images/{file})"
            yield ""
        if not shown.name.startswith(HIDDEN):
            yield from _table_lines(shown)
            yield ""


def _table_lines(shown: Table) -> Iterator[str]:
    yield f"**{shown.title}**"
    yield ""
    yield f"| {' | '.join(shown.columns)} |"
    yield f"|{'---|' * len(shown.columns)}"
    for row in shown.rows:
        yield f"| {' | '.join(_cell(row.get(column), shown.digits) for column in shown.columns)} |"


def _cell(cell: Cell, digits: int) -> str:
    match cell:
        case None:
            return NOTHING
        case Measured():
            low, high = said(cell.low, max(digits - 1, 0)), said(cell.high, max(digits - 1, 0))
            return f"{said(cell.mean, digits)} ({low} to {high})"
        case float():
            return said(cell, digits)
        case int():
            return f"{cell:,}"
        case str():
            return cell.replace("|", "\\|")


def rivals_lines(results: Results) -> Iterator[str]:
    """Say where something simpler than the fused planner is better: retrieval, a router, the prior alone."""
    shown = results.table("by_source")
    if shown is None:
        return
    yield "### Where something simpler wins"
    yield ""
    lines = [line for row in shown.rows if (line := _rival(row, shown.columns))]
    yield from lines or ["On no source, and not over all, does anything simpler have a higher node F1."]
    yield ""


def _rival(row: Mapping[str, Cell], columns: Sequence[str]) -> str:
    fused = row.get("fused")
    if not isinstance(fused, Measured):
        return ""
    others = {
        column: cell
        for column in columns
        if column != "fused" and isinstance(cell := row.get(column), Measured) and cell.mean > fused.mean
    }
    if not others:
        return ""
    named = ", ".join(
        f"{_called(name)} ({cell.mean:.3f})"
        for name, cell in sorted(others.items(), key=lambda item: -item[1].mean)
    )
    where = {"all": "Over all tasks", "macro": "Over all sources alike"}.get(
        str(row["source"]), f"On {row['source']}"
    )
    return f"- {where} the fused planner ({fused.mean:.3f}) is behind {named}."


def _called(name: str) -> str:
    return {"prior": "the prior alone", "model": "the model alone"}.get(name, f"plain retrieval, `{name}`")
