from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.evaluation.plan_scores import (
    MEASURES,
    closure,
    is_acyclic,
    multiset_f1,
    order_score,
    score_plan,
)
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, OfferedTool, PlanTask, Prediction

pytestmark = pytest.mark.requirement("EVAL-1")

NAMES = "abcde"
steps = st.lists(st.sampled_from(NAMES), max_size=5)


def steps_of(tools: str | list[str]) -> tuple[GoldStep, ...]:
    return tuple(GoldStep(tool=tool) for tool in tools)


def task(gold: str, *edges: tuple[int, int]) -> PlanTask:
    return PlanTask(
        id="t",
        source="here",
        request="do it",
        tools=tuple(OfferedTool(name=name) for name in NAMES),
        gold=GoldPlan(steps=steps_of(gold), edges=edges),
    )


def said(tools: str, *edges: tuple[int, int]) -> Prediction:
    return Prediction(id="t", steps=steps_of(tools), edges=edges)


def test_the_gold_plan_itself_scores_one_everywhere() -> None:
    score = score_plan(task("abc", (0, 1), (1, 2)), said("abc", (0, 1), (1, 2)))
    assert [getattr(score, measure) for measure in MEASURES] == [1.0] * 6


def test_a_missing_prediction_scores_nothing_and_is_not_left_out() -> None:
    score = score_plan(task("ab", (0, 1)), None)
    assert [getattr(score, measure) for measure in MEASURES] == [0.0] * 6


def test_a_plan_with_a_tool_that_was_not_offered_is_invalid_but_its_right_tools_still_count() -> None:
    score = score_plan(task("ab"), said("ax"))
    assert score.valid == 0.0
    assert score.node_f1 == 0.5


def test_a_cycle_or_an_edge_out_of_range_makes_a_plan_invalid() -> None:
    assert score_plan(task("ab"), said("ab", (0, 1), (1, 0))).valid == 0.0
    assert score_plan(task("ab"), said("ab", (0, 2))).valid == 0.0
    assert score_plan(task("ab"), said("ab", (0, 1))).valid == 1.0


def test_tools_are_a_multiset_so_one_said_twice_counts_twice() -> None:
    assert score_plan(task("aa"), said("a")).node_f1 == pytest.approx(2 / 3)
    assert score_plan(task("aa"), said("a")).exact_set == 0.0
    assert score_plan(task("aab"), said("baa")).exact_set == 1.0


def test_links_are_scored_only_where_the_gold_plan_has_some() -> None:
    assert score_plan(task("ab"), said("ab", (0, 1))).edge_f1 is None
    assert score_plan(task("abc", (0, 1), (1, 2)), said("abc", (0, 1))).edge_f1 == pytest.approx(2 / 3)


def test_an_exact_plan_has_the_same_partial_order_however_it_is_written() -> None:
    gold = task("abc", (0, 1), (1, 2))
    assert score_plan(gold, said("cba", (2, 1), (1, 0))).exact_plan == 1.0
    assert score_plan(gold, said("abc", (0, 1), (1, 2), (0, 2))).exact_plan == 1.0
    assert score_plan(gold, said("abc", (0, 1))).exact_plan == 0.0


def test_steps_of_the_same_tool_may_be_matched_either_way() -> None:
    gold = task("aab", (0, 2))
    assert score_plan(gold, said("aab", (1, 2))).exact_plan == 1.0
    assert score_plan(gold, said("aab", (0, 1))).exact_plan == 0.0


def test_order_is_measured_against_the_order_of_the_gold_plan_that_is_nearest() -> None:
    assert order_score("ba", "ab", ()) == 1.0
    assert order_score("ba", "ab", [(0, 1)]) == 0.0
    assert order_score("b", "ab", [(0, 1)]) == 0.5
    assert order_score("", "", ()) == 1.0


@given(steps, steps, st.data())
def test_the_order_score_is_the_best_over_all_linear_extensions(
    mine: list[str], gold: list[str], data: st.DataObject
) -> None:
    pairs = [(a, b) for b in range(len(gold)) for a in range(b)]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    orders = [
        order
        for order in permutations(range(len(gold)))
        if all(order.index(a) < order.index(b) for a, b in edges)
    ]
    longer = max(len(mine), len(gold)) or 1
    nearest = min(_distance(mine, [gold[step] for step in order]) for order in orders)
    assert order_score(mine, gold, edges) == pytest.approx(1 - nearest / longer)


def _distance(one: list[str], other: list[str]) -> int:
    if not one or not other:
        return len(one) + len(other)
    swap = _distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(swap, _distance(one[1:], other) + 1, _distance(one, other[1:]) + 1)


def test_a_gold_plan_too_long_for_the_exact_order_is_followed_greedily() -> None:
    gold = list("abcde" * 4)
    chain = [(at, at + 1) for at in range(len(gold) - 1)]
    assert order_score(gold, gold, chain) == 1.0
    assert order_score(list(reversed(gold)), gold, ()) == 1.0


@given(steps, steps)
def test_f1_is_symmetric_and_one_only_for_equal_multisets(one: list[str], other: list[str]) -> None:
    assert multiset_f1(one, other) == multiset_f1(other, one)
    assert (multiset_f1(one, other) == 1.0) == (sorted(one) == sorted(other))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=8))
def test_a_closure_is_transitive_and_tells_cycles(edges: list[tuple[int, int]]) -> None:
    reached = closure(5, edges)
    assert set(edges) <= reached
    assert all((a, d) in reached for a, b in reached for c, d in reached if b == c)
    orders = permutations(range(5))
    sortable = any(all(order.index(a) < order.index(b) for a, b in edges) for order in orders)
    assert is_acyclic(5, edges) == sortable
