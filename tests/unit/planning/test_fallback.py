"""The fallback plan: one step of `general_agent`, itself restricted by policy."""

from __future__ import annotations

import pytest
from planning_world import AGENTS, allow, make_catalog, make_policy

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.plan import PlannerPlan, Refusal
from planwarden.planning.fallback import build_fallback_plan
from planwarden.planning.validate import PlanLimits, plan_issues
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

pytestmark = pytest.mark.requirement("PLAN-4")

CATALOG = make_catalog()
REFUSALS = (Refusal(rung="parse", reason="not_json", message="not JSON"),)


def fallback(
    policy: ToolPolicy, catalog: Catalog = CATALOG, ranked: tuple[str, ...] = ()
) -> PlannerPlan | None:
    plan = build_fallback_plan(catalog, policy, ranked, REFUSALS)
    if plan is not None:
        assert plan_issues(plan, catalog, policy, PlanLimits()) == ()
        assert len(plan.steps) == 1
        assert plan.steps[0].agent == "general_agent"
        assert plan.metadata.source == "fallback"
        assert plan.metadata.refusals == REFUSALS
        assert plan.metadata.catalog_digest == catalog.digest
        assert plan.metadata.policy_digest == policy.digest
        assert (plan.confidence, plan.metadata.confidence_method.method) == (0.0, "none")
    return plan


def test_where_it_may_the_agent_answers_without_tools_marked_as_such() -> None:
    plan = fallback(make_policy())
    assert plan is not None
    assert plan.steps[0].tools == ()
    assert plan.metadata.way_out == "answer_without_tools"


def test_else_it_gets_the_best_ranked_reading_tool_that_it_may_call() -> None:
    policy = make_policy(general_agent=allow("utils.*"))
    ranked = ("finance.snapshot", "utils.clock", "utils.calculator")
    plan = fallback(policy, ranked=ranked)
    assert plan is not None
    assert (plan.steps[0].tools, plan.steps[0].fallback_tools) == (("utils.clock",), ("utils.calculator",))
    assert plan.metadata.way_out is None


def test_the_policy_restricts_it_like_any_plan() -> None:
    plan = fallback(make_policy(general_agent=allow("utils.calculator")), ranked=("utils.clock",))
    assert plan is not None
    assert (plan.steps[0].tools, plan.steps[0].fallback_tools) == (("utils.calculator",), ())


def test_the_catalog_can_forbid_what_policy_would_allow() -> None:
    agents = [AGENTS[0].model_copy(update={"may_answer_without_tools": False}), *AGENTS[1:]]
    plan = fallback(make_policy(), make_catalog(agents))
    assert plan is not None
    assert plan.steps[0].tools


def test_nothing_with_an_effect_is_ever_a_fallback() -> None:
    agents = [AGENTS[0].model_copy(update={"tools": ("files.write",)}), *AGENTS[1:]]
    assert fallback(make_policy(general_agent=allow("*")), make_catalog(agents)) is None


@pytest.mark.parametrize(
    "policy",
    [
        ToolPolicy(),
        make_policy(general_agent=AgentPolicy()),
        make_policy(
            general_agent=AgentPolicy(
                rules=(
                    Rule(name="no", says="deny", tools=("*",)),
                    Rule(name="yes", says="allow", tools=("*",)),
                )
            )
        ),
    ],
)
def test_where_policy_leaves_nothing_there_is_no_plan(policy: ToolPolicy) -> None:
    assert fallback(policy) is None


def test_a_catalog_without_the_agent_has_no_fallback() -> None:
    assert fallback(make_policy(), make_catalog(AGENTS[1:])) is None
