from __future__ import annotations

import json
import math
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.catalog.catalog import catalog_problems
from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.value import Json
from planwarden.contracts.verdict import Allowed, Denied, NeedsApproval
from planwarden.evaluation.soak.breaking.brought import can_bring, good_plan, wrong_plan
from planwarden.evaluation.soak.chance import chance
from planwarden.evaluation.soak.judging.oracle import plan_faults
from planwarden.evaluation.soak.world.archetypes import ARCHETYPES
from planwarden.evaluation.soak.world.making import make_world, request_in
from planwarden.evaluation.soak.world.parameters import NOTE, breaking, fits, fitting, schema_of
from planwarden.planning.validate import PlanLimits, plan_issues, read_plan

pytestmark = pytest.mark.requirement("SOAK-7")

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 1_100),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(["Monday", "IBM", "open", "", "x" * 40, "x" * 41, "none of these"]),
    st.lists(st.integers(), max_size=2),
)


@given(st.sampled_from(ARCHETYPES), st.data())
def test_the_oracle_reads_parameters_as_the_product_reads_their_schema(
    tool: Any, data: st.DataObject
) -> None:
    names = [*(param.name for param in tool.params), "override"]
    given_ = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=4))
    base: Mapping[str, Json] = data.draw(st.sampled_from([{}, fitting(tool.params, Random(7), "a note")]))
    arguments = {**base, **given_}
    assert fits(tool.params, arguments) == (not schema_problems(schema_of(tool.params), arguments))


@given(st.sampled_from(ARCHETYPES), st.integers(0, 10_000))
def test_arguments_made_to_fit_fit_and_those_made_to_break_do_not(tool: Any, seed: int) -> None:
    good, bad = fitting(tool.params, chance(seed), "n"), breaking(tool.params, chance(seed), "n")
    assert not schema_problems(schema_of(tool.params), good)
    assert schema_problems(schema_of(tool.params), bad)
    assert good[NOTE] == bad[NOTE] == "n"


@given(st.integers(0, 10_000))
def test_a_world_is_a_sound_catalog_whose_policy_says_what_its_table_says(seed: int) -> None:
    world = make_world(chance(seed))
    assert catalog_problems(world.catalog.agents.values(), world.catalog.tools.values(), {}) == ()
    says = {"allow": Allowed, "ask": NeedsApproval, "deny": Denied}
    for agent, own in world.held.items():
        for tool in own:
            grant = world.grant(agent, tool)
            verdict = world.policy.decide(agent, tool)
            assert isinstance(verdict, says[grant.says])
            if grant.ceiling is not None:
                assert isinstance(world.policy.decide(agent, tool, {"n": grant.ceiling}), Allowed)
                assert isinstance(world.policy.decide(agent, tool, {"n": grant.ceiling + 1}), Denied)


@given(st.integers(0, 10_000))
def test_the_same_numbers_make_the_same_world_and_request(seed: int) -> None:
    first, again = make_world(chance(seed)), make_world(chance(seed))
    assert first == again
    assert request_in(first, chance(seed)) == request_in(again, chance(seed))


@given(st.integers(0, 2_000))
def test_a_plan_that_is_brought_is_lawful_and_one_that_must_not_be_is_not(seed: int) -> None:
    world, rng = make_world(chance(seed)), chance(seed, "plan")
    if not can_bring(world):
        return
    plan = read_plan(good_plan(world, rng))
    assert isinstance(plan, PlannerPlan)
    assert plan_faults(world, plan) == ()
    assert plan_issues(plan, world.catalog, world.policy, PlanLimits()) == ()
    denied = read_plan(wrong_plan("brought_plan_denied", world, rng))
    assert isinstance(denied, PlannerPlan)
    assert plan_faults(world, denied)
    assert not isinstance(read_plan(wrong_plan("brought_plan_cycle", world, rng)), PlannerPlan)
    assert len(json.loads(wrong_plan("brought_plan_oversize", world, rng))["steps"]) == 13


def test_a_number_is_whole_or_does_not_fit() -> None:
    [add] = [tool for tool in ARCHETYPES if tool.name == "sums.add"]
    assert fits(add.params, {"first": 2.0, "second": 3})
    assert not fits(add.params, {"first": 2.5, "second": 3})
    assert not fits(add.params, {"first": True, "second": 3})
    assert not fits(add.params, {"first": math.inf, "second": 3})
