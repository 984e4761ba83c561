"""Requests in a conversation: which lean on the one before, and which stand by themselves."""

from __future__ import annotations

import pytest
from planning_world import ASKED, GOOD, make_catalog, make_policy, planner

from planwarden.catalog.catalog import Catalog
from planwarden.configuration.catalog_file import assemble, load_catalog_file
from planwarden.contracts.task import Exchange, Task
from planwarden.errors import PromptTooLong
from planwarden.planning.shortlist import Retriever
from planwarden.policy.rules import ToolPolicy
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.tools.builtin import open_builtins
from planwarden.tools.data_sources import open_sources
from planwarden.tools.grounding import grounded_schema, words_of

PRICE = "What is the latest price of IBM?"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, ToolPolicy]:
    folder = tmp_path_factory.mktemp("world")
    builtins = open_builtins(open_sources([], folder=folder), folder / "workspace", folder / "state")
    assembled = assemble(load_catalog_file(None), builtins.tools, {}, builtins.unavailable)
    return assembled.catalog, assembled.policy


def heard(world: tuple[Catalog, ToolPolicy], *said: str) -> tuple[tuple[str, ...], ...]:
    retriever = Retriever()
    try:
        return retriever.shortlist(said[-1], *world, size=6, near=0.9, earlier=said[:-1]).parts
    finally:
        retriever.close()


@pytest.mark.requirement("CNV-3")
@pytest.mark.parametrize(
    ("said", "tool"),
    [
        ((PRICE, "And for MSFT?"), "finance.snapshot"),
        ((PRICE, "And for MSFT?", "and GOOG?"), "finance.snapshot"),
        ((PRICE, "and how volatile was it?"), "finance.analytics"),
        (("How volatile was AMZN?", "What is its latest price?"), "finance.snapshot"),
        (("What time is it in Tokyo?", "And in Berlin?"), "utils.clock"),
        (("Average price of IBM in 2004", "same for 2005"), "finance.analytics"),
        (("Summarise confidence.md", "And plans.md?"), "research.summarizer"),
    ],
)
def test_a_request_that_leaves_something_out_is_heard_with_the_one_before(
    world: tuple[Catalog, ToolPolicy], said: tuple[str, ...], tool: str
) -> None:
    assert heard(world, *said) == ((tool,),)


@pytest.mark.requirement("CNV-3")
@pytest.mark.parametrize("before", [PRICE, "What time is it in Tokyo?", "Summarise plans.md", "Hello"])
@pytest.mark.parametrize(
    "request_text",
    [
        PRICE,
        "What time is it in Tokyo?",
        "Summarise plans.md",
        "What is 12*7?",
        "Who are you?",
        "What is the latest price of IBM, and then what time is it in Tokyo?",
        "苹果公司的股价是多少?",
    ],
)
def test_a_request_that_says_all_is_heard_as_if_nothing_had_been_said_before(
    world: tuple[Catalog, ToolPolicy], before: str, request_text: str
) -> None:
    assert heard(world, before, request_text) == heard(world, request_text)


def offered(world: tuple[Catalog, ToolPolicy], tool: str, *said: str) -> dict[str, list[object]]:
    spec = world[0].tools[tool]
    narrowed = grounded_schema(spec.parameters, said[-1], said[-2::-1], words_of(spec))
    properties: dict[str, dict[str, list[object]]] = narrowed["properties"]  # type: ignore[assignment]
    return {name: wanted["enum"] for name, wanted in properties.items()}


@pytest.mark.requirement("ARG-3")
def test_what_a_request_lacks_is_taken_from_the_newest_that_names_it(
    world: tuple[Catalog, ToolPolicy],
) -> None:
    how = "and how volatile was it?"
    assert offered(world, "finance.analytics", PRICE, how)["symbol"] == ["IBM"]
    newer = offered(world, "finance.analytics", PRICE, "And for MSFT?", how)
    assert newer == {"symbol": ["MSFT"], "measure": ["volatility"]}


@pytest.mark.requirement("ARG-3")
def test_what_a_request_names_is_never_replaced(world: tuple[Catalog, ToolPolicy]) -> None:
    assert offered(world, "finance.snapshot", PRICE, "And for MSFT?") == {"symbol": ["MSFT"]}
    said = ("Average price of IBM in 2004", "Average price of GOOG in 2008")
    assert offered(world, "finance.analytics", *said)["start_year"] == [2008]
    alone = offered(world, "finance.analytics", "Average price of IBM in 2004", "How volatile was GOOG?")
    assert set(alone) == {"symbol", "measure"}


@pytest.mark.requirement("ARG-3")
def test_optional_values_come_along_only_with_a_required_one(world: tuple[Catalog, ToolPolicy]) -> None:
    got = offered(world, "finance.analytics", "Average price of Google in 2008", "And for MSFT?")
    assert got == {"symbol": ["MSFT"], "measure": ["average"], "start_year": [2008]}


@pytest.mark.requirement("ARG-3")
def test_a_word_that_nothing_knows_may_be_the_value_so_none_is_taken_over(
    world: tuple[Catalog, ToolPolicy],
) -> None:
    assert len(offered(world, "finance.snapshot", PRICE, "And Apple?")["symbol"]) > 1
    assert offered(world, "finance.snapshot", PRICE, "And Amazon?")["symbol"] == ["AMZN"]


def exchanges(*said: str) -> tuple[Exchange, ...]:
    return tuple(
        Exchange(role="assistant" if place % 2 else "user", content=text) for place, text in enumerate(said)
    )


@pytest.mark.anyio
@pytest.mark.requirement("CNV-4")
async def test_the_oldest_turns_are_dropped_before_tools_when_the_server_says_it_does_not_fit() -> None:
    too_long = PromptTooLong("The prompt has 9999 tokens.", remedy="Shorten it.")
    said = exchanges("one", "1", "two", "2", "three", "3", "four", "4")
    task = Task(prompt=ASKED, exchanges=said, turns_left_out=2)
    with ScriptedLLM(too_long, too_long, GOOD) as llm:
        working = planner(llm)
        planning = await working.plan(task, make_catalog(), make_policy())
        working.close()
    assert [asked.turns_left_out for asked in planning.exchanges] == [2, 4, 5]
    prompts = [request.messages[-1].content for request in llm.requests]
    assert ["Earlier request: two" in prompt for prompt in prompts] == [True, False, False]
    assert all("Earlier request: four" in prompt for prompt in prompts)
    assert llm.requests[0].messages[0] == llm.requests[2].messages[0]  # the same tools are shown


@pytest.mark.anyio
@pytest.mark.requirement("CNV-4")
async def test_only_what_the_planners_context_holds_is_told() -> None:
    said = exchanges(*(f"turn {place // 2} " * 12 for place in range(60)))
    with ScriptedLLM(GOOD) as llm:
        working = planner(llm, num_ctx=2_048)
        planning = await working.plan(Task(prompt=ASKED, exchanges=said), make_catalog(), make_policy())
        working.close()
    told = llm.requests[0].messages[-1].content
    left_out = planning.exchanges[0].turns_left_out
    assert 0 < left_out < 29
    assert f"turn {left_out - 1} " not in told
    assert all(f"turn {number} turn {number}" in told for number in range(left_out, 30))
