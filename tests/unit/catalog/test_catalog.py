"""The checked set of agents, tools and aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planwarden.catalog.catalog import FALLBACK_AGENT, build_catalog, catalog_problems
from planwarden.configuration.catalog_file import assemble, load_catalog_file
from planwarden.contracts.specs import AgentSpec, ToolSpec
from planwarden.contracts.verdict import Denied
from planwarden.errors import CatalogRejected
from planwarden.tools.builtin import BUILTIN_NAMES, open_builtins
from planwarden.tools.data_sources import open_sources

pytestmark = pytest.mark.requirement("CAT-5")

CLOSED: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def tool(name: str = "a.x", **changes: Any) -> ToolSpec:
    value = {"name": name, "description": "Does it", "effect": "read", "parameters": CLOSED, **changes}
    return ToolSpec.model_validate(value)


def agent(name: str = "agent", *tools: str, **changes: Any) -> AgentSpec:
    return AgentSpec.model_validate({"name": name, "description": "Does it", "tools": tools, **changes})


@pytest.mark.requirement("CAT-1")
def test_the_catalog_that_ships_holds_the_five_agents_and_every_built_in_tool(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    builtins = open_builtins(open_sources([], folder=tmp_path), tmp_path / "workspace", tmp_path / "state")
    world = assemble(load_catalog_file(None), builtins.tools, {}, builtins.unavailable)
    assert set(world.catalog.agents) == {
        "general_agent",
        "research_agent",
        "finance_agent",
        "creative_agent",
        "enterprise_agent",
    }
    assert FALLBACK_AGENT in world.catalog.agents
    network = {"finance.quote", "web.search"}
    shipped = set(BUILTIN_NAMES) - network
    assert set(world.catalog.tools) == set(world.tools) == shipped
    assert set(world.left_out) == network  # off until a server is configured
    for name, spec in world.catalog.agents.items():
        assert name in world.policy.agents
        assert spec.tools
        for own in spec.tools:
            verdict = world.policy.decide(name, own)
            assert not isinstance(verdict, Denied)
            assert verdict.rule in {rule.name for rule in world.policy.agents[name].rules}
    used = {own for spec in world.catalog.agents.values() for own in spec.tools}
    assert used == shipped


@pytest.mark.requirement("CAT-1")
def test_in_the_catalog_that_ships_whatever_has_an_effect_asks_a_person(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    builtins = open_builtins(open_sources([], folder=tmp_path), tmp_path / "workspace", tmp_path / "state")
    world = assemble(load_catalog_file(None), builtins.tools, {}, builtins.unavailable)
    for name, spec in world.catalog.agents.items():
        for own in spec.tools:
            if world.catalog.tools[own].effect != "read":
                assert world.policy.decide(name, own).verdict == "needs_approval"


def test_aliases_in_agents_are_resolved_once_each() -> None:
    catalog = build_catalog([agent("agent", "short", "a.x")], [tool("a.x")], {"short": "a.x"})
    assert catalog.tools_of("agent") == ("a.x",)
    assert (catalog.canonical("short"), catalog.canonical("a.x")) == ("a.x", "a.x")
    assert catalog.canonical("unheard-of") == "unheard-of"
    assert catalog.tools_of("nobody") == ()


@pytest.mark.parametrize(
    ("agents", "tools", "aliases", "path", "says"),
    [
        ([agent("agent", "ghost")], [tool()], {}, ("agents", "agent", "tools", 0), "ghost"),
        ([agent("agent", "a.x", "ghost")], [tool()], {}, ("agents", "agent", "tools", 1), "ghost"),
        ([agent("agent")], [tool()], {}, ("agents", "agent"), "can do nothing"),
        ([agent("agent", "a.x"), agent("agent", "a.x")], [tool()], {}, ("agents", "agent"), "twice"),
        ([], [tool(), tool()], {}, ("tools", "a.x"), "twice"),
        ([], [tool(alternatives=["ghost"])], {}, ("tools", "a.x", "alternatives"), "ghost"),
        ([], [tool(alternatives=["a.x"])], {}, ("tools", "a.x", "alternatives"), "not another tool"),
        ([], [tool(parameters={"type": "object"})], {}, ("tools", "a.x", "parameters"), "closed object"),
        (
            [],
            [tool(parameters={**CLOSED, "properties": {"a": {"type": "nonsense"}}})],
            {},
            ("tools", "a.x", "parameters"),
            "not a JSON Schema",
        ),
        (
            [],
            [tool(output={"$ref": "http://127.0.0.1:9/s.json"})],
            {},
            ("tools", "a.x", "output"),
            "nothing is fetched",
        ),
        ([], [tool()], {"short": "ghost"}, ("aliases", "short"), "ghost"),
        ([], [tool(), tool("b.y")], {"a.x": "b.y"}, ("aliases", "a.x"), "both an alias and a tool"),
    ],
)
def test_each_mistake_is_found_at_its_place_with_a_remedy(
    agents: list[AgentSpec],
    tools: list[ToolSpec],
    aliases: dict[str, str],
    path: tuple[object, ...],
    says: str,
) -> None:
    problem = catalog_problems(agents, tools, aliases)[0]
    assert problem.path == path
    assert says in problem.message
    assert problem.remedy
    with pytest.raises(CatalogRejected) as raised:
        build_catalog(agents, tools, aliases)
    assert ".".join(str(part) for part in path) in raised.value.message
    assert raised.value.remedy == problem.remedy


def test_the_digest_names_the_content_and_its_order_for_the_planner_is_shown_it_in_order() -> None:
    agents, tools = [agent("one", "a.x"), agent("two", "b.y")], [tool("a.x"), tool("b.y")]
    base = build_catalog(agents, tools, {"s": "a.x", "t": "b.y"})
    assert base.digest == build_catalog(agents, tools, {"t": "b.y", "s": "a.x"}).digest
    assert base.digest != build_catalog(agents, tools[::-1], {"t": "b.y", "s": "a.x"}).digest
    assert base.digest != build_catalog(agents[::-1], tools, {"t": "b.y", "s": "a.x"}).digest
    others = [
        build_catalog(agents, tools, {"s": "b.y", "t": "b.y"}),
        build_catalog(agents[:1], tools, {"s": "a.x", "t": "b.y"}),
        build_catalog([agent("one", "b.y"), agents[1]], tools, {"s": "a.x", "t": "b.y"}),
        build_catalog(agents, [tool("a.x", effect="write"), tools[1]], {"s": "a.x", "t": "b.y"}),
        build_catalog(agents, [tool("a.x", description="Other"), tools[1]], {"s": "a.x", "t": "b.y"}),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == len(others) + 1
