"""The timeline as a drawing: the planner, then each step with its calls and exchanges below it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from planwarden.audit.page.amounts import seconds
from planwarden.audit.page.axis import Axis, make_axis
from planwarden.audit.page.element import joined, table, tag
from planwarden.audit.page.tones import BAD, DOUBT, IDLE, OK, WAIT
from planwarden.audit.timeline import Mark, Span, SpanEnd, SpanKind, Timeline

WIDTH, GUTTER, ROW, TOP = 980.0, 168.0, 22.0, 26.0
_LABELLED = 7.2
"""Width of a character in a bar."""
_TONES: dict[SpanEnd, str] = {"done": OK, "failed": BAD, "denied": BAD, "in_doubt": DOUBT, "open": IDLE}
_KINDS: dict[SpanKind, str] = {
    "planning": "planner model",
    "step": "step",
    "call": "call",
    "exchange": "agents' model",
    "waiting": "waiting for a person",
}
_ENDS: dict[SpanEnd, str] = {
    "done": "done",
    "failed": "failed",
    "denied": "denied",
    "in_doubt": "in doubt",
    "open": "no end in the record",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    label: str
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    begins_step: bool


def timeline_chart(found: Timeline, agents: dict[str, str]) -> Markup:
    """Draw when what happened; `agents` are by step."""
    rows = _rows(found, agents)
    busy = [(span.begin_s, span.end_s) for span in found.spans if _is_work(span)]
    axis = make_axis(busy, found.length_s, x=GUTTER, width=WIDTH - GUTTER - 28)
    height = TOP + ROW * len(rows) + 8
    drawing = tag(
        "svg",
        tag("title", _said(found)),
        *_grid(axis, height),
        *(part for at, row in enumerate(rows) for part in _draw(row, TOP + at * ROW, axis)),
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        width=WIDTH,
        height=height,
        role="img",
        class_="chart",
    )
    frame = tag("div", drawing, class_="wide", tabindex=0, role="region", aria_label="Timeline")
    return joined((frame, _legend(axis), _table(found)))


def _is_work(span: Span) -> bool:
    """Say whether something was done all the while; what a crash cut off only stayed open."""
    return span.kind not in ("step", "waiting") and span.end in ("done", "failed")


def _said(found: Timeline) -> str:
    counts = [(name, sum(span.kind == kind for span in found.spans)) for kind, name in _KINDS.items()]
    told = ", ".join(f"{count} × {name}" for name, count in counts if count)
    length = seconds(found.length_s)
    return f"Timeline of {length}: {told or 'nothing took time'}. The table below says the same."


def _rows(found: Timeline, agents: dict[str, str]) -> list[_Row]:
    rows = [*_lanes("run", None, ("planning", "waiting"), found)]
    steps = list(dict.fromkeys([*agents, *(span.step for span in found.spans if span.step)]))
    for step in steps:
        own = [span for span in found.spans if span.step == step]
        marks = tuple(mark for mark in found.marks if mark.step == step)
        if not own and not marks:
            continue
        label = f"{step} · {agents[step]}" if step in agents else step
        spans = tuple(span for span in own if span.kind == "step")
        rows.append(_Row(label=label, spans=spans, marks=marks, begins_step=True))
        rows += _lanes("calls", step, ("call", "waiting"), found)
        rows += _lanes("model", step, ("exchange",), found)
    return rows


def _lanes(label: str, step: str | None, kinds: Sequence[SpanKind], found: Timeline) -> Iterator[_Row]:
    """Put spans that overlap into rows below each other."""
    lanes: list[list[Span]] = []
    for span in (each for each in found.spans if each.step == step and each.kind in kinds):
        free = next((lane for lane in lanes if lane[-1].end_s <= span.begin_s), None)
        if free is None:
            lanes.append([span])
        else:
            free.append(span)
    marks = tuple(mark for mark in found.marks if mark.step is None) if step is None else ()
    for at, lane in enumerate(lanes or ([[]] if marks else [])):
        own = marks if at == 0 else ()
        yield _Row(label=label if at == 0 else "", spans=tuple(lane), marks=own, begins_step=step is None)


def _grid(axis: Axis, height: float) -> Iterable[Markup]:
    for x, after, at in axis.ticks():
        label = f"+{seconds(at)}" if after else seconds(at) if at else "0"
        yield tag("line", x1=x, x2=x, y1=TOP - 6, y2=height, class_="grid")
        yield tag("text", label, x=x, y=TOP - 11, text_anchor="middle", class_="tick")
    for stretch in axis.stretches:
        if stretch.folded:
            told = tag("title", f"{seconds(stretch.end_s - stretch.begin_s)} in which nothing was done")
            corner = {"x": stretch.x, "y": TOP - 6, "width": stretch.width, "height": height - TOP + 6}
            yield tag("rect", told, class_="pause", **corner)
            middle = stretch.x + stretch.width / 2
            pause = seconds(stretch.end_s - stretch.begin_s)
            yield tag("text", pause, x=middle, y=TOP - 11, text_anchor="middle", class_="tick")


def _draw(row: _Row, y: float, axis: Axis) -> Iterator[Markup]:
    label = row.label if len(row.label) <= 24 else f"{row.label[:23]}…"
    told = tag("title", row.label)
    class_ = "lane" if row.begins_step else "lane inner"
    yield tag("text", told, label, x=0 if row.begins_step else 14, y=y + 15, class_=class_)
    if row.begins_step:
        yield tag("line", x1=0, x2=WIDTH, y1=y, y2=y, class_="rule")
    for span in row.spans:
        yield from _bar(span, y, axis)
    for mark in row.marks:
        x = axis.place(mark.at_s)
        said = tag("title", f"{mark.label.replace('_', ' ')} at {seconds(mark.at_s)}")
        points = f"{x:.1f},{y + 3:.1f} {x + 5:.1f},{y + 11:.1f} {x:.1f},{y + 19:.1f} {x - 5:.1f},{y + 11:.1f}"
        yield tag("polygon", said, points=points, class_="moment")


def _bar(span: Span, y: float, axis: Axis) -> Iterator[Markup]:
    begin, end = axis.place(span.begin_s), axis.place(span.end_s)
    wide = max(end - begin, 2.0)
    tone = WAIT if span.kind == "waiting" and span.end in ("open", "done") else _TONES[span.end]
    told = (
        f"{_KINDS[span.kind]} {span.label}, {seconds(span.end_s - span.begin_s)} from {seconds(span.begin_s)}"
    )
    shape = {"x": begin, "width": wide, "rx": 2.0}
    thin = span.kind == "step"
    size = {"y": y + (8 if thin else 3), "height": 6.0 if thin else ROW - 6}
    yield tag(
        "rect", tag("title", f"{told}: {_ENDS[span.end]}"), class_=f"bar {span.kind} {tone}", **shape, **size
    )
    if not thin and wide > _LABELLED * len(span.label) + 8:
        yield tag(
            "text",
            span.label,
            x=begin + 5,
            y=y + 15,
            class_=f"inbar {'dark' if tone in (BAD, DOUBT) else ''}",
        )


def _legend(axis: Axis) -> Markup:
    key = tag(
        "p",
        tag("span", "planner model", class_="key planning"),
        tag("span", "step", class_="key step"),
        tag("span", "call", class_="key call"),
        tag("span", "agents' model", class_="key exchange"),
        tag("span", "waiting for a person", class_="key waiting"),
        tag("span", "failed, refused or denied", class_="key bad"),
        tag("span", "◆ a moment: its name stands in the table", class_="moment-key"),
        class_="legend",
    )
    folded = "Pauses in which nothing was done are folded; above them stands how long they were."
    return joined((key, tag("p", folded, class_="note") if any(s.folded for s in axis.stretches) else None))


def _table(found: Timeline) -> Markup:
    lines = [
        (
            span.begin_s,
            (_KINDS[span.kind], span.step or "–", span.label, span.end_s - span.begin_s, _ENDS[span.end]),
        )
        for span in found.spans
    ]
    lines += [(mark.at_s, ("moment", mark.step or "–", mark.label, None, "–")) for mark in found.marks]
    lines.sort(key=lambda line: line[0])
    rows = [
        (seconds(at), kind, step, label, seconds(took), end) for at, (kind, step, label, took, end) in lines
    ]
    head = ("from", "what", "step", "name", "took", "end")
    return tag("details", tag("summary", "The same as a table"), table("Timeline", head, rows))
