"""The parts of a request, its words, and the words of names."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planwarden.planning.ranking.words import A_NUMBER, MAX_CLAUSES, clauses, name_words, text_words

pytestmark = pytest.mark.requirement("RANK-2")


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        ("Get the price of IBM, then mail it to Bob", ("Get the price of IBM", "mail it to Bob")),
        ("Find a flight to Rome. Book a room there", ("Find a flight to Rome", "Book a room there")),
        (
            'Translate "first this, and then that" into French and send it to Ann',
            ('Translate "first this, and then that" into French', "send it to Ann"),
        ),
        ("“Play a song and dim the lights”", ("“Play a song", "dim the lights”")),
        ("Add 2, 3, 4 and show the sum of them", ("Add 2 3 4", "show the sum of them")),
        ("Suche Flüge nach Rom und buche ein Hotel", ("Suche Flüge nach Rom", "buche ein Hotel")),
        ("Cherche un vol pour Rome puis réserve un hôtel", ("Cherche un vol pour Rome", "réserve un hôtel")),
        (
            "查找去罗马的航班并告诉我价格。预订那里的一个便宜的酒店房间",
            ("查找去罗马的航班并告诉我价格", "预订那里的一个便宜的酒店房间"),
        ),
        ("Weather", ("Weather",)),
        ("", ("",)),
    ],
)  # fmt: skip
def test_a_request_is_cut_where_it_asks_for_something_else(request_: str, parts: tuple[str, ...]) -> None:
    assert clauses(request_) == parts


def test_a_request_has_at_most_so_many_parts() -> None:
    assert len(clauses(". ".join(f"Do the thing number {n}" for n in range(40)))) == MAX_CLAUSES


@given(st.text())
@example("\x000\x00 and then")
@example('say "a, b" \x007\x00 and then go')
@example('"""')
def test_any_text_has_parts_and_none_of_them_is_empty(text: str) -> None:
    parts = clauses(text)
    assert 1 <= len(parts) <= MAX_CLAUSES
    assert all(parts) or parts == (text,)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("getWeatherForecast", ["get", "weather", "forecast"]),
        ("HTTPRequest_v2", ["http", "request", "v2"]),
        ("finance.snapshot-now", ["finance", "snapshot", "now"]),
    ],
)
def test_names_are_cut_at_signs_and_humps(name: str, words: list[str]) -> None:
    assert name_words(name) == words


def test_of_a_text_count_the_words_that_say_something_and_any_number_is_one_word() -> None:
    assert text_words("What is the price of 7 shares in 1999?") == ["price", A_NUMBER, "shares", A_NUMBER]


def test_scripts_without_spaces_give_pairs_of_letters() -> None:
    assert text_words("天气预报") == ["天气", "气预", "预报"]
