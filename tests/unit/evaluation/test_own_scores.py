from __future__ import annotations

from typing import Any

import pytest

from planwarden.contracts.plan import HandoffStrategy, PlanMetadata, PlannedAgentStep, PlannerPlan, WayOut
from planwarden.evaluation.own_scores import OWN_MEASURES, OwnScore, score_own
from planwarden.evaluation.own_tasks import OwnGold, OwnStep, OwnTask, handoff_of, split_of

pytestmark = pytest.mark.requirement("OWN-3")

AGENTS = {"price": "money", "history": "money", "sum": "general", "save": "office", "rows": "office"}


def gold(*steps: str, way_out: WayOut | None = None) -> OwnGold:
    """Read steps like `price|history` (with a stand-in) and `sum<0` (depends on step 0)."""
    made: list[OwnStep] = []
    for step in steps:
        named, *before = step.split("<")
        tool, *stand_ins = named.split("|")
        made.append(
            OwnStep(
                agent=AGENTS[tool],
                tools=(tool,),
                fallback_tools=tuple(stand_ins),
                depends_on=tuple(int(place) for place in before),
            )
        )
    handoff = handoff_of([step.depends_on for step in made])
    return OwnGold(steps=tuple(made), handoff=handoff, way_out=way_out)


def task(first: OwnGold, *others: OwnGold) -> OwnTask:
    told: dict[str, Any] = {"id": "t", "source": "own", "split": split_of("t"), "language": "en"}
    return OwnTask(**told, request="Do it", gold=first, alternatives=others)


def plan(*steps: PlannedAgentStep, handoff: HandoffStrategy = "sequential") -> PlannerPlan:
    return PlannerPlan(steps=steps, metadata=PlanMetadata(source="planner", handoff_strategy=handoff))


def step(number: int, *tools: str, agent: str = "", stand_in: str = "", after: int = 0) -> PlannedAgentStep:
    return PlannedAgentStep(
        id=f"s{number}",
        agent=agent or AGENTS[tools[0]],
        tools=tools,
        fallback_tools=(stand_in,) if stand_in else (),
        depends_on=(f"s{after}",) if after else (),
    )


def way_out(kind: WayOut) -> PlannerPlan:
    only = PlannedAgentStep(id="s1", agent="general_agent")
    return PlannerPlan(steps=(only,), metadata=PlanMetadata(source="planner", way_out=kind))


def applying(score: OwnScore) -> dict[str, float]:
    found = {measure: getattr(score, measure) for measure in OWN_MEASURES}
    return {measure: value for measure, value in found.items() if value is not None}


CHAIN = task(gold("price|history", "sum<0"))


def test_the_gold_plan_itself_is_right_in_every_respect() -> None:
    score = score_own(CHAIN, plan(step(1, "price", stand_in="history"), step(2, "sum", after=1)))
    said = applying(score)
    assert set(said.values()) == {1.0}
    assert set(OWN_MEASURES) - set(said) == {"none_precision", "none_recall", "way_out"}


def test_a_missing_plan_scores_nothing_wherever_it_counts() -> None:
    assert set(applying(score_own(CHAIN, None)).values()) == {0.0}
    none = score_own(task(gold(way_out="ask_user")), None)
    assert set(applying(none).values()) == {0.0}
    assert none.none_recall == 0.0
    assert none.none_precision is None


def test_a_plan_that_lacks_a_step_is_partly_right_and_has_no_hand_off() -> None:
    score = score_own(CHAIN, plan(step(1, "price")))
    assert score.node_f1 == pytest.approx(2 / 3)
    assert (score.agents, score.exact_set, score.exact_plan, score.handoff) == (0.0, 0.0, 0.0, 0.0)
    assert score.order == 0.5
    assert score.edge_f1 == 0.0
    assert score.fallbacks is None
    assert score.handoff_given_tools is None
    assert score.none_fits == 1.0


