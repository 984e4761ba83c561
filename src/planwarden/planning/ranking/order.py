"""Which steps build on which, and in what order they stand. Pure.

Two models: how likely one step is to come before another, from which an order follows (Borda count); then,
in that order, how likely the later one uses the earlier one's result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.ranking.heard import Heard
from planwarden.planning.ranking.lessons import Lesson, Recalled
from planwarden.planning.ranking.signals import Signals
from planwarden.planning.ranking.tool_index import ToolIndex

Floats = NDArray[np.float32]
Pairs = Mapping[tuple[int, int], float]
Judge = Callable[[Floats], NDArray[np.float64]]
"""Rows of signals → probabilities."""

TOPICS = 24
"""Directions of meaning of the request that the order may depend on."""
BEFORE = (
    "linked", "before", "after", "follows", "together", "near_links", "near_linked", "nearest", "far_links",
    "far_linked", "farthest", "supplies", "is_supplied", "meaning", "places_apart", "places_between", "steps",
    "same_tool", "first_required", "second_required", "first_parameters", "second_parameters", "fits_there",
    "clauses", "words", *(f"topic_{at}" for at in range(TOPICS)),
)  # fmt: skip
"""The columns for a pair of steps."""
LINKED = (*BEFORE, "p_before", "p_after", "steps_apart", "steps_ahead", "steps_left")
"""The columns for a pair of steps in their order."""
_NEIGHBOURS = 10
_VOTE_SHARPNESS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What does not depend on which steps there are: looked up once for all steps of a request."""

    tools: ToolIndex
    recalled: Recalled
    votes: tuple[float, ...]
    """Of lessons about the tools at hand, then of all others."""
    gives: dict[int, tuple[Floats, Floats]] = field(default_factory=dict[int, tuple[Floats, Floats]])
    pairs: dict[tuple[int, int], tuple[float, ...]] = field(
        default_factory=dict[tuple[int, int], tuple[float, ...]]
    )

    @staticmethod
    def up(tools: ToolIndex, recalled: Recalled) -> Looked:
        """Begin with the votes of lessons."""
        votes = (*_votes(recalled, recalled.near), *_votes(recalled, recalled.far))
        return Looked(tools=tools, recalled=recalled, votes=votes)

    def pair(self, first: int, second: int) -> tuple[float, ...]:
        """Give what is known of a tool and one after it: lessons' counts, then supply, meaning."""
        if (first, second) not in self.pairs:
            tools, (named, needed) = self.tools, self._gives(first)
            self.pairs[first, second] = (
                *_counts(self.recalled, (tools.names[first], tools.names[second])),
                float(named[second]),
                float(needed[second]),
                float(tools.embeddings[first] @ tools.embeddings[second]),
            )
        return self.pairs[first, second]

    def _gives(self, row: int) -> tuple[Floats, Floats]:
        if row not in self.gives:
            tools = self.tools
            self.gives[row] = (
                tools.parameter_letters.likeness(tools.name_letters.row(row).spread()),
                tools.name_letters.likeness(tools.parameter_letters.row(row).spread()),
            )
        return self.gives[row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Some steps of a plan for a request, in no order yet; a tool may stand in several."""

    heard: Heard
    signals: Signals
    topics: Floats
    """Of the request, shape (TOPICS,)."""
    rows: tuple[int, ...]
    """Which tool each step uses."""
    looked: Looked

    @property
    def places(self) -> list[int]:
        """Give the clause that each step's tool fits best."""
        return [int(self.signals.by_clause[:, row].argmax()) for row in self.rows]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Give all pairs of steps, each way round."""
        steps = range(len(self.rows))
        return [(a, b) for a in steps for b in steps if a != b]


def pair_signals(steps: Steps) -> Floats:
    """Give the signals for `steps.pairs`, shape (pairs, len(BEFORE))."""
    looked, rows, places = steps.looked, steps.rows, steps.places
    tools = looked.tools
    fit, found = steps.signals.by_clause, list[list[float]]()
    for a, b in steps.pairs:
        first, second = rows[a], rows[b]
        *counts, supplies, supplied, meaning = looked.pair(first, second)
        apart = places[b] - places[a]
        found.append([
            *counts, *looked.votes, supplies, supplied, meaning, apart, abs(apart), len(rows),
            float(first == second), *tools.counts[[first, second], 0], *tools.counts[[first, second], 1],
            float(fit[places[a], second] - fit[places[b], second]), len(steps.heard.clauses),
            steps.heard.length, *steps.topics,
        ])  # fmt: skip
    return np.array(found, np.float32).reshape(len(found), len(BEFORE))


def _counts(recalled: Recalled, pair: tuple[str, str]) -> tuple[float, float, float, float, float]:
    together = recalled.count("together", pair)
    share = 1.0 / (together + 1.0)
    return (
        recalled.count("linked", pair) * share,
        recalled.count("before", pair) * share,
        recalled.count("before", (pair[1], pair[0])) * share,
        recalled.count("follows", pair) * share,
        float(np.log1p(together)),
    )


def _votes(recalled: Recalled, voters: NDArray[np.int64]) -> tuple[float, float, float]:
    """Say how closely the steps of the most similar lessons were linked, and how similar the nearest is."""
    lessons: Sequence[Lesson] = recalled.book.lessons
    nearest: list[int] = voters[: 8 * _NEIGHBOURS].tolist()
    several = [at for at in nearest if len(lessons[at].tools) > 1][:_NEIGHBOURS]
    if not several:
        return 0.5, 0.5, 0.0
    alike: Floats = recalled.alike[several]
    pull: Floats = np.exp((alike - alike.max()) * _VOTE_SHARPNESS)
    links = [len(lessons[at].links) / (len(lessons[at].tools) - 1) for at in several]
    closely = float(np.average(np.minimum(np.array(links, np.float32), 1.5), weights=pull))
    some = np.array([float(share > 0) for share in links], np.float32)
    at_all = float(np.average(some, weights=pull))
    return closely, at_all, float(alike.max())


def in_order(steps: Steps, before: Pairs) -> list[int]:
    """Give the steps in the order that the pairwise probabilities agree with most."""
    count = len(steps.rows)
    lead = [sum(before[a, b] - before[b, a] for b in range(count) if b != a) for a in range(count)]
    places = steps.places
    return sorted(range(count), key=lambda step: (-round(lead[step], 9), places[step], step))


def link_signals(
    signals_of_pairs: Floats, pairs: Sequence[tuple[int, int]], before: Pairs, order: Sequence[int]
) -> tuple[list[tuple[int, int]], Floats]:
    """Give the pairs of which the second comes later, and their signals, shape (pairs, len(LINKED))."""
    place = {step: at for at, step in enumerate(order)}
    later = [at for at, (a, b) in enumerate(pairs) if place[b] > place[a]]
    more = [
        (before[a, b], before[b, a], place[b] - place[a], place[a], len(order) - place[b])
        for a, b in (pairs[at] for at in later)
    ]
    beside = np.array(more, np.float32).reshape(len(later), 5)
    return [pairs[at] for at in later], np.hstack([signals_of_pairs[later], beside])


def judge_order(steps: Steps, before_of: Judge, linked_of: Judge) -> tuple[list[int], Pairs]:
    """Give the order of some steps, and for each pair in that order the probability that it is linked."""
    pairs = steps.pairs
    if not pairs:
        return list(range(len(steps.rows))), {}
    columns = pair_signals(steps)
    before = dict(zip(pairs, (float(p) for p in before_of(columns)), strict=True))
    order = in_order(steps, before)
    later, rows = link_signals(columns, pairs, before, order)
    return order, dict(zip(later, (float(p) for p in linked_of(rows)), strict=True))
