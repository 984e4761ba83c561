"""Fitting the ranker: it learns what tasks teach, the same each time, and shows no task its own answer."""

from __future__ import annotations

import random

import pytest
from learned_world import (
    MAIL,
    NOTHING,
    SAID,
    TOOLS,
    asking,
    labelled_tasks,
    likelihoods,
    ranked,
    small_forests,
    task,
    tool,
)

from planwarden.planning.learning.fit import fit_ranker
from planwarden.planning.learning.growing import Growth
from planwarden.planning.learning.tasks import LabelledTask, lessons_of
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.weights import RankerWeights

pytestmark = pytest.mark.requirement("RANK-8")

TINY = Growth(trees=10, leaves=4, least_rows=8)


def test_the_planted_rule_is_learned(encoder: SentenceEncoder, weights: RankerWeights) -> None:
    right = 0
    for name in SAID:
        if name == MAIL:
            continue
        said = likelihoods(ranked(f"Please: {asking(name, 2)}!", encoder, weights))
        right += max(said, key=said.__getitem__) == name
        both = likelihoods(ranked(f"{asking(name, 2)}, and then mail the result", encoder, weights))
        right += both[MAIL] > 0.5
    assert right >= 20  # of 22


def test_fitting_is_deterministic(encoder: SentenceEncoder) -> None:
    tasks = labelled_tasks()[:30]
    told: list[str] = []
    with small_forests(TINY):
        first = fit_ranker(tasks, SentenceEncoder(), progress=told.append)
        again = fit_ranker(tasks, SentenceEncoder())
        other = fit_ranker(tasks[:-1], encoder)
    assert first.digest == again.digest
    assert first.digest != other.digest
    assert told[0] == "reading 30 tasks"


def noise(count: int) -> tuple[LabelledTask, ...]:
    """Give tasks whose answers follow from nothing at all."""
    drawn = random.Random(5)
    words = [word for name in SAID for word in asking(name, 0).split()]
    tools = tuple(tool(f"x{n}", f"Does thing {n}", "value") for n in range(8))
    return tuple(
        LabelledTask(
            id=f"n{at}",
            source=f"s{at % 2}",
            request=" ".join(drawn.sample(words, 6)),
            tools=tools,
            steps=(drawn.choice(tools).name,),
            links=(),
        )
        for at in range(count)
    )


def test_a_task_is_not_shown_its_own_answer(encoder: SentenceEncoder) -> None:
    tasks = noise(60)
    with small_forests():
        fitted = fit_ranker(tasks, encoder)
    answers = [
        likelihoods(ranked(each.request, encoder, fitted, tools=each.tools, lessons=lessons_of(tasks)))[
            each.steps[0]
        ]
        for each in tasks
    ]
    # Had tasks been shown their own lessons, the ranker would have learned to take the like one's word.
    assert sum(answers) / len(answers) < 0.45


def test_none_is_likelier_once_the_right_tools_are_taken_away(
    encoder: SentenceEncoder, weights: RankerWeights
) -> None:
    rose = 0
    for name in SAID:
        asked = f"{asking(name, 0)}?"
        left = [each for each in TOOLS if each.name != name]
        rose += ranked(asked, encoder, weights, tools=left).none > ranked(asked, encoder, weights).none
    assert rose >= 11  # of 12
    served = [ranked(f"{asking(name, 1)}?", encoder, weights).none for name in SAID]
    idle = [ranked(f"{each}, I say", encoder, weights).none for each in NOTHING]
    assert sum(idle) / len(idle) > sum(served) / len(served) + 0.2


def test_tasks_of_one_step_each_are_enough(encoder: SentenceEncoder) -> None:
    single = [each for each in labelled_tasks() if len(each.steps) == 1]
    with small_forests(TINY):
        fitted = fit_ranker(single, encoder)
    said = ranked(f"{asking('music.play', 2)}, then mail the result", encoder, fitted)
    assert all(p < 0.1 for p in said.links.values())  # no link was ever seen


def test_more_lessons_are_remembered_but_not_learned_from(encoder: SentenceEncoder) -> None:
    tasks = labelled_tasks()
    with small_forests(TINY):
        alone = fit_ranker(tasks[:40], encoder)
        beside = fit_ranker(tasks[:40], encoder, lessons=tasks[40:])
    assert (alone.lexicon.rarity == beside.lexicon.rarity).all()
    assert (alone.centre == beside.centre).all()
    assert alone.digest != beside.digest


def test_a_task_teaches_its_request_tools_and_links() -> None:
    (lesson,) = lessons_of([task(1, "Rain, then mail", "weather.forecast", MAIL, links=[(0, 1)])])
    assert (lesson.request, lesson.tools) == ("Rain, then mail", ("weather.forecast", MAIL))
    assert (lesson.links, lesson.weight) == (((0, 1),), 1.0)
