"""Small plots as SVG: lines and columns over time, bars, confidence against success. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from planwarden.audit.page.element import joined, tag
from planwarden.audit.report.figures import ConfidenceBin

WIDTH, HEIGHT = 460.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 12.0, 12.0, 30.0
_CHARACTER = 6.4
"""Width of a character of a label."""
SQUARE = 320.0
"""Height of the plot of confidence, which is as high as it is wide."""
_TONES = ("first", "second", "third")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A line of values, one for each place; None leaves a gap."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a plot over time is drawn in: its places' names and how a value is said."""

    title: str
    labels: tuple[str, ...]
    say: Callable[[float], str]
    top: float | None = None
    """The highest value that can be; None takes a round one above the highest that is."""


def line_plot(frame: Frame, series: Sequence[Series]) -> Markup:
    """Draw values over time: a line through neighbours, a dot for each, nothing where there is none."""
    top = frame.top or _round_up(max((v for s in series for v in s.values if v is not None), default=1.0))
    parts = [
        part
        for tone, each in zip(_TONES, series, strict=False)
        for part in _line(each, tone, top, frame, len(frame.labels))
    ]
    return _drawing(frame, top, parts, _told(frame, series))


def column_plot(frame: Frame, values: Sequence[float]) -> Markup:
    """Draw counts over time as columns."""
    top = frame.top or _round_up(max([4.0, *values]))
    wide = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    columns: list[Markup] = []
    for place, value in enumerate(values):
        if value:
            y = _y(value, top)
            said = tag("title", f"{frame.labels[place]}: {frame.say(value)}")
            shape = {"x": LEFT + place * wide + wide * 0.12, "width": wide * 0.76}
            columns.append(tag("rect", said, y=y, height=_y(0, top) - y, class_="column", **shape))
    series = Series(name=frame.title, values=tuple(values))
    return _drawing(frame, top, columns, _told(frame, (series,)))


def confidence_plot(bins: Sequence[ConfidenceBin]) -> Markup:
    """Draw what confidence said (right) against the share that succeeded (up), with 95 % intervals."""
    side = SQUARE - TOP - BOTTOM - 12
    left = (WIDTH - side) / 2

    def x(value: float) -> float:
        return left + value * side

    def y(value: float) -> float:
        return TOP + (1 - value) * side

    parts = [tag("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="ideal")]
    for each in bins:
        share = each.success.share or 0.0
        at = x(each.confidence)
        told = tag("title", _said_of(each))
        parts.append(
            tag(
                "line",
                told,
                x1=at,
                x2=at,
                y1=y(each.success.low),
                y2=y(each.success.high),
                class_="band",
            )
        )
        kind = "dot" if each.enough else "hollow"
        parts.append(tag("circle", told, cx=at, cy=y(share), r=4.0, class_=kind))
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        said = f"{value:.0%}"
        parts.append(tag("line", x1=x(0), x2=x(1), y1=y(value), y2=y(value), class_="grid"))
        parts.append(tag("text", said, x=x(0) - 6, y=y(value) + 4, text_anchor="end", class_="axis"))
        parts.append(tag("text", said, x=x(value), y=SQUARE - 22, text_anchor="middle", class_="axis"))
    parts.append(tag("text", "confidence", x=x(0.5), y=SQUARE - 4, text_anchor="middle", class_="axis"))
    told = "Confidence against success. " + " ".join(f"{_said_of(each)}." for each in bins)
    return _svg(told, parts, SQUARE)


def _said_of(each: ConfidenceBin) -> str:
    share = each.success
    return f"confidence {each.confidence:.0%}: {share.count} of {share.of} succeeded"


def bar(share: float) -> Markup:
    """Draw a share as a bar, for a row of a table."""
    whole = tag("rect", x=0, y=2, width=120, height=10, rx=2.0, class_="pause")
    part = tag("rect", x=0, y=2, width=120 * min(max(share, 0.0), 1.0), height=10, rx=2.0, class_="column")
    return tag(
        "svg", whole, part, viewBox="0 0 120 14", width=120, height=14, aria_hidden="true", class_="plot"
    )


def key(names: Sequence[str]) -> Markup | None:
    """Name the lines of a plot; None where there is one only."""
    if len(names) < 2:
        return None
    parts = (tag("span", name, class_=f"key {tone}") for tone, name in zip(_TONES, names, strict=False))
    return tag("p", *parts, class_="legend")


def _line(series: Series, tone: str, top: float, frame: Frame, places: int) -> Iterator[Markup]:
    points = [
        (_x(place, places), _y(value, top), value, frame.labels[place])
        for place, value in enumerate(series.values)
        if value is not None
    ]
    stretches: list[list[str]] = []
    last: int | None = None
    for place, value in enumerate(series.values):
        if value is None:
            continue
        if last is None or place != last + 1:
            stretches.append([])
        stretches[-1].append(f"{_x(place, places):.1f},{_y(value, top):.1f}")
        last = place
    for stretch in stretches:
        if len(stretch) > 1:
            yield tag("polyline", points=" ".join(stretch), class_=f"line {tone}")
    for x, y, value, label in points:
        said = tag("title", f"{label}: {series.name} {frame.say(value)}")
        yield tag("circle", said, cx=x, cy=y, r=3.0, class_=f"dot {tone}")


def _drawing(frame: Frame, top: float, parts: Sequence[Markup], told: str) -> Markup:
    grid: list[Markup] = []
    below = ""
    for step in range(5):
        value = top * step / 4
        y = _y(value, top)
        grid.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        said = frame.say(value)
        if said != below:  # of values that are said alike the first is
            grid.append(tag("text", said, x=LEFT - 6, y=y + 4, text_anchor="end", class_="axis"))
        below = said
    count = len(frame.labels)
    wide = (WIDTH - LEFT - RIGHT) / max(1, count)
    needed = _CHARACTER * max(map(len, frame.labels), default=0) + 14
    every = max(1, math.ceil(needed / wide))
    for place in range(0, count, every):
        x = LEFT + (place + 0.5) * wide
        grid.append(tag("text", frame.labels[place], x=x, y=HEIGHT - 10, text_anchor="middle", class_="axis"))
    return _svg(told, [*grid, *parts])


def _svg(told: str, parts: Sequence[Markup], height: float = HEIGHT) -> Markup:
    title = tag("title", told)
    size = {"viewBox": f"0 0 {WIDTH:g} {height:g}", "width": WIDTH, "height": height}
    return tag("svg", title, joined(parts), role="img", class_="plot", **size)


def _told(frame: Frame, series: Sequence[Series]) -> str:
    lines = [
        f"{each.name}: "
        + ", ".join(
            f"{label} {frame.say(value)}"
            for label, value in zip(frame.labels, each.values, strict=True)
            if value is not None
        )
        for each in series
    ]
    return f"{frame.title}. {'. '.join(lines)}."


def _x(place: int, places: int) -> float:
    wide = (WIDTH - LEFT - RIGHT) / max(1, places)
    return LEFT + (place + 0.5) * wide


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)


def _round_up(value: float) -> float:
    """Give a round number at or above, whose quarters are round too."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * times for times in (1, 2, 4, 8, 10) if power * times >= value * (1 - 1e-9))
