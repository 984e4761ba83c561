"""The notation: the schema accepts what is read, and nothing else; no name outside can be said."""

from __future__ import annotations

import itertools
import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from planning_world import GOOD_STEP, allow, make_catalog, make_policy, shortlist, wire, wire_step

from planwarden.contracts.json_schema import schema_fault
from planwarden.planning.notation import MAX_REASON_CHARS, WaysOut, WirePlan, read_wire, wire_schema

pytestmark = pytest.mark.requirement("PLAN-2")

SHOWN = shortlist(make_catalog(), make_policy(writing_agent=allow()))
WAYS = WaysOut(answer=True, ask=True)
NO_WAY = WaysOut(answer=False, ask=False)
SCHEMA = wire_schema(SHOWN, WAYS, max_agents=3)


def accepted(value: object, schema: dict[str, Any] | None = None) -> bool:
    used = schema or SCHEMA
    by_schema = cast("bool", cast("Any", Draft202012Validator(used)).is_valid(value))
    read = read_wire(value, used)
    assert isinstance(read, WirePlan) == by_schema
    return by_schema


def steps(*each: dict[str, object]) -> Any:
    return json.loads(wire(*each))


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("ways", [WAYS, NO_WAY])
def test_every_schema_of_a_request_is_a_json_schema(ways: WaysOut, guided: bool) -> None:
    assert schema_fault(wire_schema(SHOWN, ways, max_agents=2, guided=guided)) is None


@pytest.mark.parametrize(
    "value",
    [
        steps(wire_step("ghost", "finance.snapshot")),
        steps(wire_step("finance_agent", "ghost.tool")),
        steps(wire_step("finance_agent", "research.search")),
        steps(wire_step("writing_agent", "files.write")),
        steps(wire_step("finance_agent", "finance.snapshot", fallback=["research.search"])),
        steps(wire_step("finance_agent", "Finance.Snapshot")),
        steps(wire_step("finance_agent", "finance.snapshot ")),
        steps(GOOD_STEP | {"override": True}),
        steps({key: value for key, value in GOOD_STEP.items() if key != "reason"}),
        steps(wire_step("finance_agent")),
        steps(wire_step("finance_agent", *["finance.snapshot"] * 4)),
        steps(wire_step("finance_agent", "finance.snapshot", reason="x" * (MAX_REASON_CHARS + 1))),
        steps(*[GOOD_STEP] * 4),
        steps(),
        {"none": "stop"},
        {"none": "ask", "steps": []},
        {},
    ],
)
def test_what_is_outside_the_notation_is_refused_with_its_place(value: object) -> None:
    assert not accepted(value)
    problems = read_wire(value, SCHEMA)
    assert not isinstance(problems, WirePlan)
    assert problems
    assert all(": " in problem for problem in problems)


def test_what_is_shown_can_be_said() -> None:
    for agent, tools in SHOWN.agents.items():
        for tool in tools:
            assert accepted(steps(wire_step(agent, tool)))
    assert all(accepted({"none": name}) for name in WAYS.names)


def test_a_way_out_is_in_the_notation_only_when_offered() -> None:
    for answer, ask in itertools.product([False, True], repeat=2):
        schema = wire_schema(SHOWN, WaysOut(answer=answer, ask=ask), max_agents=2)
        assert accepted({"none": "answer"}, schema) == answer
        assert accepted({"none": "ask"}, schema) == ask
        assert accepted(steps(GOOD_STEP), schema)


def test_no_more_steps_than_agents_are_allowed() -> None:
    two = steps(GOOD_STEP, wire_step("research_agent", "research.search"))
    assert accepted(two, wire_schema(SHOWN, WAYS, max_agents=2))
    assert not accepted(two, wire_schema(SHOWN, WAYS, max_agents=1))


def test_lists_of_tools_are_sets_and_a_step_said_twice_counts_once() -> None:
    said = wire_step("finance_agent", "finance.snapshot", "finance.snapshot", fallback=["finance.snapshot"])
    read = read_wire(steps(said, said), SCHEMA)
    assert isinstance(read, WirePlan)
    assert [(step.tools, step.fallback_tools) for step in read.steps] == [(("finance.snapshot",), ())]


NAMES = st.sampled_from(
    [
        "finance_agent",
        "research_agent",
        "ghost",
        "finance.snapshot",
        "research.search",
        "ask",
        "sequential",
        "",
    ]
)
SOMETHING = st.fixed_dictionaries(
    {},
    optional={
        "steps": st.lists(
            st.fixed_dictionaries(
                {
                    "agent": NAMES,
                    "tools": st.lists(NAMES, max_size=4),
                    "fallback_tools": st.lists(NAMES, max_size=3),
                    "reason": st.text(max_size=70) | st.none(),
                },
            ),
            max_size=4,
        )
        | st.none(),
        "handoff": st.sampled_from(["sequential", "parallel", "x"]) | st.integers(),
        "none": NAMES,
        "extra": NAMES,
    },
)


@settings(max_examples=200, deadline=None)
@given(SOMETHING | st.none() | st.lists(NAMES) | NAMES)
def test_exactly_what_the_schema_accepts_is_read_and_names_only_what_is_shown(value: object) -> None:
    if not accepted(value):
        return
    read = read_wire(value, SCHEMA)
    assert isinstance(read, WirePlan)
    for step in read.steps:
        assert set(step.tools) <= set(SHOWN.agents[step.agent])
        assert set(step.fallback_tools) <= set(SHOWN.stand_ins[step.agent])
