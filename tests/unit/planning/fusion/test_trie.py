"""The probability of a whole name under the grammar, from the tokens of one reply."""

from __future__ import annotations

import json
import math
import random

import pytest
from fusion_world import NO_WAY, certain, offer, token
from hypothesis import given, settings
from hypothesis import strategies as st

from planwarden.llm.service import TokenAlternative, TokenChoice
from planwarden.planning.fusion.trie import END, Decision, walk
from planwarden.planning.notation.offer import Offer

pytestmark = pytest.mark.requirement("FUSE-1")


def alike(_: str) -> float:
    return 1.0


def walked(tokens: tuple[TokenChoice, ...], shown: Offer | None = None) -> tuple[Decision, ...]:
    found = walk(tokens, shown or offer(), alike)
    assert found is not None
    return found


def test_the_path_taken_is_exact_and_a_branch_gets_its_mass() -> None:
    first, end = walked(
        (
            token('{"plan":["'),
            token("get", 0.5, {"encrypt": 0.1, "sea": 0.15, "hello": 0.25}),
            token("_", 0.9, {"ting": 0.1}),
            token("joke", 0.2, {"time": 0.6, "j": 0.1, "x": 0.1}),
            token('"]', 0.6, {'",': 0.2, "s": 0.2}),
            token("}"),
        )
    )
    taken, got = 0.5 / 0.75, (0.2 + 0.1) / 0.9  # `j` is the beginning of `joke`: the same path
    assert first.chosen == "get_joke"
    assert first.probability == pytest.approx(taken * got)
    assert first.masses["get_time"] == pytest.approx(taken * 0.6 / 0.9)
    assert first.masses["encrypt"] == pytest.approx(0.1 / 0.75)
    assert first.masses["search"] == pytest.approx(0.15 / 0.75)
    assert end.chosen == END
    assert end.probability == pytest.approx(0.6 / 0.8)
    assert sum(end.masses.values()) == pytest.approx(1.0)


def test_a_branch_that_was_not_walked_is_split_by_the_weights_given() -> None:
    tokens = (token('{"plan":["'), token("search", 0.6, {"get": 0.4}), token('"]}'))
    found = walk(tokens, offer(), lambda name: 3.0 if name == "get_joke" else 1.0)
    assert found is not None
    assert found[0].masses == pytest.approx({"search": 0.6, "get_joke": 0.3, "get_time": 0.1})


def test_a_token_over_punctuation_counts_for_both_choices_it_makes() -> None:
    first, second, end = walked(
        (
            token('{"plan":["'),
            token("encrypt"),
            token('","', 0.4, {'"]': 0.4, '","search': 0.1, '",': 0.1}),
            token("search", 0.5, {"encrypt<1": 0.5}),
            token('"]}'),
        )
    )
    assert first.probability == pytest.approx(1.0)
    assert second.masses[END] == pytest.approx(0.4)
    assert second.masses["search"] == pytest.approx(0.6 * 0.5)  # `","search` is the path itself
    assert second.masses["encrypt<1"] == pytest.approx(0.6 * 0.5)
    assert end.probability == pytest.approx(1.0)


def test_whether_an_earlier_result_is_used_is_a_part_of_the_name() -> None:
    _, second, _ = walked(
        (
            token('{"plan":["search","'),
            token("encrypt", 0.8, {"search": 0.2}),
            token("<1", 0.75, {'"]': 0.25, "<2": 0.5}),
            token('"]}'),
        )
    )
    assert second.masses == pytest.approx({"encrypt<1": 0.6, "encrypt": 0.2, **only(second, "search")})
    assert sum(only(second, "search").values()) == pytest.approx(0.2)


def only(decision: Decision, tool: str) -> dict[str, float]:
    return {name: mass for name, mass in decision.masses.items() if name.split("<")[0] == tool}


def test_a_way_out_stands_beside_the_names_and_alone() -> None:
    first, end = walked(
        (token('{"plan":["'), token("none", 0.3, {"search": 0.3}), token('"]}', 0.5, {'",': 0.5}))
    )
    assert first.masses == pytest.approx({"none": 0.5, "search": 0.5})
    assert end.probability == 1.0


def test_with_one_candidate_the_choice_is_certain_whatever_the_model_would_have_said() -> None:
    found = walked(
        (token('{"plan":["'), token("search", 1e-9, {"Sure": 0.9}), token('"]}', 0.1, {"s": 0.9})),
        offer("search", ways_out=NO_WAY),
    )
    assert found[0].probability == 1.0


