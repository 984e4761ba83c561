"""Answers: what they cite, and which of their numbers nothing supports."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from planwarden.contracts.calls import Citation, StepAnswer, ToolCall
from planwarden.contracts.run import CallState
from planwarden.contracts.value import Json
from planwarden.contracts.verdict import Allowed
from planwarden.runtime.answer import checked_prose, render_from_evidence, result_text, unsupported_numbers

pytestmark = pytest.mark.requirement("RUN-2")

EARLIER = StepAnswer(text="It was 7 before. [s1.1]", evidence=("s1.1",), style="evidence", grounded=True)


def returned(value: Json, call_id: str = "s2.1") -> CallState:
    call = ToolCall(id=call_id, step="s2", tool="look", role="primary", arguments={})
    verdict = Allowed(rule="r", reason="r")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return CallState(call=call, status="returned", epoch=1, at=at, verdict=verdict, value=value)


def test_an_answer_rendered_from_evidence_says_only_that_and_cites_each_part() -> None:
    calls = (returned({"text": "Now 9. "}), returned([1, "é"], "s2.2"))
    answer = render_from_evidence((EARLIER,), calls)
    assert answer.text == 'It was 7 before. [s1.1]\nNow 9. [s2.1]\n[1, "é"] [s2.2]'
    assert answer.evidence == ("s1.1", "s2.1", "s2.2")
    assert (answer.style, answer.grounded, answer.unsupported_numbers) == ("evidence", True, ())


def test_a_long_result_is_cut_where_it_is_shown() -> None:
    answer = render_from_evidence((), (returned({"text": "x" * 5_000}),))
    assert len(answer.text) < 1_600
    assert answer.text.endswith(" [s2.1]")


@pytest.mark.parametrize(
    ("value", "text"),
    [({"text": " a "}, "a"), ({"text": 5}, '{"text": 5}'), (None, "null"), ("a", '"a"'), ({}, "{}")],
)
def test_a_result_is_said_in_its_own_words_where_it_has_some(value: Json, text: str) -> None:
    assert result_text(value) == text


def test_prose_rests_on_the_calls_that_it_cites_and_on_no_other() -> None:
    calls = (returned({"text": "9"}), returned({"text": "10"}, "s2.2"))
    answer = checked_prose("It is 10 [s2.2].", (EARLIER,), calls, "how many?")
    assert (answer.evidence, answer.unsupported_numbers, answer.grounded) == (("s2.2",), (), True)
    assert answer.citations == (Citation(call="s2.2", by="model"),)
    assert answer.available == ("s1.1", "s2.1", "s2.2")
    assert answer.uncited == ()


def test_a_sentence_whose_numbers_are_in_one_call_only_is_matched_to_it_and_marked() -> None:
    calls = (returned({"text": "9 here"}), returned({"text": "10"}, "s2.2"))
    answer = checked_prose("There are 10. So it is.", (), calls, "how many?")
    assert answer.text == "There are 10 [s2.2]. So it is."
    assert answer.citations == (Citation(call="s2.2", by="matched"),)
    assert answer.evidence == ("s2.2",)
    assert answer.uncited == ("So it is.",)


def test_a_quote_is_matched_like_a_number() -> None:
    calls = (returned({"text": "Doors close early."}), returned({"text": "Else"}, "s2.2"))
    answer = checked_prose('It says "doors close early".', (), calls, "when?")
    assert answer.evidence == ("s2.1",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("It is 7.", "both calls hold it"),
        ("It is 8.", "no call holds it"),
        ("It is 42.", "it is the task's own number"),
        ("It went well.", "there is nothing to match"),
        ("From 7 to 9.", "no one call holds all of it"),
    ],
)
def test_a_sentence_that_cannot_be_told_to_rest_on_one_call_is_uncited(text: str, why: str) -> None:
    calls = (returned({"text": "7 and 10"}), returned({"text": "7, 11"}, "s2.2"))
    answer = checked_prose(text, (), calls, "what about 42?")
    assert (answer.evidence, answer.uncited, answer.grounded) == ((), (text,), False), why


def test_a_citation_of_what_the_step_may_not_see_is_flagged() -> None:
    calls = (returned({"text": "9"}),)
    answer = checked_prose("So [s9.9]. More [1]. Fine [s1.1, s2.1].", (EARLIER,), calls, "how many?")
    assert answer.unknown_citations == ("s9.9", "1")
    assert answer.evidence == ("s1.1", "s2.1")
    assert answer.uncited == ("So [s9.9].", "More [1].")
    assert answer.unsupported_numbers == ()


def test_prose_without_any_call_rests_on_nothing() -> None:
    alone = checked_prose("Hello.", (), (), "hello")
    assert (alone.grounded, alone.evidence, alone.uncited) == (False, (), ("Hello.",))


def test_a_number_that_was_flagged_in_an_earlier_step_is_no_evidence_for_the_next() -> None:
    earlier = EARLIER.model_copy(update={"text": "It was 7, or 55.", "unsupported_numbers": ("55",)})
    assert checked_prose("7 and 55.", (earlier,), (), "?").unsupported_numbers == ("55",)


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("It rose from 7 to 12.5.", ("12.5",)),
        ("Of 42 asked, 9 came.", ()),
        ("About 3.14, exactly 3.14159.", ()),
        ("It is 3.15.", ("3.15",)),
        ("A loss of -9.", ()),
        ("1,234,567 in all, 1234567 again.", ()),
        ("1. First\n2. Second: 9", ()),
        ("13, 14, and 13", ("13", "14")),
        ("see [s2.1] and v2 of s3", ()),
        ("5% of it", ("5%",)),
        ("no number", ()),
    ],
)
def test_a_number_that_neither_evidence_nor_task_contains_is_flagged(
    text: str, flagged: tuple[str, ...]
) -> None:
    calls = (returned({"text": "9 of them", "pi": 3.14159, "all": [1_234_567]}),)
    assert checked_prose(text, (EARLIER,), calls, "what about 42?").unsupported_numbers == flagged


@pytest.mark.parametrize("value", ["rows:\n77", {"text": "tab\t77"}, ["a", {"b": '"77"'}], {"77": None}, 77])
def test_a_number_is_found_wherever_in_the_evidence_it_stands(value: Json) -> None:
    assert checked_prose("It is 77.", (), (returned(value),), "what?").unsupported_numbers == ()


def test_numbers_are_compared_by_value() -> None:
    assert unsupported_numbers("1,000.50 and 0.3", ["1000.5", "0.30"]) == ()
    assert unsupported_numbers("9" * 400, ["1"]) == ("9" * 400,)
