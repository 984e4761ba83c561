"""How much of a conversation fits beside a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.conversation import MARK, Turn, shortened, turns
from planwarden.contracts.model import Message
from planwarden.contracts.task import Exchange
from planwarden.llm.fitting import UNMEASURED, assumed_per_byte, cost, fit, room_beside

pytestmark = pytest.mark.requirement("CNV-2")


def turn(request: str, answer: str) -> Turn:
    return (Exchange(role="user", content=request), Exchange(role="assistant", content=answer))


SHORT = tuple(turn(f"request {number}", f"answer {number}") for number in range(5))


def test_all_turns_are_told_where_there_is_room() -> None:
    fitted = fit(SHORT, 1_000, UNMEASURED)
    assert (fitted.turns, fitted.left_out, fitted.shortened) == (SHORT, 0, 0)


def test_the_newest_whole_turns_are_told_and_the_others_counted() -> None:
    room = sum(cost(each, UNMEASURED) for each in SHORT[-2:]) + 3
    fitted = fit(SHORT, room, UNMEASURED)
    assert (fitted.turns, fitted.left_out, fitted.shortened) == (SHORT[-2:], 3, 0)


def test_an_over_long_turn_loses_the_middle_of_its_longest_message_and_leaves_room_for_others() -> None:
    long = turn("What does it say?", "begin " + "x" * 9_000 + " end")
    fitted = fit((*SHORT, long), 400, UNMEASURED)
    request, answer = fitted.turns[-1]
    assert request.content == "What does it say?"
    assert answer.content.startswith("begin x")
    assert answer.content.endswith("x end")
    assert MARK in answer.content
    assert (fitted.shortened, fitted.left_out) == (1, 0)
    assert sum(cost(each, UNMEASURED) for each in fitted.turns) <= 400


def test_without_room_nothing_is_told() -> None:
    assert fit(SHORT, 0, UNMEASURED).left_out == 5
    assert fit((), 1_000, UNMEASURED).turns == ()


def test_dropping_the_oldest_ends_with_none() -> None:
    fitted = fit(SHORT, 1_000, UNMEASURED)
    seen: list[int] = []
    while fitted.turns:
        fitted = fitted.without_oldest()
        seen.append(len(fitted.turns))
        assert fitted.turns == SHORT[len(SHORT) - len(fitted.turns) :]
    assert seen == [2, 1, 0]
    assert fitted.left_out == 5


def test_the_room_is_what_context_reply_and_prompt_leave() -> None:
    prompt = (Message(role="user", content="x" * 300),)
    assert room_beside(prompt, num_ctx=1_000, max_output_tokens=100, per_byte=1 / 3) == 1_000 - 100 - 108
    assert room_beside(prompt, num_ctx=100, max_output_tokens=100, per_byte=1 / 3) == 0


def test_a_measurement_is_believed_with_a_margin_and_never_below_what_is_possible() -> None:
    assert assumed_per_byte(0.0) == UNMEASURED
    assert assumed_per_byte(0.01) > 0.15
    assert assumed_per_byte(0.9) > 0.9


@given(
    st.lists(st.tuples(st.text(max_size=400), st.text(max_size=3_000)), max_size=8),
    st.integers(0, 900),
    st.sampled_from([0.2, 1 / 3, 0.9]),
)
def test_whatever_was_said_fits_the_room_in_order_and_is_counted(
    said: list[tuple[str, str]], room: int, per_byte: float
) -> None:
    told = tuple(turn(request, answer) for request, answer in said)
    fitted = fit(told, room, per_byte)
    assert sum(cost(each, per_byte) for each in fitted.turns) <= room
    assert len(fitted.turns) + fitted.left_out == len(told)
    whole = [each for each, cut in zip(fitted.turns, fitted.cut, strict=True) if not cut]
    kept = told[len(told) - len(fitted.turns) :]
    assert all(each in kept for each in whole)


@given(st.text(max_size=200), st.integers(0, 220))
def test_a_shortened_text_is_never_longer_than_allowed(text: str, most: int) -> None:
    assert len(shortened(text, most)) <= max(most, 0)
    assert shortened(text, len(text)) == text


def test_exchanges_are_grouped_by_request() -> None:
    flat = [each for one in SHORT for each in one]
    assert turns(flat) == SHORT
    assert turns([flat[1], *flat[2:4]]) == ((flat[1],), SHORT[1])
