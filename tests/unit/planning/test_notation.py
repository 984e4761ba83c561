"""The notation: the schema accepts what is read, and nothing else; no name outside can be said."""

from __future__ import annotations

import itertools
import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from planning_world import AGENTS, TOOLS, allow, make_catalog, make_policy, offer, tool, wire

from planwarden.contracts.json_schema import schema_fault
from planwarden.contracts.specs import AgentSpec
from planwarden.planning.attempt import offered_ways_out
from planwarden.planning.notation.item import read_item, write_item, write_plan
from planwarden.planning.notation.offer import MAX_ITEMS, MAX_SPELLINGS, Offer, OfferedTool, WaysOut
from planwarden.planning.notation.reading import MAX_REPEATS, WirePlan, read_wire
from planwarden.planning.notation.schema import MAX_REASON_CHARS, wire_schema
from planwarden.planning.prior import PlanItem

pytestmark = pytest.mark.requirement("NOTE-1")

WAYS = WaysOut(answer=True, ask=True)
NO_WAY = WaysOut(answer=False, ask=False)
SHARED = make_catalog(
    (*AGENTS, AgentSpec(name="desk_agent", description="Desk", tools=("finance.snapshot", "finance.analytics",
                                                                      "research.search"))),
    (
        tool("finance.snapshot", "Common price quote", alternatives=["finance.analytics"]),
        tool("finance.analytics", "Common price history"),
        tool(
            "research.search",
            "Common documents to find",
            alternatives=["finance.snapshot", "finance.analytics"],
        ),
        *TOOLS[3:],
    ),
)  # fmt: skip
SHOWN = offer(SHARED, make_policy(writing_agent=allow(), desk_agent=allow("*"), research_agent=allow()))
SCHEMA = wire_schema(SHOWN, with_reason=True)


def accepted(value: object, shown: Offer = SHOWN, *, with_reason: bool = False) -> bool:
    schema = wire_schema(shown, with_reason=with_reason)
    by_schema = cast("bool", cast("Any", Draft202012Validator(schema)).is_valid(value))
    read = read_wire(value, schema, shown)
    assert isinstance(read, WirePlan) == by_schema
    return by_schema


def plan(*items: str, **more: object) -> Any:
    return json.loads(wire(*items, **more))


def read(*items: str, shown: Offer = SHOWN) -> WirePlan:
    found = read_wire(plan(*items), wire_schema(shown), shown)
    assert isinstance(found, WirePlan)
    return found


def test_the_world_of_these_tests_has_every_part_of_an_item() -> None:
    assert SHOWN.by_name["finance.snapshot"].agents == ("finance_agent", "desk_agent")
    assert SHOWN.by_name["research.search"].stand_ins == ("finance.snapshot", "finance.analytics")
    assert "files.write" not in SHOWN.by_name


@pytest.mark.parametrize("with_reason", [False, True])
@pytest.mark.parametrize("ways", [WAYS, NO_WAY])
def test_every_schema_of_a_request_is_a_json_schema(ways: WaysOut, with_reason: bool) -> None:
    shown = Offer(tools=SHOWN.tools, ways_out=ways)
    assert schema_fault(wire_schema(shown, with_reason=with_reason)) is None
    assert schema_fault(wire_schema(Offer(tools=(), ways_out=WAYS))) is None


@pytest.mark.requirement("NOTE-4")
def test_a_schema_holds_only_what_servers_make_grammars_of() -> None:
    def keywords(part: object) -> set[str]:
        if isinstance(part, list):
            return set[str]().union(*map(keywords, cast("list[object]", part)))
        if not isinstance(part, dict):
            return set()
        inside = cast("dict[str, object]", part)
        named = {"properties", "$defs"} & inside.keys()
        below = [cast("dict[str, object]", inside[name]).values() for name in named]
        others = [value for key, value in inside.items() if key not in named | {"enum"}]
        return set(inside).union(*map(keywords, [*itertools.chain(*below), *others]))

    assert keywords(SCHEMA) == {
        "$defs", "$ref", "additionalProperties", "anyOf", "enum", "maxItems", "maxLength", "minItems",
        "prefixItems", "properties", "required", "type",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (plan("ghost.tool"), "plan[0]: there is no tool 'ghost.tool' here"),
        (plan("utils.clock", "files.write"), "plan[1]: there is no tool 'files.write' here"),
        (plan("Utils.Clock"), "plan[0]: there is no tool 'Utils.Clock' here"),
        (plan("utils.clock "), "plan[0]: there is no tool 'utils.clock ' here"),
        (plan("finance.snapshot"), "plan[0]: name the agent, as in finance_agent/finance.snapshot"),
        (plan("research_agent/finance.snapshot"), "plan[0]: name the agent"),
        (plan("general_agent/utils.clock"), "plan[0]: no agent stands before 'utils.clock'"),
        (plan("utils.clock|utils.calculator"), "plan[0]: 'utils.calculator' cannot stand in"),
        (plan("utils.clock<1"), "plan[0]: only the result of an earlier step can be used"),
        (plan("utils.clock", "utils.calculator<2"), "plan[1]: only the result of an earlier step"),
        (plan("utils.clock", "utils.calculator<1<1"), "plan[1]: 'utils.calculator<1<1' cannot stand here"),
        (plan("utils.clock", "none"), "plan[1]: 'none' stands alone in a plan"),
        (plan(*["utils.clock"] * (MAX_ITEMS + 1)), f"plan: {MAX_ITEMS + 1} items"),
        (plan(), "plan: write"),
        ({"plan": "utils.clock"}, "plan: write"),
        ({"plan": [7]}, "plan[0]: an item is a text"),
        ({"none": "ask"}, "plan: write"),
        ({}, "plan: write"),
        ([], "plan: write"),
        (None, "plan: write"),
    ],
)  # fmt: skip
@pytest.mark.requirement("NOTE-5")
def test_what_is_outside_the_notation_is_refused_with_its_precise_fault(value: object, fault: str) -> None:
    assert not accepted(value)
    problems = read_wire(value, wire_schema(SHOWN), SHOWN)
    assert not isinstance(problems, WirePlan)
    assert problems[0].startswith(fault)