def test_right_tools_with_the_wrong_hand_off_are_no_exact_plan() -> None:
    score = score_own(CHAIN, plan(step(1, "price"), step(2, "sum"), handoff="parallel"))
    assert (score.exact_set, score.exact_plan, score.edge_f1) == (1.0, 0.0, 0.0)
    assert (score.handoff, score.handoff_given_tools) == (0.0, 0.0)
    apart = task(gold("price", "rows"))
    turned = score_own(apart, plan(step(1, "rows"), step(2, "price"), handoff="parallel"))
    assert (turned.exact_plan, turned.order, turned.handoff, turned.edge_f1) == (1.0, 1.0, 1.0, None)


def test_a_step_with_two_tools_counts_as_two_of_its_agent() -> None:
    both = score_own(task(gold("price", "history")), plan(step(1, "price", "history"), handoff="parallel"))
    assert (both.agents, both.exact_plan, both.handoff) == (1.0, 1.0, 1.0)
    other = score_own(task(gold("price")), plan(step(1, "price", agent="office")))
    assert (other.agents, other.exact_set) == (0.0, 1.0)


def test_a_stand_in_is_right_where_it_is_accepted_and_its_absence_where_none_is() -> None:
    def fallbacks(first: str, second: str) -> float | None:
        said = step(1, "price", stand_in=first), step(2, "sum", stand_in=second, after=1)
        return score_own(CHAIN, plan(*said)).fallbacks

    assert fallbacks("history", "") == 1.0
    assert fallbacks("", "") == 0.5
    assert fallbacks("rows", "") == 0.5
    assert fallbacks("history", "rows") == 0.5
    assert fallbacks("", "rows") == 0.0


def test_steps_of_the_same_tool_are_matched_in_their_order() -> None:
    twice = task(gold("price|history", "price"))
    said = step(1, "price", stand_in="history"), step(2, "price")
    assert score_own(twice, plan(*said, handoff="parallel")).fallbacks == 1.0
    assert score_own(twice, plan(said[0], handoff="parallel")).agents == 0.0


def test_a_way_out_is_right_exactly_where_nothing_fits_and_its_kind_counts_apart() -> None:
    nothing = task(gold(way_out="answer_without_tools"))
    taken = score_own(nothing, way_out("answer_without_tools"))
    assert (taken.none_fits, taken.none_precision, taken.none_recall, taken.way_out) == (1, 1, 1, 1)
    assert (taken.agents, taken.node_f1, taken.exact_plan, taken.order) == (1.0, 1.0, 1.0, None)
    asked = score_own(nothing, way_out("ask_user"))
    assert (asked.none_fits, asked.none_precision, asked.none_recall, asked.way_out) == (1, 1, 1, 0)
    assert (asked.exact_set, asked.exact_plan) == (1.0, 0.0)
    missed = score_own(nothing, plan(step(1, "sum")))
    assert (missed.none_fits, missed.none_precision, missed.none_recall, missed.way_out) == (0, None, 0, 0)
    assert (missed.agents, missed.node_f1, missed.exact_set) == (0.0, 0.0, 0.0)
    wrong = score_own(task(gold("sum")), way_out("ask_user"))
    assert (wrong.none_fits, wrong.none_precision, wrong.none_recall, wrong.way_out) == (0, 0, None, None)
    assert (wrong.agents, wrong.node_f1, wrong.order) == (0.0, 0.0, 0.0)


def test_the_nearest_accepted_plan_is_the_one_that_counts() -> None:
    either = task(gold("price|history", "sum<0"), gold("rows"))
    short = score_own(either, plan(step(1, "rows")))
    assert (short.exact_plan, short.agents, short.handoff) == (1.0, 1.0, None)
    long = score_own(either, plan(step(1, "price", stand_in="history"), step(2, "sum", after=1)))
    assert (long.exact_plan, long.handoff, long.fallbacks) == (1.0, 1.0, 1.0)
    with_or_without = task(gold("price|history"), gold("price"))
    assert score_own(with_or_without, plan(step(1, "price"))).fallbacks == 1.0
    assert score_own(with_or_without, plan(step(1, "price", stand_in="history"))).fallbacks == 1.0
    assert score_own(with_or_without, plan(step(1, "price", stand_in="rows"))).fallbacks == 0.0
