"""Prior and evidence as one, and what each weighs."""

from __future__ import annotations

import pytest
from fusion_world import NAMES, certain, offer, prior, token
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.calibration import PRIOR_ALONE, PlannerWeights
from planwarden.planning.fusion.evidence import SAID, UNSAID, ModelEvidence
from planwarden.planning.fusion.fuse import BOUND, fuse, judge, logit
from planwarden.planning.fusion.hearing import hear
from planwarden.planning.notation.item import read_item
from planwarden.planning.notation.reading import WirePlan
from planwarden.planning.prior import PlanItem

pytestmark = pytest.mark.requirement("FUSE-3")

EVEN = PlannerWeights(model=1.0, link_model=1.0, none_model=1.0)
PROBABILITY = st.floats(0, 1)


def wire(*spelled: str) -> WirePlan:
    if spelled in (("none",), ("ask",)):
        return WirePlan(items=(), way_out=spelled[0])  # pyright: ignore[reportArgumentType] - one of the two
    items = tuple(item for item in map(read_item, spelled) if item is not None)
    return WirePlan(items=items, written=items, kept=tuple(range(len(items))))


def test_the_fused_logit_is_the_weighted_sum() -> None:
    judged = judge(0.7, 0.2, 0.5, 2.0, 0.1)
    assert logit(judged.fused) == pytest.approx(0.1 + 0.5 * logit(0.7) + 2.0 * logit(0.2))
    own, other = 0.5 * logit(0.7), 2.0 * abs(logit(0.2))
    assert judged.model_share == pytest.approx(other / (own + other))


def test_where_the_model_said_nothing_or_weighs_nothing_the_prior_stands_as_it_is() -> None:
    assert judge(0.123, None, 3.0, 2.0, 1.0).fused == 0.123
    assert judge(0.123, 0.9, 3.0, 0.0, 1.0).fused == 0.123
    said = ModelEvidence(items=(), tools=dict.fromkeys(NAMES, 0.99), none=0.9, ask=0.9)
    assert fuse(prior(), said, PRIOR_ALONE) == fuse(prior(), None, PRIOR_ALONE)


@given(known=PROBABILITY, said=PROBABILITY)
def test_no_side_is_so_sure_that_the_other_is_mute(known: float, said: float) -> None:
    lower, higher = judge(known, 0.0, 1.0, 1.0, 0.0).fused, judge(known, 1.0, 1.0, 1.0, 0.0).fused
    assert 0.0 < lower < higher < 1.0
    assert lower <= judge(known, said, 1.0, 1.0, 0.0).fused <= higher
    assert judge(0.0, 1.0, 1.0, 1.0, 0.0).fused == pytest.approx(0.5)
    assert BOUND > 0


def test_tools_that_were_not_shown_keep_their_prior() -> None:
    said = ModelEvidence(items=(PlanItem(tool="search"),), tools={"search": 0.9})
    fused = {tool.name: tool.judged for tool in fuse(prior(), said, EVEN).tools}
    assert fused["search"].fused > 0.3
    assert (fused["encrypt"].fused, fused["encrypt"].model) == (0.3, None)


def test_the_best_tool_comes_first_and_its_place_leans_to_where_the_model_put_it() -> None:
    items = (PlanItem(tool="encrypt"), PlanItem(tool="search"))
    said = ModelEvidence(items=items, tools={"search": 0.9, "encrypt": 0.99})
    tools = fuse(prior(), said, EVEN).tools
    assert [tool.name for tool in tools[:2]] == ["encrypt", "search"]
    assert [tool.place for tool in tools[:2]] == [0.25, 0.75]


@pytest.mark.requirement("FUSE-1")
def test_a_reply_is_heard_along_its_path() -> None:
    tokens = (
        token('{"plan":["'),
        token("search", 0.5, {"get_joke": 0.4, "none": 0.1}),
        token('","', 0.8, {'"]': 0.2}),
        token("get_joke", 0.6, {"search": 0.4}),
        token("<1", 0.7, {'"]': 0.3}),
        token('"]}'),
    )
    heard = hear(wire("search", "get_joke<1"), tokens, offer(), prior())
    assert heard.method == "token_probability"
    assert heard.tools["search"] == pytest.approx(1 - (1 - 0.5) * (1 - 0.8 * 0.4))
    assert heard.tools["get_joke"] == pytest.approx(1 - (1 - 0.4) * (1 - 0.8 * 0.6))
    assert heard.tools["encrypt"] == 0.0
    assert heard.none == pytest.approx(0.1)
    assert heard.links == {("search", "get_joke"): pytest.approx(0.7)}
    assert heard.chosen == pytest.approx((0.5, 0.8 * 0.6, 1.0))
    assert heard.path == pytest.approx(0.5 * 0.8 * 0.6 * 0.7)
    twice = 0.5 * (0.8 * 0.4)
    assert heard.repeats["search"] == pytest.approx(twice / heard.tools["search"])


def test_without_token_probabilities_a_word_is_a_hard_choice_of_documented_worth() -> None:
    heard = hear(wire("search", "get_joke<1", "search"), (), offer(), prior())
    assert heard.method == "none"
    assert heard.tools == {"search": SAID, "get_joke": SAID, "encrypt": UNSAID, "get_time": UNSAID}
    assert heard.links[("search", "get_joke")] == SAID
    assert heard.links[("get_joke", "search")] == UNSAID
    assert heard.repeats == {"search": SAID, "get_joke": UNSAID}
    assert (heard.none, heard.ask, heard.chosen) == (UNSAID, UNSAID, ())
    assert hear(wire("none"), (), offer(), prior()).none == SAID
    assert hear(wire("ask"), (), offer(), prior()).ask == SAID


def test_a_certain_reply_is_heard_as_certain() -> None:
    heard = hear(wire("search"), certain('{"plan":["search"]}'), offer(), prior())
    assert heard.tools["search"] == 1.0
    assert heard.path == 1.0
