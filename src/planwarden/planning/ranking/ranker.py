"""How likely each tool is to be in the plan for a request, what repeats, and which step builds on which.

Signals of each tool by itself go through one forest, with those of its company through a second; both were
grown on plans that people labelled (`planwarden tune ranker`), and their output is a calibrated probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.fusion.best_set import best_size
from planwarden.planning.ranking.company import company
from planwarden.planning.ranking.heard import Heard
from planwarden.planning.ranking.lessons import LessonBook, Recalled, recall
from planwarden.planning.ranking.order import Looked, Steps, judge_order
from planwarden.planning.ranking.signals import Signals, signals
from planwarden.planning.ranking.tool_index import ToolIndex
from planwarden.planning.ranking.weights import RankerWeights

Floats = NDArray[np.float32]
Probabilities = NDArray[np.float64]

MAX_STEPS = 8
"""Of the plan that the ranker itself would make; the order is judged among so many."""
OTHERS = 4
"""Tools beside that plan whose links to it are judged too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What the ranker says of a request; arrays have one entry for each of `names`."""

    names: tuple[str, ...]
    probability: Probabilities
    repeats: Probabilities
    place: Floats
    """From 0 (first) to 1 (last)."""
    links: Mapping[tuple[str, str], float]
    none: float
    """Probability that no tool fits."""
    recalled: Recalled


def rank(
    heard: Heard,
    tools: ToolIndex,
    book: LessonBook,
    weights: RankerWeights,
    usable: NDArray[np.bool_] | None = None,
) -> Ranking:
    """Rank some tools for a request.

    Args:
        heard: the request.
        tools: those that may be planned.
        book: what earlier plans teach.
        weights: what was learned.
        usable: which lessons of the book may be used; None for all.
    """
    near = tools.only(tools.nearest(heard))
    recalled = recall(book, heard.embeddings[0], heard.letters[0], near.names, usable=usable)
    own = signals(heard, near, recalled)
    alone = weights.alone.probability(own.columns)
    rows = np.hstack([own.columns, company(alone, own, near, recalled)])
    probability = weights.company.probability(rows)
    repeats = weights.repeats.probability(rows)
    place, links = _order(heard, near, own, recalled, weights, probability, repeats)
    return Ranking(
        names=near.names,
        probability=probability,
        repeats=repeats,
        place=place,
        links=links,
        none=_none(fitting(alone, own, recalled), weights),
        recalled=recalled,
    )


def chosen_rows(probability: Probabilities, repeats: Probabilities) -> list[int]:
    """Give the rows of the multiset of tools with the best expected F1, likeliest first."""
    items = [
        (float(p) * float(again) ** times, times, row)
        for row, (p, again) in enumerate(zip(probability, repeats, strict=True))
        for times in range(3)
    ]
    items.sort(key=lambda item: (-item[0], item[1], item[2]))
    return [row for _, _, row in items[: best_size([p for p, _, _ in items], MAX_STEPS)]]


def _order(
    heard: Heard,
    tools: ToolIndex,
    own: Signals,
    recalled: Recalled,
    weights: RankerWeights,
    probability: Probabilities,
    repeats: Probabilities,
) -> tuple[Floats, dict[tuple[str, str], float]]:
    """Judge the order of the likeliest plan, and how each other likely tool would stand in it."""
    topics = (heard.embeddings[0] - weights.centre) @ weights.topics
    plan = chosen_rows(probability, repeats)
    others = [int(row) for row in np.argsort(-probability, kind="stable") if row not in plan][:OTHERS]
    place = np.full(len(tools.names), 0.5, np.float32)
    links: dict[tuple[str, str], float] = {}
    looked = Looked.up(tools, recalled)

    def judge(rows: Sequence[int]) -> list[int]:
        steps = Steps(heard=heard, signals=own, topics=topics, rows=tuple(rows), looked=looked)
        order, linked = judge_order(steps, weights.before.probability, weights.linked.probability)
        ordered = [rows[step] for step in order]
        for (a, b), p in linked.items():
            first, second = tools.names[rows[a]], tools.names[rows[b]]
            links.setdefault((first, second), p)
            links.setdefault((second, first), 0.0)
        return ordered

    for at, row in enumerate(ordered := judge(plan)):
        place[row] = at / max(1, len(ordered) - 1)
    for other in others:
        ordered = judge([*plan, other])
        place[other] = ordered.index(other) / max(1, len(ordered) - 1)
    return place, links


def fitting(probability: Probabilities, own: Signals, recalled: Recalled) -> Floats:
    """Give what tells whether any tool fits: the values of FITTING.

    Args:
        probability: of each tool by itself.
        own: signals of each tool by itself.
        recalled: what lessons say.
    """
    ordered = np.sort(probability)[::-1]

    def logit(p: float) -> float:
        return float(np.log(max(p, 1e-4) / max(1 - p, 1e-4)))

    nearest = float(recalled.alike[recalled.near[0]]) if len(recalled.near) else 0.0
    second = logit(float(ordered[1])) if len(ordered) > 1 else logit(0.0)
    meaning, letters = own.columns[:, 25].max(), own.columns[:, 9].max()
    values = (
        1.0, logit(float(ordered[0])), second, float(ordered.sum()), nearest, meaning, letters,
        len(own.by_clause),
    )  # fmt: skip
    return np.array(values, np.float32)


def _none(values: Floats, weights: RankerWeights) -> float:
    return float(1.0 / (1.0 + np.exp(-float(values @ weights.none))))