@pytest.mark.requirement("FUSE-2")
def test_white_space_that_a_server_writes_changes_nothing() -> None:
    compact = (token('{"plan":["'), token("search", 0.5, {"encrypt": 0.3, " ": 0.2}), token('"]}'))
    spaced = (
        token("{\n"), token('  "plan"', 0.5, {" ": 0.5}), token(": [ "), token('"', 0.5, {" \n": 0.5}),
        compact[1], token('" '), token(" ] }"),
    )  # fmt: skip
    assert json.loads("".join(each.text for each in spaced)) == {"plan": ["search"]}
    assert [each.masses for each in walked(spaced)] == [each.masses for each in walked(compact)]


@pytest.mark.requirement("FUSE-2")
@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"plan":[]}', '{"plan":["ghost"]}', '{"plan":["none","search"]}', '{"plan":["search"',
     '{"why":"x","plan":["search"]}', "nonsense"],
)  # fmt: skip
def test_what_is_not_laid_out_as_the_notation_is_not_measured(text: str) -> None:
    assert walk(certain(text), offer(), alike) is None


@pytest.mark.requirement("FUSE-2")
def test_without_alternatives_nothing_is_measured() -> None:
    tokens = tuple(TokenChoice(text=each, logprob=-0.5) for each in ('{"plan":["', "search", '"]}'))
    assert walk(tokens, offer(), alike) is None


REPLIES = st.sampled_from(
    ['{"plan":["search"]}', '{"plan":["get_joke","encrypt<1"]}', '{"plan":["none"]}',
     '{"plan":["get_time","get_joke","search<1<2"],"why":"so"}', '{"plan": ["search" , "search"] }']
)  # fmt: skip
PIECES = st.sampled_from(
    [
        "get",
        "get_",
        "s",
        "search",
        '","',
        '"]',
        '"',
        "<",
        "<1",
        "none",
        "]",
        ",",
        " ",
        "",
        "x",
        '{"plan":["e',
        "\n",
    ]
) | st.text(max_size=4)


@pytest.mark.requirement("FUSE-2")
@settings(max_examples=300, deadline=None)
@given(reply=REPLIES, data=st.data())
def test_masses_are_probabilities_and_only_of_what_is_allowed(reply: str, data: st.DataObject) -> None:
    tokens: list[TokenChoice] = []
    at = 0
    while at < len(reply):
        size = data.draw(st.integers(1, 12))
        others = data.draw(st.lists(st.tuples(PIECES, st.floats(-60, 0.5)), max_size=4))
        alternatives = tuple(TokenAlternative(text=text, logprob=logprob) for text, logprob in others)
        own = TokenAlternative(text=reply[at : at + size], logprob=data.draw(st.floats(-60, 0)))
        tokens.append(TokenChoice(text=own.text, logprob=own.logprob, alternatives=(own, *alternatives)))
        at += size
    shown = offer()
    found = walk(tokens, shown, alike)
    assert found is not None
    for place, decision in enumerate(found):
        allowed = {*shown.items(place), *(shown.ways_out.names if place == 0 else (END,))}
        assert set(decision.masses) <= allowed
        assert all(mass >= 0 for mass in decision.masses.values())
        assert math.isclose(sum(decision.masses.values()), 1.0, rel_tol=1e-6)
        assert decision.chosen in decision.masses


def test_a_model_known_letter_by_letter_is_measured_as_it_is() -> None:
    """The chance of each first name, worked out from the letters' own probabilities, is what is found."""
    names = ("aba", "abb", "ba")
    shown = offer(*names, ways_out=NO_WAY)
    chance = random.Random(5)
    letters = {
        prefix: {letter: chance.uniform(0.05, 1) for letter in 'ab"'} for prefix in ("", "a", "ab", "b")
    }

    def allowed(prefix: str) -> list[str]:
        return [letter for letter in "ab" if any(name.startswith(prefix + letter) for name in names)]

    def share(prefix: str, letter: str) -> float:
        return letters[prefix][letter] / sum(letters[prefix][each] for each in allowed(prefix))

    for name in names:
        steps = [
            token(name[at], letters[name[:at]][name[at]],
                  {other: p for other, p in letters[name[:at]].items() if other != name[at]})
            for at in range(len(name))
        ]  # fmt: skip
        first = walked((token('{"plan":["'), *steps, token('"]}')), shown)[0]
        assert first.probability == pytest.approx(
            math.prod(share(name[:at], name[at]) for at in range(len(name)))
        )
