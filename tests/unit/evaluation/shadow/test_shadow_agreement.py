"""How alike two plans are: by hand, and as laws over any two."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shadow_made import sketch

from planwarden.contracts.plan import PlanMetadata, PlannedAgentStep, PlannerPlan
from planwarden.contracts.shadow import PlanSketch, sketch_of
from planwarden.evaluation.shadow.agreement import AGREEMENT_MEASURES, agreement, order_distance

pytestmark = pytest.mark.requirement("SHD-4")


def test_agents_and_tools_are_compared_as_sets_as_multisets_and_exactly() -> None:
    found = agreement(sketch("a/look", "a/seek", "b/save"), sketch("a/look", "b/save", "b/save"))
    assert found.agents_exact == found.tools_exact == found.same_plan == 0.0
    assert found.agents_f1 == pytest.approx(2 / 3)
    assert found.agents_jaccard == 1.0
    assert found.tools_f1 == pytest.approx(2 / 3)
    assert found.tools_jaccard == pytest.approx(2 / 3)
    assert found.order_distance == 0.0


def test_the_order_distance_is_the_share_of_shared_pairs_the_other_way_round() -> None:
    assert order_distance("abc", "cba") == 1.0
    assert order_distance("abc", "acb") == pytest.approx(1 / 3)
    assert order_distance("axby", "bza") == 1.0
    assert order_distance("ab", "ac") is None
    assert order_distance("", "") is None


def test_the_same_tools_in_another_partial_order_are_another_plan() -> None:
    apart, chained = sketch("look", "save"), sketch("look", "save", chained=True)
    assert agreement(apart, chained).tools_exact == 1.0
    assert agreement(apart, chained).same_plan == 0.0
    assert agreement(chained, chained).same_plan == 1.0


def test_a_way_out_agrees_with_the_same_way_out_and_no_plan_with_no_plan() -> None:
    none, ask = sketch(way_out="answer_without_tools"), sketch(way_out="ask_user")
    assert agreement(none, none).same_plan == 1.0
    assert (agreement(none, ask).way_out, agreement(none, ask).same_plan) == (0.0, 0.0)
    assert agreement(none, sketch("look")).tools_f1 == 0.0
    assert agreement(None, None).same_plan == 1.0
    missing = asdict(agreement(sketch("look"), None))
    assert {value for name, value in missing.items() if name != "order_distance"} == {0.0}


def of_tools(named: list[str], chained: bool) -> PlanSketch:
    return sketch(*named, chained=chained)


tools = st.lists(st.sampled_from(["a/look", "b/look", "seek", "save", "c/count"]), max_size=5)
plans = st.one_of(
    st.none(),
    st.builds(of_tools, tools, st.booleans()),
    st.sampled_from([sketch(way_out="ask_user"), sketch(way_out="answer_without_tools")]),
)


@given(first=plans, second=plans)
def test_agreement_lies_within_0_and_1_is_symmetric_and_whole_for_equal_plans(
    first: PlanSketch | None, second: PlanSketch | None
) -> None:
    there, back = agreement(first, second), agreement(second, first)
    assert there == back
    same = agreement(first, first)
    for measure in AGREEMENT_MEASURES:
        value = getattr(there, measure)
        assert value is None or 0.0 <= value <= 1.0
        whole = getattr(same, measure)
        assert whole in ((0.0, None) if measure == "order_distance" else (1.0,))


def test_a_sketch_keeps_names_and_links_of_a_plan_and_none_of_its_texts() -> None:
    first = PlannedAgentStep(id="s1", agent="a", tools=("look", "seek"), reason="Erika Mustermann asked")
    second = PlannedAgentStep(
        id="s2", agent="b", tools=("save",), fallback_tools=("keep",), depends_on=("s1",)
    )
    made = sketch_of(PlannerPlan(steps=(first, second), metadata=PlanMetadata(source="planner")))
    assert made.tools == ("look", "seek", "save")
    assert made.agents == ("a", "a", "b")
    assert made.edges == ((0, 2), (1, 2))
    assert made.steps[1].fallback_tools == ("keep",)
    assert "Erika" not in made.model_dump_json()
