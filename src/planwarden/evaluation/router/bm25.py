"""BM25 over what tools say of themselves (Robertson & Zaragoza 2009, with weighted fields). Pure.

What does not depend on the settings is worked out once for a catalog and a request, so that many settings can
be tried on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planwarden.contracts.specs import ToolSpec
from planwarden.evaluation.router.settings import RouterSettings
from planwarden.evaluation.router.words import clauses_of, points_back, words_of

Floats = NDArray[np.float64]
FIELDS = ("name", "description", "examples", "topics")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterIndex:
    """The words of some tools, field by field."""

    names: tuple[str, ...]
    counts: tuple[tuple[Counter[str], ...], ...]
    """For each field, for each tool, how often it has each word."""
    lengths: Floats
    """How many words, by field and tool."""
    having: Counter[str]
    """Word → how many tools have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A part of a request, held against the tools of an index."""

    points_back: bool
    count: int
    """How many different words of it say something."""
    found: Floats
    """How often each tool has each word, by field."""
    rarity: Floats
    """What each word weighs."""

    @property
    def known(self) -> bool:
        """Say whether any tool has any word of it."""
        return bool(self.found.any())


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request held against the tools of an index: whole, and clause by clause."""

    index: RouterIndex
    words: frozenset[str]
    whole: Clause
    clauses: tuple[Clause, ...]


def index_of(tools: Sequence[ToolSpec]) -> RouterIndex:
    """Read the words of some tools."""
    counts = tuple(
        tuple(Counter(words_of(text)) for text in texts) for texts in zip(*map(_texts, tools), strict=True)
    ) or tuple(() for _ in FIELDS)
    having = Counter(
        word for own in zip(*counts, strict=True) for word in {word for field in own for word in field}
    )
    lengths = np.array([[field.total() for field in row] for row in counts], float)
    return RouterIndex(
        names=tuple(tool.name for tool in tools), counts=counts, lengths=lengths, having=having
    )


def _texts(tool: ToolSpec) -> tuple[str, ...]:
    examples = " ".join([*(example.request for example in tool.examples), *tool.foreign_examples])
    return tool.name, tool.description, examples, " ".join(tool.topics)


def question_of(text: str, index: RouterIndex) -> Question:
    """Hold a request against some tools."""
    return Question(
        index=index,
        words=frozenset(words_of(text)),
        whole=_clause(text, index),
        clauses=tuple(_clause(part, index) for part in clauses_of(text)),
    )


def _clause(text: str, index: RouterIndex) -> Clause:
    said = tuple(dict.fromkeys(words_of(text)))
    tools = len(index.names)
    found = np.array([[[own[word] for word in said] for own in row] for row in index.counts], float)
    having = np.array([index.having[word] for word in said], float)
    return Clause(
        points_back=points_back(text),
        count=len(said),
        found=found.reshape(len(FIELDS), tools, len(said)),
        rarity=np.log1p((tools - having + 0.5) / (having + 0.5)),
    )


def scores(clause: Clause, index: RouterIndex, settings: RouterSettings) -> Floats:
    """Score each tool for a clause."""
    if not clause.count:
        return np.zeros(len(index.names))
    weights = np.array([1.0, 1.0, settings.example_weight, settings.topic_weight])
    often = np.tensordot(weights, clause.found, 1)
    lengths = weights @ index.lengths
    long = 1 - settings.b + settings.b * lengths / max(float(lengths.mean()), 1e-9)
    saturated = often * (settings.k1 + 1) / (often + settings.k1 * long[:, None])
    named = settings.keyword_boost * (clause.found[0] > 0)
    return (saturated + named) @ clause.rarity


def most_possible(clause: Clause, settings: RouterSettings) -> float:
    """Give what a tool would score at most that has every word of a clause over and over."""
    return float((settings.k1 + 1 + settings.keyword_boost) * clause.rarity.sum())
