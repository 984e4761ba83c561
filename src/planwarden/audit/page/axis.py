"""The axis of a timeline: true to scale where something was done, folded where a run only waited. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FOLD = 54.0
"""Width of a folded pause."""
TICKS = 7
_LEAST_S = 1e-9
"""Less than the record can tell apart."""
_APART = 52.0
"""Least distance of two labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the axis."""

    begin_s: float
    end_s: float
    x: float
    width: float
    folded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Seconds to places."""

    stretches: tuple[Stretch, ...]

    def place(self, at_s: float) -> float:
        """Give the place of a moment; one outside the axis is put on its nearer end."""
        for stretch in self.stretches:
            if at_s <= stretch.end_s:
                return _within(stretch, at_s)
        last = self.stretches[-1]
        return last.x + last.width

    def ticks(self) -> Iterator[tuple[float, bool, float]]:
        """Give places to label, far enough apart: `(x, after a pause, seconds from there or the start)`."""
        plain = [stretch for stretch in self.stretches if not stretch.folded]
        shown = sum(stretch.end_s - stretch.begin_s for stretch in plain)
        step = _round_step(shown / TICKS)
        last = -_APART
        for stretch in plain:
            after = stretch.begin_s > 0
            length = stretch.end_s - stretch.begin_s
            for number in range(int(after), math.floor(length / step + 1e-9) + 1):
                x = _within(stretch, stretch.begin_s + number * step)
                if x - last >= _APART:
                    yield x, after, number * step
                    last = x


def _within(stretch: Stretch, at_s: float) -> float:
    length = stretch.end_s - stretch.begin_s
    part = (at_s - stretch.begin_s) / length if length > 0 else 0.0
    return stretch.x + min(max(part, 0.0), 1.0) * stretch.width


def _round_step(rough: float) -> float:
    """Give the round number (1, 2 or 5 times a power of ten) at or above."""
    rough = max(rough, _LEAST_S)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))


def make_axis(busy: Sequence[tuple[float, float]], length_s: float, *, x: float, width: float) -> Axis:
    """Fold every pause that is longer than half of all the time in which something was done.

    Args:
        busy: begin and end of everything that was done, in any order.
        length_s: of the whole run.
        x: where the axis begins.
        width: how wide it is.
    """
    merged = _merged(busy)
    worked = sum(end - begin for begin, end in merged)
    edges = [
        0.0,
        *(edge for pair in merged for edge in pair),
        max(length_s, merged[-1][1] if merged else 0.0),
    ]
    pauses = [
        (begin, end)
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
        if worked > 0 and end - begin > worked / 2
    ]
    cuts = sorted({0.0, edges[-1], *(edge for pause in pauses for edge in pause)})
    spans = list(itertools.pairwise(cuts)) or [(0.0, max(length_s, 0.001))]
    open_s = sum(end - begin for begin, end in spans if (begin, end) not in pauses)
    scale = (width - FOLD * len(pauses)) / max(open_s, _LEAST_S)
    stretches: list[Stretch] = []
    for begin, end in spans:
        folded = (begin, end) in pauses
        wide = FOLD if folded else (end - begin) * scale
        stretches.append(Stretch(begin_s=begin, end_s=end, x=x, width=wide, folded=folded))
        x += wide
    return Axis(stretches=tuple(stretches))


def _merged(busy: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(busy):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
