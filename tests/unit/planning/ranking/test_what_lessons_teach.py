"""Lessons: which are counted, how much each weighs, and that a remembered plan raises its tools."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from learned_world import EVERYTHING, MAIL, TOOLS, catalog, remembered, tool

from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.specs import ToolExample
from planwarden.planning.prior import PlanItem, Prior, PriorRequest
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.heard import hear
from planwarden.planning.ranking.learned_prior import LearnedPrior, lessons_from
from planwarden.planning.ranking.lessons import (
    EXAMPLE_WEIGHT,
    Lesson,
    LessonBook,
    PairCounts,
    own_lessons,
    reachable,
    recall,
)
from planwarden.planning.ranking.signals import SIGNALS, signals
from planwarden.planning.ranking.tool_index import ToolIndex
from planwarden.planning.ranking.weights import RankerWeights

pytestmark = pytest.mark.requirement("RANK-4")

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ODD = "Do the usual thing for my grandmother's birthday"
TAUGHT = "The usual thing for grandmother's birthday, please"


def prior(source: LearnedPrior, *known: RememberedPlan, text: str = ODD) -> Prior:
    request = PriorRequest(text=text, catalog=catalog(), policy=EVERYTHING, remembered=known)
    return source.prior(request)


def likely(said: Prior, name: str) -> float:
    return next(each.probability for each in said.tools if each.name == name)


@pytest.fixture(scope="module")
def source(encoder: SentenceEncoder) -> LearnedPrior:
    return LearnedPrior(encoder=encoder)  # with the weights that ship


def test_a_remembered_plan_raises_its_tools_for_a_like_request_and_nothing_else_is_used(
    source: LearnedPrior,
) -> None:
    without = prior(source)
    taught = prior(source, remembered(TAUGHT, "photos.search", MAIL))
    assert likely(taught, "photos.search") > 1.5 * likely(without, "photos.search")
    assert likely(taught, MAIL) > likely(without, MAIL)
    assert prior(source) == without  # what was handed in once is not kept


def test_the_nearest_remembered_plans_are_offered_to_be_shown_the_nearest_last(source: LearnedPrior) -> None:
    said = prior(
        source,
        remembered(TAUGHT, "photos.search", MAIL),
        remembered("Book a room in Rome", "hotels.book"),
        remembered("Run the unknown thing", "ghost.tool"),
    )
    assert [each.request for each in said.examples] == ["Book a room in Rome", TAUGHT]
    assert said.examples[-1].items == (PlanItem(tool="photos.search"), PlanItem(tool=MAIL, uses=(1,)))


def test_a_person_who_wrote_the_plan_counts_more_than_a_run() -> None:
    edit, run = lessons_from(
        [remembered("a", MAIL, origin="edit", at=NOW), remembered("b", MAIL, origin="run", at=NOW)]
    )
    assert edit.weight == pytest.approx(3 * run.weight)


def test_ages_count_from_the_newest_plan_and_not_from_today() -> None:
    def taught(since: datetime) -> tuple[Lesson, ...]:
        newest, older = since, since - timedelta(days=90)
        return lessons_from([remembered("old", MAIL, at=older), remembered("new", MAIL, at=newest)])

    old, new = taught(NOW)
    assert (old.weight, new.weight) == (pytest.approx(0.5), pytest.approx(1.0))
    assert taught(NOW - timedelta(days=4_000)) == (old, new)


def test_edits_and_recent_plans_outvote_others_that_are_as_alike(
    weights: RankerWeights, encoder: SentenceEncoder
) -> None:
    index = ToolIndex.build(TOOLS, encoder, weights.lexicon)

    def votes(*known: RememberedPlan) -> tuple[float, float]:
        book = LessonBook.of(lessons_from(known), encoder, weights.lexicon)
        heard = hear(ODD, encoder, weights.lexicon)
        found = signals(heard, index, recall(book, heard.embeddings[0], heard.letters[0], index.names))
        column = found.columns[:, SIGNALS.index("lesson_vote")]
        return float(column[index.names.index(MAIL)]), float(column[index.names.index("photos.search")])

    run = remembered(TAUGHT, "photos.search", at=NOW)
    mail, photos = votes(remembered(TAUGHT, MAIL, origin="edit", at=NOW), run)
    assert (mail, photos) == (pytest.approx(0.75), pytest.approx(0.25))
    mail, photos = votes(remembered(TAUGHT, MAIL, at=NOW - timedelta(days=180)), run)
    assert (mail, photos) == (pytest.approx(0.2), pytest.approx(0.8))


def test_a_tools_own_examples_teach(encoder: SentenceEncoder) -> None:
    plain = TOOLS[[t.name for t in TOOLS].index("photos.search")]
    taught = plain.model_copy(update={"examples": (ToolExample(request=TAUGHT),)})
    assert own_lessons(taught) == (Lesson(request=TAUGHT, tools=("photos.search",), weight=EXAMPLE_WEIGHT),)
    others = tuple(each for each in TOOLS if each is not plain)
    found: list[float] = []
    for tools in ((*others, plain), (*others, taught)):
        source = LearnedPrior(encoder=encoder)
        said = source.prior(PriorRequest(text=ODD, catalog=catalog(tools), policy=EVERYTHING))
        found.append(likely(said, "photos.search"))
    assert found[1] > 1.5 * found[0]


def test_links_of_a_remembered_plan_are_those_of_its_steps() -> None:
    plan = remembered("x", "a.one", "b.two", "c.three")
    several = plan.model_copy(
        update={"steps": (plan.steps[0].model_copy(update={"tools": ("a.one", "a.two")}), plan.steps[1])}
    )
    assert lessons_from([plan])[0].links == ((0, 1), (1, 2))
    (lesson,) = lessons_from([several])
    assert (lesson.tools, lesson.links) == (("a.one", "a.two", "b.two"), ((0, 2), (1, 2)))


def test_nothing_is_taught_by_no_plans() -> None:
    assert lessons_from([]) == ()


def test_pairs_are_counted_as_they_stood() -> None:
    counts = PairCounts.of([Lesson(request="x", tools=("a", "b", "c"), links=((0, 1), (1, 2)))])
    assert counts.before == {
        ("a", "b"): 1,
        ("b", "c"): 1,
        ("a", "c"): 1,
        ("b", "a"): 0,
        ("c", "a"): 0,
        ("c", "b"): 0,
    }
    assert counts.linked == {("a", "b"): 1, ("b", "c"): 1}
    assert (counts.next["a", "b"], counts.next["a", "c"], counts.next["b", "a"]) == (1, 0, 0)
    assert (counts.follows["a", "c"], counts.follows["c", "a"]) == (1, 0)
    assert (counts.together["a", "c"], counts.together["c", "a"]) == (1, 1)


def test_what_a_step_builds_on_is_followed_over_any_steps() -> None:
    assert reachable(4, [(0, 1), (1, 2), (2, 3)]) == {(0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 3)}
    assert reachable(3, []) == frozenset()


def test_only_usable_lessons_about_tools_at_hand_are_near(
    weights: RankerWeights, encoder: SentenceEncoder
) -> None:
    taught = [
        Lesson(request=text, tools=(name,)) for text, name in ((TAUGHT, MAIL), (ODD, MAIL), (ODD, "other"))
    ]
    book = LessonBook.of(taught, encoder, weights.lexicon)
    heard = hear(ODD, encoder, weights.lexicon)
    every = recall(book, heard.embeddings[0], heard.letters[0], [MAIL])
    assert (every.near.tolist(), sorted(every.far.tolist())) == ([1, 0], [0, 1, 2])
    usable = np.array([True, False, True])
    some = recall(book, heard.embeddings[0], heard.letters[0], [MAIL], usable=usable)
    assert (some.near.tolist(), some.far.tolist()) == ([0], [2, 0])


def test_lessons_about_tools_that_are_not_at_hand_say_nothing_of_them(source: LearnedPrior) -> None:
    assert prior(source, remembered(TAUGHT, "ghost.tool")).tools == prior(source).tools


def test_a_catalog_with_other_examples_has_other_lessons(source: LearnedPrior) -> None:
    one = catalog((*TOOLS[1:], tool(TOOLS[0].name, "Weather", "city", TAUGHT)))
    other = catalog((*TOOLS[1:], tool(TOOLS[0].name, "Weather", "city", "Something else entirely")))
    found = [
        likely(source.prior(PriorRequest(text=ODD, catalog=each, policy=EVERYTHING)), TOOLS[0].name)
        for each in (one, other)
    ]
    assert found[0] > found[1]
