"""The plan composed of fused probabilities: the best set, its order, its links, its agents, within bounds."""

from __future__ import annotations

import itertools
import math

import pytest
from fusion_world import NAMES, NO_WAY, bounds, offer, prior
from hypothesis import given, settings
from hypothesis import strategies as st

from planwarden.contracts.calibration import PRIOR_ALONE, PlannerWeights
from planwarden.planning.fusion.best_set import best_size
from planwarden.planning.fusion.compose import Bounds, Draft, compose
from planwarden.planning.fusion.evidence import ModelEvidence
from planwarden.planning.fusion.fuse import fuse
from planwarden.planning.fusion.worth_asking import worth_asking
from planwarden.planning.prior import PlanItem, Prior, ToolPrior

EVEN = PlannerWeights(model=1.0, link_model=1.0, none_model=1.0)


def planned(known: Prior, within: Bounds | None = None, said: ModelEvidence | None = None) -> Draft:
    return compose(fuse(known, said, EVEN if said else PRIOR_ALONE), within or bounds())


def tools(draft: Draft) -> list[str]:
    return [step.tool for step in draft.steps]


def exact_f1(probabilities: list[float], size: int) -> float:
    total = 0.0
    for truth in itertools.product([False, True], repeat=len(probabilities)):
        chance = math.prod(p if there else 1 - p for p, there in zip(probabilities, truth, strict=True))
        hits = sum(truth[:size])
        total += chance * (2 * hits / (size + sum(truth)))
    return total


@pytest.mark.requirement("FUSE-4")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=7))
def test_the_number_of_tools_has_the_best_expected_f1_over_every_possible_truth(
    given_ones: list[float],
) -> None:
    probabilities = sorted(given_ones, reverse=True)
    size = best_size(probabilities, len(probabilities))
    best = max(exact_f1(probabilities, each) for each in range(1, len(probabilities) + 1))
    assert exact_f1(probabilities, size) == pytest.approx(best, abs=1e-6)


@pytest.mark.requirement("FUSE-4")
def test_likely_tools_are_planned_and_unlikely_ones_are_not() -> None:
    assert set(tools(planned(prior({"search": 0.9, "encrypt": 0.8, "get_joke": 0.1})))) == {
        "search",
        "encrypt",
    }


@pytest.mark.requirement("FUSE-4")
def test_many_unlikely_tools_do_not_make_a_long_plan() -> None:
    assert len(planned(prior(dict.fromkeys(NAMES, 0.15), none=0.0)).steps) == 1


@pytest.mark.requirement("FUSE-4")
def test_a_tool_that_is_likely_needed_again_is_planned_twice() -> None:
    twice = ToolPrior(name="search", probability=0.95, repeats=0.9)
    assert tools(planned(Prior(tools=(twice,), agents={"search": (("worker", 1.0),)}))) == ["search"] * 3
    once = ToolPrior(name="search", probability=0.95, repeats=0.1)
    assert tools(planned(Prior(tools=(once,), agents={"search": (("worker", 1.0),)}))) == ["search"]


@pytest.mark.requirement("FUSE-5")
def test_a_tool_whose_result_is_used_comes_first_and_is_linked() -> None:
    draft = planned(prior({"search": 0.9, "encrypt": 0.95}, links={("search", "encrypt"): 0.8}))
    assert tools(draft) == ["search", "encrypt"]
    assert [step.uses for step in draft.steps] == [(), (0,)]


@pytest.mark.requirement("FUSE-5")
def test_expected_places_order_what_no_link_does() -> None:
    placed = tuple(
        ToolPrior(name=name, probability=0.9, place=place)
        for name, place in (("search", 1.0), ("encrypt", 0.0), ("get_joke", 0.5))
    )
    known = Prior(tools=placed, agents={tool.name: (("worker", 1.0),) for tool in placed})
    assert tools(planned(known)) == ["encrypt", "get_joke", "search"]


@pytest.mark.requirement("FUSE-5")
def test_a_way_out_is_taken_where_it_is_likelier_than_a_plan_and_offered() -> None:
    lost = prior({"search": 0.2}, none=0.3)
    assert planned(lost).way_out == "none"
    assert planned(lost, bounds(ways_out=NO_WAY)).way_out is None
    assert tools(planned(lost, bounds(ways_out=NO_WAY))) == ["search"]
    assert planned(prior({"search": 0.2}, none=0.1)).way_out is None
    assert planned(Prior(tools=(), agents={})).way_out == "none"
    nothing = planned(Prior(tools=(), agents={}), bounds(ways_out=NO_WAY))
    assert (nothing.steps, nothing.way_out) == ((), None)


