"""The prompt: static part first, in the catalog's order, within its budget."""

from __future__ import annotations

import pytest
from planning_world import ASKED, make_catalog, make_policy

from planwarden.contracts.task import Task
from planwarden.llm.fitting import tokens
from planwarden.planning.attempt import PlannerSettings, bounds_of, shown_to_model
from planwarden.planning.prior import PriorRequest
from planwarden.planning.prompt import LEAST_TOOLS, PER_BYTE, PromptSpec, build_prompt, short, within_budget
from planwarden.planning.retrieval_prior import RetrievalPrior

pytestmark = pytest.mark.requirement("NOTE-6")

CATALOG, POLICY = make_catalog(), make_policy()


def spec_of(text: str = ASKED, **knobs: object) -> PromptSpec:
    source = RetrievalPrior()
    prior = source.prior(PriorRequest(text=text, catalog=CATALOG, policy=POLICY))
    source.close()
    settings = PlannerSettings(**{"mode": "model", **knobs})  # pyright: ignore[reportArgumentType] - knobs by name
    return shown_to_model(prior, CATALOG, bounds_of(CATALOG, POLICY, 4), settings)


def cost(spec: PromptSpec) -> int:
    messages = build_prompt(Task(prompt="-"), CATALOG, spec)[:-1]
    return sum(tokens(message.content, PER_BYTE) for message in messages)


def test_the_instruction_and_the_tools_come_first_and_the_request_last() -> None:
    prompt = build_prompt(Task(prompt=ASKED), CATALOG, spec_of(examples=2))
    assert [message.role for message in prompt] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert prompt[-1].content == ASKED
    lines = prompt[0].content.splitlines()[1:]
    assert [line.split(":")[0] for line in lines] == list(CATALOG.tools)
    assert all(message.content.startswith('{"plan":["') for message in prompt if message.role == "assistant")


def test_the_same_tools_make_the_same_beginning_whatever_is_asked() -> None:
    one, other = (
        build_prompt(Task(prompt=text), CATALOG, spec_of(text, examples=0))
        for text in (ASKED, "file time sum documents history quote price common")
    )
    assert one[0] == other[0]


def test_past_the_budget_descriptions_are_shortened_then_examples_go_then_the_least_likely_tools() -> None:
    whole = spec_of(examples=3)
    roomy = within_budget(whole, CATALOG, 2_000)
    assert roomy == whole
    tighter = within_budget(whole, CATALOG, cost(whole) - 1)
    assert tighter.offer == whole.offer
    assert len(tighter.examples) < len(whole.examples)
    bare = PromptSpec(offer=whole.offer, examples=(), ranked=whole.ranked, description_chars=26)
    tight = within_budget(whole, CATALOG, cost(bare) - 1)
    assert tight.examples == ()
    assert set(tight.offer.by_name) < set(whole.offer.by_name)
    assert set(tight.offer.by_name) == set(whole.ranked[: len(tight.offer.tools)])
    assert cost(tight) <= cost(bare) - 1
    assert len(within_budget(whole, CATALOG, 1).offer.tools) == LEAST_TOOLS


def test_examples_are_only_of_tools_that_are_shown() -> None:
    spec = spec_of(examples=4, shortlist=3)
    assert spec.examples
    for example in spec.examples:
        assert {item.tool for item in example.items} <= set(spec.offer.by_name)
    assert all(
        {item.tool for item in example.items} <= set(spec.halved().offer.by_name)
        for example in spec.halved().examples
    )


def test_a_description_is_cut_at_a_word() -> None:
    assert short("Look up a price. And more.", 40) == "Look up a price"
    assert short("Look up a price, quickly", 18) == "Look up a price…"
