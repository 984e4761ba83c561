"""How alike two texts are to the letter: weighted words and runs of letters, hashed."""

from __future__ import annotations

import numpy as np
import pytest

from planwarden.planning.ranking.lexicon import PLACES, GramRows, Lexicon, grams_of

pytestmark = pytest.mark.requirement("RANK-11")

EVEN = Lexicon(np.ones(PLACES, np.float32))
TEXTS: tuple[list[str], ...] = (
    ["weather", "forecast"],
    [],
    ["weathers"],
    ["banana"],
    ["weather", "forecast", "oslo"],
)
ROWS = GramRows.of([EVEN.grams(text) for text in TEXTS])


def test_texts_are_the_more_alike_the_more_letters_they_share() -> None:
    found = ROWS.likeness(EVEN.grams(["forecast", "weather"]).spread())
    assert found[0] == pytest.approx(1.0, abs=1e-5)
    assert found[1] == 0.0
    assert 1.0 > found[4] > found[2] > 0.2 > found[3]


def test_rare_letters_weigh_more() -> None:
    rarity = np.ones(PLACES, np.float32)
    rarity[list(grams_of("weather"))] = 5.0
    rows = GramRows.of([Lexicon(rarity).grams(["weather", "forecast"])])
    asked = {word: Lexicon(rarity).grams([word]).spread() for word in ("weather", "forecast")}
    assert rows.likeness(asked["weather"])[0] > 2 * rows.likeness(asked["forecast"])[0]


@pytest.mark.parametrize("rows", [[], [1], [4, 0], [0, 1, 2, 3, 4], [3, 3, 1, 0]])
def test_chosen_rows_are_the_rows_in_that_order(rows: list[int]) -> None:
    chosen = ROWS.chosen(rows)
    assert chosen.lengths.tolist() == [int(ROWS.lengths[at]) for at in rows]
    for place, at in enumerate(rows):
        assert chosen.row(place).places.tolist() == ROWS.row(at).places.tolist()
        assert chosen.row(place).weights.tolist() == ROWS.row(at).weights.tolist()


def test_no_rows_are_like_nothing() -> None:
    none = GramRows.of([])
    assert none.chosen([]).lengths.tolist() == []
    assert none.likeness(np.ones(PLACES, np.float32)).tolist() == []
