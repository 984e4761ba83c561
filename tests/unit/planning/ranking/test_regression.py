"""Regression over lessons: what one, several, like and unlike lessons say of a tool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from planwarden.planning.ranking.lessons import Lesson, LessonBook, PairCounts, recall
from planwarden.planning.ranking.lexicon import PLACES, GramRows, Lexicon
from planwarden.planning.ranking.regression import NEAREST, NOISE, taught

pytestmark = pytest.mark.requirement("RANK-20")

Floats = NDArray[np.float32]
LEXICON = Lexicon(np.ones(PLACES, np.float32))


def direction(at: int) -> Floats:
    return np.eye(8, dtype=np.float32)[at]


def book_of(*lessons: tuple[Floats, Sequence[str], float]) -> LessonBook:
    """Make a book of lessons whose meanings are given, not embedded."""
    made = tuple(
        Lesson(request=str(at), tools=tuple(own), weight=w) for at, (_, own, w) in enumerate(lessons)
    )
    tools = dict.fromkeys(tool for lesson in made for tool in lesson.tools)
    return LessonBook(
        lessons=made,
        embeddings=np.stack([meaning for meaning, _, _ in lessons])
        if lessons
        else np.zeros((0, 8), np.float32),
        letters=GramRows.of([LEXICON.grams([lesson.request]) for lesson in made]),
        weights=np.array([lesson.weight for lesson in made], np.float32),
        places={
            tool: np.array([at for at, lesson in enumerate(made) if tool in lesson.tools], np.int64)
            for tool in tools
        },
        pairs=PairCounts.of(made),
        paired=frozenset(),
    )


def said(book: LessonBook, meaning: Floats, names: Sequence[str]) -> list[float]:
    letters = np.zeros(PLACES, np.float32)
    recalled = recall(book, meaning, letters, names)
    return [float(value) for value in taught(meaning[None], recalled, names)[0]]


def test_one_lesson_is_believed_as_far_as_its_weight_goes_and_says_nothing_of_other_tools() -> None:
    same = said(book_of((direction(0), ["mail"], 1.0)), direction(0), ["mail", "call"])
    assert same == pytest.approx([1 / (1 + NOISE), 0.0])
    edited = said(book_of((direction(0), ["mail"], 3.0)), direction(0), ["mail"])
    assert edited == pytest.approx([1 / (1 + NOISE / 3)])


def test_a_request_with_another_meaning_is_told_less() -> None:
    book = book_of((direction(0), ["mail"], 1.0))
    near: Floats = ((direction(0) + direction(1)) / np.sqrt(2)).astype(np.float32)
    assert (
        said(book, direction(0), ["mail"]) > said(book, near, ["mail"]) > said(book, direction(1), ["mail"])
    )


def test_lessons_that_say_the_same_count_less_than_their_number() -> None:
    one = (direction(0), ["mail"], 1.0)
    once, thrice = (
        said(book_of(one), direction(0), ["mail"]),
        said(book_of(one, one, one), direction(0), ["mail"]),
    )
    assert thrice == pytest.approx([3 / (3 + NOISE)])
    assert once < thrice < [1.0]


def test_of_two_near_lessons_the_tool_that_makes_the_difference_is_told_apart() -> None:
    near: Floats = (0.8 * direction(0) + 0.6 * direction(1)).astype(np.float32)
    mail, call = said(
        book_of((direction(0), ["mail"], 1.0), (near, ["call"], 1.0)), direction(0), ["mail", "call"]
    )
    assert mail > 2 * call


def test_without_a_lesson_about_a_tool_at_hand_nothing_is_said() -> None:
    assert said(book_of((direction(0), ["mail"], 1.0)), direction(0), ["call"]) == [0.0]
    assert said(book_of(), direction(0), ["call"]) == [0.0]


def test_of_a_large_memory_the_nearest_lessons_are_read_and_the_others_change_nothing() -> None:
    near = [(direction(0), ["mail"] if at % 2 else ["call"], 1.0) for at in range(NEAREST)]
    far = [(direction(1), ["mail"], 1.0) for _ in range(50)]
    names = ["mail", "call"]
    assert said(book_of(*near, *far), direction(0), names) == said(book_of(*near), direction(0), names)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.sets(st.sampled_from("abc"), min_size=1), st.floats(1e-3, 3.0)),
        min_size=1,
        max_size=12,
    )
)
def test_the_order_of_the_lessons_does_not_matter_and_all_is_finite(
    drawn: list[tuple[int, set[str], float]],
) -> None:
    lessons = [(direction(at), sorted(tools), weight) for at, tools, weight in drawn]
    once = said(book_of(*lessons), direction(0), ["a", "b", "c"])
    again = said(book_of(*lessons[::-1]), direction(0), ["a", "b", "c"])
    assert np.isfinite(once).all()
    assert again == pytest.approx(once, abs=1e-5)
