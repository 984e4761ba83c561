"""The order of steps and their links, from pairwise probabilities and from what lessons say of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_world import MAIL, SAID, TOOLS, asking, labelled_tasks, ranked
from numpy.typing import NDArray

from planwarden.planning.learning.tasks import lessons_of
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.heard import hear
from planwarden.planning.ranking.lessons import Lesson, LessonBook, recall
from planwarden.planning.ranking.order import (
    BEFORE,
    LINKED,
    TOPICS,
    Looked,
    Steps,
    in_order,
    judge_order,
    pair_signals,
)
from planwarden.planning.ranking.ranker import chosen_rows, fitting
from planwarden.planning.ranking.signals import SIGNALS, signals
from planwarden.planning.ranking.tool_index import ToolIndex
from planwarden.planning.ranking.weights import RankerWeights

pytestmark = pytest.mark.requirement("RANK-7")

NAMES = tuple(SAID)
WEATHER = NAMES.index("weather.forecast")
MAILING = NAMES.index(MAIL)
ASKED = "Will it rain in Paris, then mail the result"


def steps(
    encoder: SentenceEncoder,
    weights: RankerWeights,
    rows: Sequence[int],
    *,
    text: str = ASKED,
    lessons: Sequence[Lesson] = (),
    usable: NDArray[np.bool_] | None = None,
) -> Steps:
    tools, heard = ToolIndex.build(TOOLS, encoder, weights.lexicon), hear(text, encoder, weights.lexicon)
    book = LessonBook.of(lessons, encoder, weights.lexicon)
    recalled = recall(book, heard.embeddings[0], heard.letters[0], tools.names, usable=usable)
    return Steps(
        heard=heard,
        signals=signals(heard, tools, recalled),
        topics=np.zeros(TOPICS, np.float32),
        rows=tuple(rows),
        looked=Looked.up(tools, recalled),
    )


@given(rows=st.lists(st.integers(0, len(NAMES) - 1), max_size=6), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_whatever_is_judged_links_lead_forward_and_are_probabilities(
    encoder: SentenceEncoder, weights: RankerWeights, rows: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)

    def judge(columns: NDArray[np.float32]) -> NDArray[np.float64]:
        return random.random(len(columns))

    order, linked = judge_order(steps(encoder, weights, rows), judge, judge)
    assert sorted(order) == list(range(len(rows)))
    place = {step: at for at, step in enumerate(order)}
    assert len(linked) == len(rows) * (len(rows) - 1) // 2
    assert all(place[a] < place[b] for a, b in linked)
    assert all(0.0 <= p <= 1.0 for p in linked.values())


@given(st.lists(st.sampled_from([asking(name, 0) for name in NAMES]), min_size=1, max_size=5))
@settings(max_examples=10)
def test_a_ranking_links_pairs_one_way_only_and_in_probabilities(
    encoder: SentenceEncoder, weights: RankerWeights, asked: list[str]
) -> None:
    said = ranked(", then ".join(asked), encoder, weights)
    assert all(0.0 <= p <= 1.0 for p in said.links.values())
    assert all(not p or not said.links.get((b, a)) or a == b for (a, b), p in said.links.items())
    assert ((said.place >= 0) & (said.place <= 1)).all()


def test_a_tool_may_stand_twice(encoder: SentenceEncoder, weights: RankerWeights) -> None:
    twice = steps(encoder, weights, [WEATHER, WEATHER, MAILING])
    columns = pair_signals(twice)
    same = columns[:, BEFORE.index("same_tool")]
    assert dict(zip(twice.pairs, same.tolist(), strict=True))[0, 1] == 1.0
    assert same.sum() == 2
    order, linked = judge_order(twice, weights.before.probability, weights.linked.probability)
    assert (len(order), len(linked)) == (3, 3)


def test_few_steps_have_no_pairs(encoder: SentenceEncoder, weights: RankerWeights) -> None:
    for rows in ([], [WEATHER]):
        few = steps(encoder, weights, rows)
        assert pair_signals(few).shape == (0, len(BEFORE))
        assert judge_order(few, weights.before.probability, weights.linked.probability) == (rows and [0], {})


def test_steps_stand_as_the_pairwise_probabilities_agree_most(
    encoder: SentenceEncoder, weights: RankerWeights
) -> None:
    three = steps(encoder, weights, [MAILING, WEATHER, 3])
    before = {(0, 1): 0.1, (1, 0): 0.9, (0, 2): 0.8, (2, 0): 0.2, (1, 2): 0.9, (2, 1): 0.1}
    assert in_order(three, before) == [1, 0, 2]
    even = dict.fromkeys(before, 0.5)  # then the request's own order stands
    assert in_order(steps(encoder, weights, [MAILING, WEATHER]), even) == [1, 0]


def test_link_statistics_leave_out_lessons_that_are_not_usable(
    encoder: SentenceEncoder, weights: RankerWeights
) -> None:
    lesson = Lesson(request=ASKED, tools=(NAMES[WEATHER], MAIL), links=((0, 1),))
    other = Lesson(request="Rain and mail", tools=(NAMES[WEATHER], MAIL))

    def columns(*lessons: Lesson, usable: Sequence[bool] | None = None) -> NDArray[np.float32]:
        given = None if usable is None else np.array(usable)
        return pair_signals(steps(encoder, weights, [WEATHER, MAILING], lessons=lessons, usable=given))

    with_it = columns(lesson, other)
    assert with_it[0, BEFORE.index("linked")] == pytest.approx(1 / 3)
    assert with_it[1, BEFORE.index("after")] == pytest.approx(1 / 3)
    assert columns(lesson, other, usable=[False, True]) == pytest.approx(columns(other), abs=1e-5)
    assert columns(lesson, other, usable=[False, False]) == pytest.approx(columns(), abs=1e-5)


def test_what_the_request_wants_mailed_is_linked_to_the_mail_and_stands_before_it(
    encoder: SentenceEncoder, weights: RankerWeights
) -> None:
    known = lessons_of(labelled_tasks())
    said = ranked("How warm is it in Rome, then mail the result", encoder, weights, lessons=known)
    pair = ("weather.forecast", MAIL)
    assert said.links[pair] > 0.5
    assert said.place[NAMES.index(pair[0])] < said.place[MAILING]
    apart = ranked("How warm is it in Rome. Find a recipe from Oslo.", encoder, weights, lessons=known)
    other = ("weather.forecast", "recipes.find")
    assert max(apart.links[other], apart.links[other[1], other[0]]) < 0.4


def test_the_multiset_chosen_has_the_likely_tools_and_repeats_of_those_that_repeat() -> None:
    p, again = np.array([0.9, 0.05, 0.8]), np.array([0.9, 0.0, 0.05])
    assert sorted(chosen_rows(p, again)) == [0, 0, 0, 2]
    assert chosen_rows(np.array([0.3]), np.array([0.0])) == [0]


def test_each_column_has_a_name(encoder: SentenceEncoder, weights: RankerWeights) -> None:
    two = steps(encoder, weights, [WEATHER, MAILING])
    assert two.signals.columns.shape == (len(TOOLS), len(SIGNALS))
    assert len(set(SIGNALS)) == len(SIGNALS)
    assert pair_signals(two).shape[1] + 5 == len(LINKED)
    own = two.signals
    values = fitting(np.full(len(TOOLS), 0.5), own, two.looked.recalled)
    assert values[5] == own.columns[:, SIGNALS.index("meaning_clause")].max()
    assert values[6] == own.columns[:, SIGNALS.index("text_clause")].max()
