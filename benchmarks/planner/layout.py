"""Results as plain text, at most 100 columns wide. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.planner.results import Cell, Figure, Measured, Section, Table, status

WIDTH = 100
NOTHING = "–"


def said(value: float, digits: int) -> str:
    """Write a number with so many digits after the point; large ones without any."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.{digits}f}"


def cell_lines(cell: Cell, digits: int) -> tuple[str, str]:
    """Write a cell on two lines: the number, and under it what lies around it."""
    match cell:
        case None:
            return NOTHING, ""
        case Measured():
            around = f"{said(cell.low, digits - 1)}–{said(cell.high, digits - 1)}"
            return said(cell.mean, digits), around
        case float():
            return said(cell, digits), ""
        case int():
            return f"{cell:,}", ""
        case str():
            return cell, ""


def table_lines(shown: Table) -> Iterator[str]:
    """Write a table: a title, a header, and one or two lines for each row."""
    rows = [[cell_lines(row.get(column), shown.digits) for column in shown.columns] for row in shown.rows]
    widths = [
        max(len(name), *(len(line) for row in rows for line in row[place]), 0)
        for place, name in enumerate(shown.columns)
    ]
    left = [_is_text(shown, column) for column in shown.columns]
    yield shown.title
    yield _line(list(shown.columns), widths, left)
    yield _line(["-" * width for width in widths], widths, left)
    for row in rows:
        yield _line([cell[0] for cell in row], widths, left)
        if any(cell[1] for cell in row):
            yield _line([cell[1] for cell in row], widths, left)


def figure_lines(figures: Sequence[Figure]) -> Iterator[str]:
    """Write figures beside what was to be reached."""
    width = max(len(each.name) for each in figures)
    for each in figures:
        value = NOTHING if each.value is None else f"{said(each.value, 3)}{each.unit}"
        around = "" if each.low is None or each.high is None else f"{each.low:.3f}–{each.high:.3f}"
        bound = f"{'≥' if each.is_at_least else '≤'} {each.target:g}{each.unit}"
        line = f"{each.name:<{width}}  {value:>9}  {around:<14} {bound:<9} {status(each)}"
        yield line.rstrip()
        if each.note:
            yield f"{'':<{width}}  ({each.note})"


def section_lines(section: Section) -> Iterator[str]:
    """Write everything that a part came to."""
    yield f"== {section.name} ({section.seconds:.0f} s) ".ljust(WIDTH, "=")
    for note in section.notes:
        yield f"  {note}"
    for shown in section.tables:
        yield ""
        yield from table_lines(shown)
    if section.figures:
        yield ""
        yield from figure_lines(section.figures)
    yield ""


def _is_text(shown: Table, column: str) -> bool:
    return all(isinstance(row.get(column), str) for row in shown.rows)


def _line(parts: Sequence[str], widths: Sequence[int], left: Sequence[bool]) -> str:
    cells = zip(parts, widths, left, strict=True)
    return "  ".join(f"{p:<{w}}" if is_left else f"{p:>{w}}" for p, w, is_left in cells).rstrip()
