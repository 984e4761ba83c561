"""What speaks for each tool by itself: letters, meaning, parts of the request, lessons. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.ranking.heard import Heard
from planwarden.planning.ranking.lessons import Recalled
from planwarden.planning.ranking.regression import taught
from planwarden.planning.ranking.tool_index import ToolIndex

Floats = NDArray[np.float32]

_VIEWS = ("name", "text", "parameters", "meaning")
_OF_A_VIEW = (
    "whole",
    "clause",
    "whole_rank",
    "clause_rank",
    "whole_z",
    "clause_z",
    "whole_gap",
    "clause_gap",
)
SIGNALS = (
    *(f"{view}_{kind}" for view in _VIEWS for kind in _OF_A_VIEW),
    "owned", "owned_sum", "clauses_led", "lead", "whole", "whole_rank", "best_clause", "best_clause_rank",
    "place", "tools", "clauses", "words", "required", "parameters", "description_words",
    "lesson_best", "lesson_vote", "lesson_vote_3", "lesson_count", "lesson_share", "lesson_clause",
    "lesson_letters", "lesson_any", "nearest_lesson", "lessons",
    "taught_whole", "taught_clause", "taught_whole_rank", "taught_clause_rank", "taught_whole_gap",
    "taught_clause_gap",
)  # fmt: skip
"""The columns of `Signals.columns`."""
_SHARPNESS = 12.0
_NEIGHBOURS = 12
_VOTE_SHARPNESS = 20.0
_MOST_TOOLS = 64
_NO_LESSON = -0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The signals of each tool for one request, and what later stages need of them."""

    columns: Floats
    """Shape (tools, len(SIGNALS))."""
    by_clause: Floats
    """How well each tool fits each clause, shape (clauses, tools)."""


def signals(heard: Heard, tools: ToolIndex, recalled: Recalled) -> Signals:
    """Give the signals of some tools for a request."""
    views = (
        np.stack([tools.name_letters.likeness(row) for row in heard.letters]),
        np.stack([tools.text_letters.likeness(row) for row in heard.letters]),
        np.stack([tools.parameter_letters.likeness(row) for row in heard.letters]),
        heard.embeddings @ tools.embeddings.T,
    )
    fit: Floats = ((views[0] + views[1]) / 2 + views[3]).astype(np.float32)
    columns = [column for view in views for column in _of_a_view(view)]
    columns += _competition(fit)
    columns += _sizes(heard, tools, fit[1:])
    columns += _lessons(heard, tools, recalled)
    columns += _taught(taught(heard.embeddings, recalled, tools.names))
    return Signals(columns=np.stack(columns, axis=1).astype(np.float32), by_clause=fit[1:])


def _of_a_view(view: Floats) -> list[Floats]:
    whole, clause = view[0], view[1:].max(0)
    return [
        whole, clause, _rank(whole), _rank(clause), _standard(whole), _standard(clause),
        whole - whole.max(), clause - clause.max(),
    ]  # fmt: skip


def _competition(fit: Floats) -> list[Floats]:
    """Say of how much of the request each tool is the best one."""
    clauses, count = fit[1:], fit.shape[1]
    shares = np.exp((clauses - clauses.max(1, keepdims=True)) * _SHARPNESS)
    shares /= shares.sum(1, keepdims=True)
    led = np.bincount(clauses.argmax(1), minlength=count)
    ordered = np.sort(clauses, axis=1)
    second = ordered[:, -2:-1] if count > 1 else np.zeros((len(clauses), 1), np.float32)
    rival = np.where(clauses == ordered[:, -1:], second, ordered[:, -1:])
    best = clauses.max(0)
    return [
        shares.max(0), shares.sum(0), led.astype(np.float32), (clauses - rival).max(0),
        fit[0], _rank(fit[0]), best, _rank(best),
    ]  # fmt: skip


def _sizes(heard: Heard, tools: ToolIndex, by_clause: Floats) -> list[Floats]:
    count, parts = len(tools.names), len(heard.clauses)
    place = by_clause.argmax(0) / max(1, parts - 1)
    counts = [tools.counts[:, column] for column in range(tools.counts.shape[1])]
    return [
        place.astype(np.float32), _all(min(count, _MOST_TOOLS), count), _all(parts, count),
        _all(heard.length, count), *counts,
    ]  # fmt: skip


def _lessons(heard: Heard, tools: ToolIndex, recalled: Recalled) -> list[Floats]:
    count, near = len(tools.names), recalled.near
    if not len(near):
        none = _all(_NO_LESSON, count)
        zeros = [_all(0.0, count) for _ in range(4)]
        return [none, *zeros, none, _all(0.0, count), *(_all(0.0, count) for _ in range(3))]
    book, alike = recalled.book, recalled.alike
    pull = np.zeros(len(alike), np.float32)
    pull[near] = np.exp((alike[near] - alike[near[0]]) * _VOTE_SHARPNESS) * book.weights[near]
    many, few = _votes(pull, near[:_NEIGHBOURS]), _votes(pull, near[:3])
    usable = np.zeros(len(alike), bool)
    usable[near] = True
    by_clause = (book.embeddings @ heard.embeddings[1:].T).max(1)
    rows = np.zeros((7, count), np.float32)
    rows[0], rows[5] = _NO_LESSON, _NO_LESSON
    for column, name in enumerate(tools.names):
        own = book.places.get(name)
        own = own[usable[own]] if own is not None else None
        if own is None or not len(own):
            continue
        rows[:, column] = (
            alike[own].max(), many[own].sum(), few[own].sum(), np.log1p(len(own)), len(own) / len(near),
            by_clause[own].max(), recalled.alike_to_the_letter[own].max(),
        )  # fmt: skip
    used = (rows[3] > 0).astype(np.float32)
    return [*rows, used, _all(float(alike[near[0]]), count), _all(float(np.log1p(len(near))), count)]


def _taught(expected: Floats) -> list[Floats]:
    whole, clause = expected[0], expected[1:].max(0)
    return [whole, clause, _rank(whole), _rank(clause), whole - whole.max(), clause - clause.max()]


def _votes(pull: Floats, voters: NDArray[np.int64]) -> Floats:
    votes = np.zeros_like(pull)
    votes[voters] = pull[voters] / max(float(pull[voters].sum()), 1e-9)
    return votes


def _all(value: float, count: int) -> Floats:
    return np.full(count, value, np.float32)


def _rank(scores: Floats) -> Floats:
    """Give 1 for the best, 1/2 for the next, and so on."""
    ranks = np.empty(len(scores), np.float32)
    ranks[np.argsort(-scores, kind="stable")] = 1.0 / np.arange(1, len(scores) + 1)
    return ranks


def _standard(scores: Floats) -> Floats:
    return (scores - scores.mean()) / (scores.std() + np.float32(1e-6))
