"""Isotonic regression: the monotone map from a score to a probability that fits best. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

Point = tuple[float, float]
"""A score, and the probability that it stands for."""


def pool_adjacent_violators(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Give the non-decreasing sequence with the least weighted squared distance to the values.

    Pools neighbours that are in the wrong order into their weighted mean (Ayer et al. 1955), which keeps the
    weighted mean of the whole.

    Args:
        values: in the order of the score.
        weights: of each value; positive.
    """
    means: list[float] = []
    masses: list[float] = []
    counts: list[int] = []
    for value, weight in zip(values, weights, strict=True):
        means.append(value)
        masses.append(weight)
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            mean, mass, count = means.pop(), masses.pop(), counts.pop()
            both = masses[-1] + mass
            means[-1] += (mean - means[-1]) * mass / both
            masses[-1], counts[-1] = both, counts[-1] + count
    return [mean for mean, count in zip(means, counts, strict=True) for _ in range(count)]


def fit_isotonic(
    scores: Sequence[float],
    labels: Sequence[float],
    *,
    least: int = 1,
    prior: float = 0.0,
) -> tuple[Point, ...]:
    """Fit the map from score to probability; equal scores count as one, as heavy as they are many.

    Between the points the map is linear, outside them flat (`read_isotonic`): a step function would give
    many plans the very same confidence. Each pooled block stands at the mean score of what is in it.

    Args:
        scores: at least one.
        labels: 1 for right, 0 for wrong, beside each score.
        least: how many cases a block holds at least; smaller ones are joined to their neighbours.
        prior: how many imagined cases each block gets of which as large a share is right as its score says.
            Keeps a few cases from bending the map far, where scores are probabilities already (shrinkage).

    Raises:
        ValueError: there is no score.
    """
    if not scores:
        msg = "no scores to fit to"
        raise ValueError(msg)
    grouped: dict[float, list[float]] = {}
    for score, label in sorted(zip(scores, labels, strict=True)):
        grouped.setdefault(score, []).append(label)
    at = list(grouped)
    sums = [sum(own) for own in grouped.values()]
    counts = [float(len(own)) for own in grouped.values()]
    fitted = pool_adjacent_violators([s / n for s, n in zip(sums, counts, strict=True)], counts)
    blocks = _joined(_blocks(at, fitted, counts), least)
    points = [(x, (mean * mass + x * prior) / (mass + prior)) for x, mean, mass in blocks]
    # shrinking light blocks more than heavy ones may break the order by a hair: pool once more
    ordered = pool_adjacent_violators([y for _, y in points], [mass for _, _, mass in blocks])
    return tuple((x, min(max(y, 0.0), 1.0)) for (x, _), y in zip(points, ordered, strict=True))


def read_isotonic(points: Sequence[Point], score: float) -> float:
    """Give the probability that a score stands for: linear between the points, flat outside them."""
    place = bisect_right(points, score, key=lambda point: point[0])
    if place == 0:
        return points[0][1]
    if place == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[place - 1], points[place]
    return y0 + (y1 - y0) * (score - x0) / (x1 - x0)


_Block = tuple[float, float, float]
"""Mean score, mean label, mass."""


def _blocks(at: Sequence[float], fitted: Sequence[float], counts: Sequence[float]) -> list[_Block]:
    blocks: list[_Block] = []
    for x, y, mass in zip(at, fitted, counts, strict=True):
        if blocks and blocks[-1][1] == y:
            blocks[-1] = _together(blocks[-1], (x, y, mass))
        else:
            blocks.append((x, y, mass))
    return blocks


def _joined(blocks: list[_Block], least: int) -> list[_Block]:
    joined: list[_Block] = []
    for block in blocks:
        if joined and joined[-1][2] < least:
            joined[-1] = _together(joined[-1], block)
        else:
            joined.append(block)
    if len(joined) > 1 and joined[-1][2] < least:
        last = joined.pop()
        joined[-1] = _together(joined[-1], last)
    return joined


def _together(a: _Block, b: _Block) -> _Block:
    mass = a[2] + b[2]
    return (a[0] * a[2] + b[0] * b[2]) / mass, (a[1] * a[2] + b[1] * b[2]) / mass, mass