@pytest.mark.requirement("FUSE-5")
def test_no_more_agents_than_allowed_and_the_least_important_tools_go() -> None:
    agents = {name: ((f"{name}_agent", 1.0),) for name in NAMES}
    pairs: dict[str, tuple[str, ...]] = {f"{name}_agent": (name,) for name in NAMES}
    known = prior(dict(zip(NAMES, (0.9, 0.8, 0.7, 0.6), strict=True)), agents=agents)
    assert set(tools(planned(known, bounds(pairs=pairs, max_agents=2)))) == {"get_joke", "get_time"}
    shared = {**agents, "search": (("search_agent", 0.6), ("get_joke_agent", 0.4))}
    pairs["get_joke_agent"] = ("get_joke", "search")
    draft = planned(prior({"get_joke": 0.9, "get_time": 0.8, "search": 0.7}, agents=shared),
                    bounds(pairs=pairs, max_agents=2))  # fmt: skip
    assert {step.tool: step.agent for step in draft.steps} == {
        "get_joke": "get_joke_agent",
        "get_time": "get_time_agent",
        "search": "get_joke_agent",
    }


@pytest.mark.requirement("FUSE-5")
def test_the_model_can_move_an_agent_and_a_stand_in() -> None:
    pairs = {"one": NAMES, "two": NAMES}
    known = prior(
        {"search": 0.9},
        agents={"search": (("one", 0.6), ("two", 0.4))},
        fallbacks={"search": ("get_joke", "get_time")},
    )
    before = planned(known, bounds(pairs=pairs)).steps[0]
    assert (before.agent, before.fallback) == ("one", "get_joke")
    said = ModelEvidence(
        items=(PlanItem(tool="search"),),
        tools={"search": 0.9},
        agents={"search": {"one": 0.1, "two": 0.9}},
        fallbacks={"search": {"get_joke": 0.05, "get_time": 0.95}},
    )
    after = planned(known, bounds(pairs=pairs), said).steps[0]
    assert (after.agent, after.fallback) == ("two", "get_time")


SOME = st.dictionaries(st.sampled_from([*NAMES, "ghost", "other"]), st.floats(0, 1), max_size=6)
ANY_NAME: st.SearchStrategy[str] = st.sampled_from([*NAMES, "ghost"])
PAIRS = st.dictionaries(st.tuples(ANY_NAME, ANY_NAME), st.floats(0, 1), max_size=12)
ITEMS = st.lists(st.builds(PlanItem, tool=ANY_NAME), max_size=6)
HOLDERS = {"one": ("get_joke", "search"), "two": ("get_time", "search"), "three": ("encrypt",)}


@st.composite
def anything(draw: st.DrawFn) -> tuple[Prior, ModelEvidence, PlannerWeights]:
    known, said = draw(SOME), draw(SOME)
    outs = draw(st.tuples(*[st.floats(0, 1)] * 4))
    weights = draw(st.tuples(*[st.floats(0, 5)] * 3))
    whole = Prior(
        tools=tuple(
            ToolPrior(name=name, probability=p, repeats=draw(st.floats(0, 1))) for name, p in known.items()
        ),
        agents={name: tuple((agent, 0.5) for agent in ("three", "two", "one", "ghost")) for name in known},
        links=draw(PAIRS),
        fallbacks=dict.fromkeys(known, NAMES),
        none=outs[0],
        ask=outs[1],
    )
    evidence = ModelEvidence(
        items=tuple(draw(ITEMS)),
        tools=said,
        links=draw(PAIRS),
        none=outs[2],
        ask=outs[3],
        repeats=said,
        agents={name: {"ghost": 1.0, "one": 0.3} for name in said},
        fallbacks={name: {"ghost": 1.0} for name in said},
    )
    trust = PlannerWeights(model=weights[0], link_model=weights[1], none_model=weights[2])
    return whole, evidence, trust


@pytest.mark.requirement("FUSE-5")
@settings(max_examples=300, deadline=None)
@given(case=anything(), max_agents=st.integers(1, 4))
def test_whatever_is_known_and_said_the_plan_keeps_within_its_bounds(
    case: tuple[Prior, ModelEvidence, PlannerWeights], max_agents: int
) -> None:
    whole, evidence, trust = case
    within = bounds(pairs=HOLDERS, max_agents=max_agents)
    draft = compose(fuse(whole, evidence, trust), within)
    assert draft == compose(fuse(whole, evidence, trust), within)
    assert (draft.way_out is not None) != bool(draft.steps)
    assert len(draft.steps) <= within.max_steps
    assert len({step.agent for step in draft.steps}) <= max_agents
    for place, step in enumerate(draft.steps):
        assert step.tool in HOLDERS[step.agent]
        assert step.fallback is None or (step.fallback in HOLDERS[step.agent] and step.fallback != step.tool)
        assert all(0 <= use < place for use in step.uses)
        assert tools(draft).count(step.tool) <= 3


@pytest.mark.requirement("FUSE-8")
def test_a_model_is_not_asked_where_its_word_could_change_nothing() -> None:
    sure = prior({"search": 0.97, "encrypt": 0.001}, none=0.001)
    doubtful = prior({"search": 0.6, "encrypt": 0.35}, none=0.001)
    light = PlannerWeights(model=0.2, link_model=0.2, none_model=0.1)
    shown = offer("search", "encrypt")
    assert not worth_asking(sure, light, shown, bounds())
    assert worth_asking(doubtful, light, shown, bounds())
    assert not worth_asking(doubtful, PRIOR_ALONE, shown, bounds())