def test_unknown_fields_and_over_long_reasons_are_refused() -> None:
    for value in (plan("utils.clock", override=True), plan("utils.clock", why="x")):
        assert not accepted(value)
    assert accepted(plan("utils.clock", why="x" * MAX_REASON_CHARS), with_reason=True)
    assert not accepted(plan("utils.clock", why="x" * (MAX_REASON_CHARS + 1)), with_reason=True)
    assert not accepted(plan("utils.clock"), with_reason=True)


def test_what_is_shown_can_be_said() -> None:
    for each in SHOWN.tools:
        prefix = f"{each.agents[0]}/" if each.several_agents else ""
        assert accepted(plan(f"{prefix}{each.name}"))
    assert accepted(plan("utils.clock", "utils.calculator<1", "research.search|finance.analytics<1<2"))
    assert all(accepted(plan(name)) for name in WAYS.names)


def test_every_item_at_every_place_reads_back_as_what_it_spells() -> None:
    for place in range(MAX_ITEMS):
        for spelled, item in SHOWN.items(place).items():
            assert read_item(spelled) == item
            assert write_item(item) == spelled
            assert all(1 <= use <= place for use in item.uses)
    assert SHOWN.items(MAX_ITEMS) == {}


@pytest.mark.requirement("NOTE-2")
def test_a_plan_read_back_uses_only_results_of_earlier_steps() -> None:
    found = read("utils.clock", "utils.calculator<1", "utils.clock<1<2")
    assert [item.uses for item in found.items] == [(), (1,), (1, 2)]


def test_a_way_out_is_in_the_notation_only_when_offered() -> None:
    for answer, ask in itertools.product([False, True], repeat=2):
        shown = Offer(tools=SHOWN.tools, ways_out=WaysOut(answer=answer, ask=ask))
        assert accepted(plan("none"), shown) == answer
        assert accepted(plan("ask"), shown) == ask
        assert accepted(plan("utils.clock"), shown)
        if answer:
            assert read("none", shown=shown).way_out == "none"


def test_a_word_that_is_a_tools_own_name_is_no_way_out() -> None:
    agents = (AGENTS[0].model_copy(update={"tools": ("none",)}),)
    catalog = make_catalog(agents, (tool("none", "Common nothing"),))
    policy = make_policy(general_agent=allow("none", answer=True))
    assert offered_ways_out(catalog, policy) == WaysOut(answer=False, ask=True)
    shown = offer(catalog, policy, "common nothing")
    assert [item.tool for item in read("none", shown=shown).items] == ["none"]


@pytest.mark.requirement("NOTE-3")
def test_a_tool_may_come_again_but_a_model_that_runs_in_circles_is_cut_short() -> None:
    found = read(*["utils.clock"] * 4, "utils.calculator<4", "utils.calculator<3")
    assert [item.tool for item in found.items] == ["utils.clock"] * MAX_REPEATS + ["utils.calculator"] * 2
    assert [item.uses for item in found.items] == [(), (), (), (), (3,)]
    assert found.kept == (0, 1, 2, 4, 5)
    assert len(found.written) == MAX_ITEMS


@pytest.mark.requirement("NOTE-4")
@pytest.mark.parametrize("tools", [1, 8, 64])
def test_no_place_has_more_spellings_than_a_grammar_can_bear(tools: int) -> None:
    shown = Offer(
        tools=tuple(
            OfferedTool(name=f"t{number}", agents=("a", "b"), stand_ins=("x", "y")) for number in range(tools)
        ),
        ways_out=WAYS,
    )
    for place in range(MAX_ITEMS):
        items = shown.items(place)
        assert len(items) <= MAX_SPELLINGS
        assert {item.tool for item in items.values()} == set(shown.by_name)


def test_a_plan_is_written_without_free_white_space() -> None:
    items = [PlanItem(tool="get_joke"), PlanItem(tool="encrypt_data", uses=(1,))]
    assert write_plan(items) == '{"plan":["get_joke","encrypt_data<1"]}'
    assert write_plan((), why="nothing") == '{"plan":["none"],"why":"nothing"}'


SPELLED = st.sampled_from([*SHOWN.items(0), *SHOWN.items(2), "none", "ask", "ghost", "", "utils.clock<9"])
SOMETHING = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.lists(SPELLED | st.none() | st.text(max_size=12), max_size=8) | SPELLED,
        "why": st.text(max_size=70) | st.none(),
        "extra": SPELLED,
    },
)


@settings(max_examples=200, deadline=None)
@given(SOMETHING | st.none() | st.lists(SPELLED) | SPELLED)
def test_exactly_what_the_schema_accepts_is_read_and_names_only_what_is_shown(value: object) -> None:
    if not accepted(value):
        return
    found = read_wire(value, wire_schema(SHOWN), SHOWN)
    assert isinstance(found, WirePlan)
    assert bool(found.items) != (found.way_out is not None)
    for item in found.items:
        shown = SHOWN.by_name[item.tool]
        assert item.agent in (shown.agents if shown.several_agents else (None,))
        assert item.fallback in (None, *shown.stand_ins)
