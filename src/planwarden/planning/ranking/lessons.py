"""What earlier plans teach: requests with the tools that did them, made ready to be compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planwarden.contracts.specs import ToolSpec
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.lexicon import GramRows, Lexicon
from planwarden.planning.ranking.words import text_words

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Pair = tuple[str, str]
EXAMPLE_WEIGHT = 0.5
"""Of a tool's own example, beside a plan that worked."""
PairKind = Literal["together", "before", "linked", "next", "follows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A request and what did it."""

    request: str
    tools: tuple[str, ...]
    """In the order of the steps; a tool may occur twice."""
    links: tuple[tuple[int, int], ...] = ()
    """Places of a step and of a later one that uses its result."""
    weight: float = 1.0
    """How much it counts: recent ones and edits more."""


def own_lessons(tool: ToolSpec) -> tuple[Lesson, ...]:
    """Give what a tool's own examples teach."""
    return tuple(
        Lesson(request=example.request, tools=(tool.name,), weight=EXAMPLE_WEIGHT)
        for example in tool.examples
    )


@dataclass(frozen=True, slots=True)
class PairCounts:
    """How often two tools stood in one plan."""

    together: Counter[Pair]
    """(a, b), for each way round."""
    before: Counter[Pair]
    """b built on a, over whatever steps."""
    linked: Counter[Pair]
    """b used a's result."""
    next: Counter[Pair]
    """b stood right after a."""
    follows: Counter[Pair]
    """b stood somewhere after a."""

    @staticmethod
    def of(lessons: Sequence[Lesson]) -> PairCounts:
        """Count the pairs of some lessons."""
        counts = PairCounts(Counter(), Counter(), Counter(), Counter(), Counter())
        for lesson in lessons:
            counts.add(lesson)
        return counts

    def add(self, lesson: Lesson) -> None:
        """Count the pairs of one more lesson."""
        tools, reached = lesson.tools, reachable(len(lesson.tools), lesson.links)
        for a, first in enumerate(tools):
            for b, second in enumerate(tools):
                if a == b:
                    continue
                pair = (first, second)
                self.together[pair] += 1
                self.before[pair] += (a, b) in reached
                self.follows[pair] += a < b
                self.next[pair] += b == a + 1
        self.linked.update((tools[a], tools[b]) for a, b in lesson.links)


def reachable(count: int, links: Sequence[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    """Give every pair of steps of which the second builds on the first, however far."""
    reached = set(links)
    for middle in range(count):
        into = [a for a, b in reached if b == middle]
        out = [b for a, b in reached if a == middle]
        reached |= {(a, b) for a in into for b in out}
    return frozenset(reached)


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonBook:
    """Some lessons; arrays have one row for each."""

    lessons: tuple[Lesson, ...]
    embeddings: Floats
    letters: GramRows
    weights: Floats
    places: Mapping[str, Ints]
    """Tool → lessons that used it."""
    pairs: PairCounts
    paired: frozenset[str]
    """Tools that stood in a plan with another."""

    @staticmethod
    def of(lessons: Sequence[Lesson], encoder: SentenceEncoder, lexicon: Lexicon) -> LessonBook:
        """Make the book of some lessons."""
        places: dict[str, list[int]] = {}
        for at, lesson in enumerate(lessons):
            for tool in dict.fromkeys(lesson.tools):
                places.setdefault(tool, []).append(at)
        return LessonBook(
            lessons=tuple(lessons),
            embeddings=encoder.encode([lesson.request for lesson in lessons]),
            letters=GramRows.of([lexicon.grams(text_words(lesson.request)) for lesson in lessons]),
            weights=np.array([lesson.weight for lesson in lessons], np.float32),
            places={tool: np.array(own, np.int64) for tool, own in places.items()},
            pairs=PairCounts.of(lessons),
            paired=frozenset(tool for lesson in lessons if len(lesson.tools) > 1 for tool in lesson.tools),
        )

    def teaching(self, names: Sequence[str]) -> Ints:
        """Give the lessons in which at least one of these tools was used."""
        own = [self.places[name] for name in names if name in self.places]
        return np.unique(np.concatenate(own)) if own else np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What a book says of one request."""

    book: LessonBook
    alike: Floats
    """How alike each lesson's request is, by meaning; shape (lessons,)."""
    alike_to_the_letter: Floats
    near: Ints
    """Lessons about tools at hand, most alike first."""
    far: Ints
    """All other lessons that may be used, most alike first."""
    left_out: PairCounts
    """Pairs that do not count: in training, those of the request's own plan and of lessons not allowed."""

    def count(self, kind: PairKind, pair: Pair) -> int:
        """Give how often a pair was counted."""
        counted: Counter[Pair] = getattr(self.book.pairs, kind)
        left_out: Counter[Pair] = getattr(self.left_out, kind)
        return counted[pair] - left_out[pair]


def recall(
    book: LessonBook,
    embedding: Floats,
    letters: Floats,
    names: Sequence[str],
    *,
    usable: NDArray[np.bool_] | None = None,
) -> Recalled:
    """Find what a book says of a request.

    Args:
        book: the lessons.
        embedding: of the request, shape (384,).
        letters: of the request, shape (places,).
        names: the tools at hand.
        usable: which lessons may be used, shape (lessons,); None for all.
    """
    alike = book.embeddings @ embedding
    may = np.ones(len(book.lessons), bool) if usable is None else usable
    near = np.zeros(len(book.lessons), bool)
    near[book.teaching(names)] = True
    order = np.argsort(-alike, kind="stable")
    return Recalled(
        book=book,
        alike=alike,
        alike_to_the_letter=book.letters.likeness(letters),
        near=order[(near & may)[order]],
        far=order[may[order]],
        left_out=PairCounts.of([book.lessons[at] for at in np.flatnonzero(~may)]),
    )
