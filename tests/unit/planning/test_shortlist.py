"""What the planner model is shown: always a part of catalog ∩ policy, for any text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_world import AGENTS, ASKED, TOOLS, allow, make_catalog, make_policy, shortlist, tool

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.specs import AgentSpec
from planwarden.planning.permitted import allowed_pairs
from planwarden.planning.shortlist import Retriever, Shortlist
from planwarden.policy.rules import AgentPolicy, ToolPolicy

pytestmark = pytest.mark.requirement("PLAN-2")

CATALOG = make_catalog()
POLICY = make_policy()
RETRIEVER = Retriever()
OTHER = make_catalog(
    [AGENTS[0], AgentSpec(name="weather_agent", description="Weather", tools=("weather.now",))],
    [*TOOLS, tool("weather.now", "Common weather now")],
)


def assert_part_of(shown: Shortlist, catalog: Catalog, policy: ToolPolicy) -> None:
    pairs = allowed_pairs(catalog, policy)
    for offered in (shown.agents, shown.stand_ins):
        for agent, tools in offered.items():
            assert set(tools) <= set(pairs[agent])
    named = {name for tools in shown.agents.values() for name in tools}
    assert named == set(shown.tools)
    assert {name for part in shown.parts for name in part} <= set(shown.tools)


def test_what_policy_denies_is_not_shown() -> None:
    policy = make_policy(finance_agent=allow("finance.snapshot"), research_agent=AgentPolicy())
    shown = shortlist(CATALOG, policy)
    assert_part_of(shown, CATALOG, policy)
    assert shown.agents["finance_agent"] == shown.stand_ins["finance_agent"] == ("finance.snapshot",)
    assert "research_agent" not in shown.agents
    assert shortlist(CATALOG, ToolPolicy()).empty


def test_what_asks_a_person_is_shown() -> None:
    assert shortlist(CATALOG, POLICY).agents["writing_agent"] == ("files.write",)


def test_the_shortlist_follows_the_catalog_from_request_to_request() -> None:
    policy = make_policy(weather_agent=allow("weather.*"))
    for _ in range(3):
        before = RETRIEVER.shortlist("weather now", CATALOG, policy, size=6, near=0.5)
        after = RETRIEVER.shortlist("weather now", OTHER, policy, size=6, near=0.5)
        assert "weather.now" not in before.tools
        assert after.tools[0] == "weather.now"
        assert_part_of(before, CATALOG, policy)
        assert_part_of(after, OTHER, policy)


def test_more_catalogs_than_are_remembered_still_give_their_own() -> None:
    retriever = Retriever()
    for number in [*range(12), *range(12)]:
        name = f"extra{number}.look"
        catalog = make_catalog(
            [AgentSpec(name="general_agent", description="x", tools=(name,))], [tool(name, "Common look")]
        )
        assert retriever.shortlist("common look", catalog, POLICY, size=3, near=0.5).empty
        policy = ToolPolicy(agents={"general_agent": allow("extra*")})
        assert retriever.shortlist("common look", catalog, policy, size=3, near=0.5).tools == (name,)
    retriever.close()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_no_more_tools_than_asked_for(size: int) -> None:
    assert len(shortlist(CATALOG, POLICY, size=size).tools) <= size


def test_the_nearest_tool_comes_first() -> None:
    assert shortlist(CATALOG, POLICY, "compute a sum").tools[0] == "utils.calculator"
    assert shortlist(CATALOG, POLICY, "find documents").tools[0] == "research.search"


def test_a_task_in_no_word_of_the_catalog_still_has_something_to_choose_from() -> None:
    for text in ("天気はどうですか", "🙂", "the of and", ""):
        shown = shortlist(CATALOG, POLICY, text)
        assert shown.tools
        assert_part_of(shown, CATALOG, POLICY)


@pytest.mark.requirement("PLAN-19")
def test_places_left_over_are_filled_from_the_rest_where_the_model_chooses_freely() -> None:
    text = "latest quote for IBM"
    near = RETRIEVER.shortlist(text, CATALOG, POLICY, size=4, near=1.0)
    filled = RETRIEVER.shortlist(text, CATALOG, POLICY, size=4, near=1.0, fill=True)
    assert filled.tools[: len(near.tools)] == near.tools
    assert len(near.tools) < len(filled.tools) == 4
    assert_part_of(filled, CATALOG, POLICY)


@pytest.mark.requirement("PLAN-20")
@pytest.mark.parametrize("quoted", ['"{}"', "“{}”", "«{}»"])
def test_what_is_quoted_asks_for_nothing_of_its_own(quoted: str) -> None:
    text = f"Write {quoted.format('search the papers. Then the latest price, and a quote')} to notes.md"
    assert len(RETRIEVER.shortlist(text, CATALOG, POLICY, size=4, near=0.9).parts) == 1
    apart = text.translate(str.maketrans("", "", '"“”«»'))
    assert len(RETRIEVER.shortlist(apart, CATALOG, POLICY, size=4, near=0.9).parts) > 1


def test_shortening_ends_at_one_tool_of_the_same_pairs() -> None:
    shown = shortlist(CATALOG, POLICY)
    sizes = [len(shown.tools)]
    for _ in range(6):
        shown = shown.shortened()
        assert_part_of(shown, CATALOG, POLICY)
        sizes.append(len(shown.tools))
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0] > 3, sizes[-1]) == (True, 1)


@pytest.mark.requirement("PLAN-11")
@pytest.mark.parametrize(
    "text",
    [
        *('"', '""', "a OR", "NEAR(a b)", "words:x", "col : x", "a* ^b", "-a", "(", "{a b}: c", "a AND NOT"),
        *("'; DROP TABLE said", "\x00", "\ud800 price", "price\ud800", "_", "ı İ ß", "x" * 32_000),
    ],
)
def test_syntax_of_the_index_is_text_like_any_other(text: str) -> None:
    assert_part_of(RETRIEVER.shortlist(text, CATALOG, POLICY, size=6, near=0.5), CATALOG, POLICY)


TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(["price", "documents", '"', "*", "NEAR", "OR", "and", ",", ". ", "\n", "(", ":", ASKED]),
    max_size=12,
).map(" ".join)


@pytest.mark.requirement("PLAN-11")
@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(1, 8), st.floats(0, 1), st.sets(st.sampled_from([spec.name for spec in TOOLS])))
def test_for_any_text_and_policy_the_shortlist_is_a_part_of_what_is_allowed(
    text: str, size: int, near: float, patterns: set[str]
) -> None:
    policy = ToolPolicy(agents={agent.name: allow(*sorted(patterns)) for agent in AGENTS})
    shown = RETRIEVER.shortlist(text, CATALOG, policy, size=size, near=near)
    assert_part_of(shown, CATALOG, policy)
    assert len(shown.tools) <= size
    assert shown.empty == (not patterns)
