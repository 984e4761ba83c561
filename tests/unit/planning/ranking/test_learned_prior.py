"""The learned prior: of whom it speaks, that it speaks in probabilities, and the same each time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_world import (
    AGENTS,
    EVERYTHING,
    MAIL,
    NOTHING,
    SAID,
    TOOLS,
    allowing,
    asking,
    catalog,
    remembered,
    tool,
)

from planwarden.contracts.specs import AgentSpec
from planwarden.planning.prior import Prior, PriorRequest
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.learned_prior import SPOKEN_OF, UNGROUNDED, LearnedPrior
from planwarden.planning.ranking.weights import RankerWeights
from planwarden.planning.retrieval_prior import RetrievalPrior
from planwarden.policy.rules import ToolPolicy

CATALOG = catalog()
WEATHER = "weather.forecast"


@pytest.fixture(scope="module")
def source(weights: RankerWeights, encoder: SentenceEncoder) -> LearnedPrior:
    return LearnedPrior(weights=weights, encoder=encoder)


def names(prior: Prior) -> list[str]:
    return [each.name for each in prior.tools]


def check(prior: Prior, may: dict[str, set[str]]) -> None:
    """Check that a prior speaks of allowed pairs alone, and in probabilities."""
    allowed = set[str]().union(*may.values())
    assert set(names(prior)) <= allowed
    assert set(prior.agents) == set(names(prior))
    for name, agents in prior.agents.items():
        assert agents
        assert all(name in may[agent] for agent, _ in agents)
        assert 0.0 < sum(p for _, p in agents) < 1.0 + 1e-9
        assert [p for _, p in agents] == sorted((p for _, p in agents), reverse=True)
    assert {name for pair in prior.links for name in pair} <= allowed
    assert {name for each in prior.fallbacks.values() for name in each} <= allowed
    probabilities = [
        *(value for each in prior.tools for value in (each.probability, each.place, each.repeats)),
        *prior.links.values(),
        prior.none,
        prior.ask,
        prior.default_link,
    ]
    assert all(0.0 <= p <= 1.0 for p in probabilities)
    likely = [each.probability for each in prior.tools]
    assert likely == sorted(likely, reverse=True)
    for shown in prior.examples:
        assert {item.tool for item in shown.items} <= set(names(prior))


requests = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from([asking(name, way) for name in SAID for way in range(3)]), min_size=1).map(
        " and ".join
    ),
)


@pytest.mark.requirement("RANK-3")
@given(text=requests, travel=st.sampled_from(sorted(SAID)), office=st.sampled_from(["*", "m*", "none.*"]))
@settings(max_examples=15)
def test_a_prior_speaks_of_catalog_and_policy_alone_and_in_probabilities(
    source: LearnedPrior, text: str, travel: str, office: str
) -> None:
    policy = allowing(travel_agent=travel, office_agent=office)
    held = {agent.name: set(agent.tools) for agent in AGENTS}
    office_may = {"*": held["office_agent"], "m*": {n for n in held["office_agent"] if n[0] == "m"}}
    may = {"travel_agent": {travel} & held["travel_agent"], "office_agent": office_may.get(office, set())}
    prior = source.prior(
        PriorRequest(
            text=text, catalog=CATALOG, policy=policy, remembered=(remembered("Play it", "music.play", MAIL),)
        )
    )
    check(prior, may)


@pytest.mark.requirement("RANK-3")
def test_the_same_request_has_the_same_prior_whatever_was_asked_between(
    source: LearnedPrior, weights: RankerWeights
) -> None:
    request = PriorRequest(
        text="Will it snow in Oslo, then mail the result",
        catalog=CATALOG,
        policy=EVERYTHING,
        remembered=(remembered("Rain in Rome", WEATHER),),
    )
    first = source.prior(request)
    for name in SAID:
        source.prior(PriorRequest(text=asking(name, 2), catalog=CATALOG, policy=EVERYTHING))
    assert source.prior(request) == first
    other = LearnedPrior(weights=weights).prior(request)
    assert names(other)[:2] == names(first)[:2]
    assert other.tools[0].probability == pytest.approx(first.tools[0].probability, abs=1e-3)


@pytest.mark.requirement("RANK-3")
def test_what_is_asked_for_comes_first_and_its_agents_are_those_that_may_call_it(
    source: LearnedPrior,
) -> None:
    said = source.prior(PriorRequest(text=f"{asking(WEATHER, 2)}?", catalog=CATALOG, policy=EVERYTHING))
    assert names(said)[0] == WEATHER
    assert said.agents[WEATHER] == (("travel_agent", 1.0),)
    assert {agent for agent, _ in said.agents["news.headlines"]} == {"travel_agent", "office_agent"}
    narrower = allowing(travel_agent="weather.*", office_agent="news.*")
    said = source.prior(PriorRequest(text="What is in the papers?", catalog=CATALOG, policy=narrower))
    assert said.agents["news.headlines"] == (("office_agent", 1.0),)


@pytest.mark.requirement("RANK-3")
def test_where_nothing_is_allowed_no_tool_is_spoken_of(source: LearnedPrior) -> None:
    for policy in (ToolPolicy(), allowing(travel_agent="ghost.*")):
        said = source.prior(PriorRequest(text=asking(WEATHER, 0), catalog=CATALOG, policy=policy))
        assert (said.tools, dict(said.agents), said.none) == ((), {}, 1.0)


@pytest.mark.requirement("RANK-3")
def test_a_single_tool_is_enough(source: LearnedPrior) -> None:
    alone = allowing(travel_agent=WEATHER)
    said = source.prior(PriorRequest(text=f"{asking(WEATHER, 0)}?", catalog=CATALOG, policy=alone))
    assert names(said) == [WEATHER]


@pytest.mark.requirement("RANK-3")
def test_stand_ins_are_those_that_may_be_called(source: LearnedPrior) -> None:
    first = TOOLS[0].model_copy(update={"alternatives": ("news.headlines", MAIL)})
    own = catalog((first, *TOOLS[1:]))
    allowed = allowing(travel_agent="weather.*", office_agent="mail.*")
    said = source.prior(PriorRequest(text=asking(WEATHER, 0), catalog=own, policy=allowed))
    assert said.fallbacks[WEATHER] == (MAIL,)


@pytest.mark.requirement("RANK-3")
def test_of_many_tools_so_many_are_spoken_of(source: LearnedPrior) -> None:
    more = [tool(f"extra.t{n}", f"Does the extra thing number {n}", "x") for n in range(40)]
    every = AgentSpec(name="every_agent", description="All", tools=tuple(t.name for t in (*TOOLS, *more)))
    own = catalog((*TOOLS, *more), (*AGENTS, every))
    asked = PriorRequest(text=f"{asking(WEATHER, 0)}?", catalog=own, policy=allowing(every_agent="*"))
    said = source.prior(asked)
    assert len(said.tools) == SPOKEN_OF
    assert names(said)[0] == WEATHER


@pytest.mark.requirement("RANK-3")
def test_a_tool_for_which_the_request_names_no_value_gives_way_where_values_come_from_it_alone(
    source: LearnedPrior,
) -> None:
    numbered = TOOLS[0].model_copy(
        update={
            "parameters": {
                "type": "object",
                "properties": {"days": {"type": "integer"}},
                "required": ["days"],
                "additionalProperties": False,
            }
        }
    )
    own = catalog((numbered, *TOOLS[1:]))
    asked = PriorRequest(text="Will it rain in Paris?", catalog=own, policy=EVERYTHING)
    grounded = PriorRequest(text=asked.text, catalog=own, policy=EVERYTHING, groundable_only=True)
    free, narrowed = (
        next(each.probability for each in source.prior(request).tools if each.name == WEATHER)
        for request in (asked, grounded)
    )
    assert narrowed == pytest.approx(free * UNGROUNDED)


@pytest.mark.requirement("RANK-3")
def test_a_request_that_no_tool_serves_is_likelier_to_need_none(source: LearnedPrior) -> None:
    def none(text: str) -> float:
        return source.prior(PriorRequest(text=text, catalog=CATALOG, policy=EVERYTHING)).none

    assert none(f"{NOTHING[0]}!") > none(f"{asking(WEATHER, 0)}?") + 0.2


@pytest.mark.requirement("RANK-10")
def test_a_request_in_another_language_goes_to_plain_retrieval(source: LearnedPrior) -> None:
    foreign = "Wie wird das Wetter morgen in München, und regnet es am Wochenende?"
    request = PriorRequest(text=foreign, catalog=CATALOG, policy=EVERYTHING)
    retrieval = RetrievalPrior()
    try:
        assert source.prior(request) == retrieval.prior(request)
        english = PriorRequest(text="How is the weather in Munich?", catalog=CATALOG, policy=EVERYTHING)
        assert source.prior(english) != retrieval.prior(english)
    finally:
        retrieval.close()
