"""Catalog ∩ policy: what the policy says of each tool, worked out once for the same digests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.catalog.catalog import Catalog, build_catalog
from planwarden.contracts.specs import AgentSpec, JsonSchema, ToolSpec
from planwarden.contracts.verdict import Denied
from planwarden.planning.permitted import permitted
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

pytestmark = pytest.mark.requirement("RANK-12")

TOOLS = tuple(f"t{number}" for number in range(6))
CLOSED: JsonSchema = {"type": "object", "properties": {}, "additionalProperties": False}
AGENTS = ("one", "two")
own_tools = st.lists(st.sampled_from(TOOLS), min_size=1, unique=True).map(tuple)
rules = st.lists(
    st.builds(
        Rule,
        name=st.just("r"),
        says=st.sampled_from(("allow", "deny", "ask")),
        tools=st.lists(st.sampled_from((*TOOLS, "t*", "*")), min_size=1).map(tuple),
    ),
    max_size=3,
).map(tuple)


def catalog_with(tools: tuple[str, ...], more: tuple[str, ...]) -> Catalog:
    specs = [ToolSpec(name=name, description="Works", effect="read", parameters=CLOSED) for name in TOOLS]
    held = zip(AGENTS, (tools, more), strict=True)
    return build_catalog(
        [AgentSpec(name=agent, description="Works", tools=own) for agent, own in held], specs
    )


@given(own_tools, own_tools, rules, rules)
def test_it_is_what_the_policy_says_of_each_tool_of_each_agent(
    tools: tuple[str, ...], more: tuple[str, ...], first: tuple[Rule, ...], second: tuple[Rule, ...]
) -> None:
    catalog = catalog_with(tools, more)
    policy = ToolPolicy(agents={"one": AgentPolicy(rules=first), "two": AgentPolicy(rules=second)})
    found = permitted(catalog, policy)
    asked = {
        agent: tuple(tool for tool in own if not isinstance(policy.decide(agent, tool), Denied))
        for agent, own in (("one", tools), ("two", more))
    }
    assert dict(found.pairs) == {agent: own for agent, own in asked.items() if own}
    assert {agent: tuple(own) for agent, own in found.own.items()} == dict(found.pairs)
    assert set(found.usable) == {tool for own in asked.values() for tool in own}
    assert all(found.has(tool) == (tool in found.usable) for tool in TOOLS)


def test_the_same_digests_are_asked_about_once_and_another_policy_anew() -> None:
    allow = AgentPolicy(rules=(Rule(name="all", says="allow", tools=("*",)),))
    policy = ToolPolicy(agents={"one": allow})
    first = permitted(catalog_with(TOOLS, TOOLS), policy)
    assert permitted(catalog_with(TOOLS, TOOLS), ToolPolicy(agents={"one": allow})) is first
    assert permitted(catalog_with(TOOLS[::-1], TOOLS), policy).pairs == {"one": TOOLS[::-1]}
    assert permitted(catalog_with(TOOLS, TOOLS), ToolPolicy()).pairs == {}
