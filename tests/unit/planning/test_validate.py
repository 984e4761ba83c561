"""Reading and judging plans: only plans that may be followed get through, all else is a typed refusal."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_world import AGENTS, allow, make_catalog, make_policy, plan, step

from planwarden.contracts.plan import PlannerPlan, Refusal
from planwarden.contracts.specs import AgentSpec
from planwarden.errors import PlanRejected
from planwarden.planning.validate import MAX_PLAN_BYTES, PlanLimits, canonical_plan, plan_issues, read_plan
from planwarden.policy.rules import AgentPolicy, ToolPolicy

pytestmark = pytest.mark.requirement("PLAN-9")

CATALOG = make_catalog(quote="finance.snapshot")
POLICY = make_policy()

VALID: dict[str, Any] = {
    "schema_version": 2,
    "steps": [
        {
            "id": "s1",
            "agent": "finance_agent",
            "tools": ["finance.snapshot"],
            "fallback_tools": ["finance.analytics"],
            "depends_on": [],
            "reason": "look up the current quote",
            "confidence": 0.91,
        },
        {
            "id": "s2",
            "agent": "research_agent",
            "tools": ["research.search"],
            "depends_on": ["s1"],
            "bindings": [
                {
                    "tool": "research.search",
                    "arguments": {
                        "word": {
                            "kind": "reference",
                            "step": "s1",
                            "tool": "finance.snapshot",
                            "pointer": "/a",
                        },
                        "count": {"kind": "literal", "value": 3},
                    },
                }
            ],
        },
    ],
    "metadata": {"handoff_strategy": "sequential", "source": "planner"},
    "confidence": 0.88,
}


def with_value(path: str, value: object) -> str:
    """Write the valid plan with one part set."""
    keys: list[str | int] = [int(key) if key.isdigit() else key for key in path.split(".")]
    changed: Any = copy.deepcopy(VALID)
    place = changed
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return json.dumps(changed)


def replaced(path: str, value: str) -> str:
    """Write the valid plan with one value replaced by raw text."""
    return with_value(path, "@@").replace('"@@"', value)


def refused(text: str | bytes) -> Refusal:
    read = read_plan(text)
    assert isinstance(read, Refusal), read
    assert read.message
    return read


def test_the_designs_own_example_is_read() -> None:
    read = read_plan(json.dumps(VALID))
    assert isinstance(read, PlannerPlan)
    assert (read.steps[0].confidence, read.confidence) == (0.91, 0.88)
    assert plan_issues(read, CATALOG, POLICY, PlanLimits()) == ()


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1.01", "-0.01", "true", '"0.5"', "null"]
)
@pytest.mark.parametrize("path", ["confidence", "steps.0.confidence"])
def test_a_confidence_is_a_finite_number_within_0_to_1(path: str, number: str) -> None:
    assert refused(replaced(path, number)).rung == "schema"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_literal_that_no_digest_could_name_is_refused(number: str) -> None:
    path = "steps.1.bindings.0.arguments.count.value"
    assert refused(replaced(path, number)).rung == "schema"
    assert isinstance(read_plan(replaced(path, "1e308")), PlannerPlan)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("schema_version", "1", "schema_version"),
        ("schema_version", "true", "schema_version"),
        ("schema_version", '"2"', "schema_version"),
        ("metadata.handoff_strategy", '"round_robin"', "metadata.handoff_strategy"),
        ("metadata.source", '"oracle"', "metadata.source"),
        ("metadata", "{}", "metadata.source"),
        ("metadata.prompt_tokens", "true", "metadata.prompt_tokens"),
        ("steps", "[]", "steps"),
        ("steps", '"s1"', "steps"),
        ("steps", "{}", "steps"),
        ("steps.0.id", '"S 1"', "steps[0].id"),
        ("steps.0.agent", '""', "steps[0].agent"),
        ("steps.0.agent", '"a\\u0000b"', "steps[0].agent"),
        ("steps.0.tools", '"finance.snapshot"', "steps[0].tools"),
        ("steps.0.tools.0", "7", "steps[0].tools[0]"),
        ("steps.0.reason", '"' + "x" * 501 + '"', "steps[0].reason"),
        ("steps.1.bindings.0.arguments.word.kind", '"shell"', "steps[1].bindings[0].arguments.word"),
    ],
)
def test_a_broken_field_is_refused_by_its_path(path: str, value: str, field: str) -> None:
    refusal = refused(replaced(path, value))
    assert (refusal.rung, refusal.reason, refusal.field) == ("schema", "contract_broken", field)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("agents", ["finance_agent"], "agents"),
        ("override", True, "override"),
        ("steps.0.allow_unplanned", True, "steps[0].allow_unplanned"),
        ("metadata.override", "policy", "metadata.override"),
    ],
)
def test_unknown_fields_and_the_legacy_agents_array_are_refused(path: str, value: object, field: str) -> None:
    assert refused(with_value(path, value)).field == field


BINDING = VALID["steps"][1]["bindings"][0]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("steps.1.depends_on", ["s2"], "'s2' is not an earlier step"),
        ("steps.0.depends_on", ["s2"], "'s2' is not an earlier step"),
        ("steps.0.depends_on", ["s9"], "'s9' is not an earlier step"),
        ("steps.1.id", "s1", "'s1' is used twice"),
        ("steps.0.fallback_tools", ["finance.snapshot"], "named twice"),
        ("steps.0.tools", [], "nothing to fall back from"),
        ("steps.1.depends_on", [], "not in depends_on"),
        ("steps.1.bindings", [BINDING, BINDING], "one binding at most"),
        ("steps.0.bindings", [BINDING], "one binding at most"),
    ],
)
def test_steps_that_contradict_each_other_are_refused(path: str, value: object, says: str) -> None:
    refusal = refused(with_value(path, value))
    assert (refusal.rung, says in refusal.message) == ("schema", True), refusal


def test_thirteen_steps_are_one_too_many() -> None:
    def with_steps(count: int) -> str:
        steps = [{**VALID["steps"][0], "id": f"s{number}"} for number in range(count)]
        return json.dumps({**VALID, "steps": steps})

    assert isinstance(read_plan(with_steps(12)), PlannerPlan)
    assert refused(with_steps(13)).field == "steps"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "{",
        b"\xff\xfe\xfd",
        b"\x00",
        "\ud800",
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 5000,
        '{"steps":[],"steps":[]}',
        " " * (MAX_PLAN_BYTES + 1),
        b"x" * 50_000_000,
    ],
)
def test_what_is_not_json_of_a_sane_size_is_refused_at_parsing(text: str | bytes) -> None:
    assert refused(text).rung == "parse"


@pytest.mark.parametrize(
    "text", ["[]", "null", "2", '"plan"', '"\\ud800"', "[" * 300 + "]" * 300, '{"steps":"\\ud800"}']
)
def test_json_that_is_no_plan_is_refused_by_the_contract(text: str) -> None:
    assert refused(text).rung == "schema"


def test_a_lone_surrogate_in_a_name_or_reason_is_refused() -> None:
    for path in ("steps.0.reason", "steps.0.agent", "steps.1.bindings.0.arguments.count.value"):
        assert refused(replaced(path, '"\\ud800"')).rung == "schema"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.text() | st.binary() | JSON_VALUES.map(json.dumps))
def test_anything_at_all_gives_a_plan_or_a_typed_refusal(text: str | bytes) -> None:
    assert isinstance(read_plan(text), PlannerPlan | Refusal)


KEYS = [
    *(
        "schema_version",
        "steps",
        "metadata",
        "confidence",
        "agents",
        "id",
        "agent",
        "tools",
        "fallback_tools",
    ),
    *("depends_on", "reason", "bindings", "handoff_strategy", "source", "way_out", "model", "latency_s"),
    *("shortlist", "refusals", "kind", "value", "step", "tool", "pointer"),
]
NAMES = [
    "s1",
    "s2",
    "finance_agent",
    "ghost",
    "finance.snapshot",
    "quote",
    "literal",
    "reference",
    "planner",
    "ask_user",
]


def keys_of(place: Any) -> list[Any]:
    return list(place) if hasattr(place, "keys") else list(range(len(place)))


def inner_places(value: Any) -> list[Any]:
    """Give every object and list inside a plan, itself first."""
    inside: list[Any] = [value[key] for key in keys_of(value)]
    return [
        value,
        *(place for part in inside if isinstance(part, dict | list) for place in inner_places(part)),
    ]


@st.composite
def mutated_plans(draw: st.DrawFn) -> str:
    """Draw the valid plan with one to four of its parts replaced, removed or added."""
    value: Any = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 4))):
        place: Any = draw(st.sampled_from(inner_places(value)))
        keys = keys_of(place)
        new: Any = draw(JSON_VALUES | st.sampled_from(NAMES) | st.lists(st.sampled_from(NAMES), max_size=5))
        act = draw(st.sampled_from(["replace", "remove", "add"]))
        if act == "remove" and keys:
            del place[draw(st.sampled_from(keys))]
        elif act == "replace" and keys:
            place[draw(st.sampled_from(keys))] = new
        elif hasattr(place, "keys"):
            place[draw(st.sampled_from(KEYS))] = new
        else:
            place.append(new)
    return json.dumps(value)


@settings(max_examples=500, deadline=None)
@given(mutated_plans())
def test_a_mutated_plan_is_read_refused_or_judged_but_never_raises(text: str) -> None:
    read = read_plan(text)
    if isinstance(read, Refusal):
        return
    assert read.digest()
    assert read_plan(read.model_dump_json()) == read
    try:
        resolved = canonical_plan(read, CATALOG)
    except PlanRejected:
        return
    for issue in plan_issues(resolved, CATALOG, POLICY, PlanLimits()):
        assert isinstance(issue, Refusal)
        assert (issue.rung, bool(issue.field), bool(issue.message)) == ("semantics", True, True)


# ---- judging ---------------------------------------------------------------------------------------------


def issues(judged: PlannerPlan, policy: ToolPolicy = POLICY, max_agents: int = 4) -> list[tuple[str, str]]:
    found = plan_issues(judged, CATALOG, policy, PlanLimits(max_agents=max_agents))
    return [(issue.reason, issue.field) for issue in found]


@pytest.mark.requirement("PLAN-10")
def test_agents_and_tools_must_be_in_the_catalog() -> None:
    assert issues(plan(step(agent="ghost_agent"))) == [("unknown_agent", "steps[0].agent")]
    assert issues(plan(step("s1", "finance_agent", "ghost.tool"))) == [("unknown_tool", "steps[0].tools[0]")]
    fallback = step("s1", "finance_agent", fallback_tools=["ghost.tool"])
    assert issues(plan(fallback)) == [("unknown_tool", "steps[0].fallback_tools[0]")]


@pytest.mark.requirement("PLAN-10")
def test_a_tool_must_be_the_agents_own() -> None:
    borrowed = step("s1", "finance_agent", "research.search")
    assert issues(plan(borrowed)) == [("tool_not_of_agent", "steps[0].tools[0]")]


@pytest.mark.requirement("PLAN-10")
def test_a_tool_that_policy_denies_may_not_be_planned_even_as_a_fallback() -> None:
    policy = make_policy(finance_agent=allow("finance.snapshot"))
    both = step(fallback_tools=["finance.analytics"])
    assert issues(plan(both), policy) == [("tool_denied_by_policy", "steps[0].fallback_tools[0]")]
    assert issues(plan(both), ToolPolicy()) == [
        ("tool_denied_by_policy", "steps[0].tools[0]"),
        ("tool_denied_by_policy", "steps[0].fallback_tools[0]"),
    ]


@pytest.mark.requirement("PLAN-10")
def test_a_tool_that_needs_a_person_may_be_planned() -> None:
    assert issues(plan(step("s1", "writing_agent", "files.write"))) == []


@pytest.mark.requirement("PLAN-10")
def test_no_more_distinct_agents_than_allowed() -> None:
    five = [
        step("s1", "finance_agent", "finance.snapshot"),
        step("s2", "research_agent", "research.search"),
        step("s3", "finance_agent", "finance.analytics"),
    ]
    assert issues(plan(*five), max_agents=2) == []
    assert issues(plan(*five), max_agents=1) == [("too_many_agents", "steps")]


@pytest.mark.requirement("PLAN-10")
def test_five_agents_are_one_too_many() -> None:
    agents = [AgentSpec(name=f"agent{n}", description="x", tools=("utils.clock",)) for n in range(5)]
    catalog = make_catalog([*AGENTS, *agents])
    policy = make_policy(**{agent.name: allow("*") for agent in agents})
    steps = [step(f"s{n}", f"agent{n}", "utils.clock") for n in range(5)]
    assert plan_issues(plan(*steps[:4]), catalog, policy, PlanLimits()) == ()
    found = plan_issues(plan(*steps), catalog, policy, PlanLimits())
    assert [issue.reason for issue in found] == ["too_many_agents"]


def toolless(agent: str) -> Any:
    return step("s1", agent).model_copy(update={"tools": ()})


@pytest.mark.requirement("PLAN-7", "PLAN-10")
def test_a_step_without_tools_is_only_the_declared_way_out_of_an_agent_that_may() -> None:
    way_out = {"way_out": "answer_without_tools"}
    assert issues(plan(toolless("general_agent"), **way_out)) == []
    assert issues(plan(toolless("general_agent"))) == [("way_out_undeclared", "steps[0].tools")]
    assert issues(plan(toolless("finance_agent"), **way_out)) == [("tools_missing", "steps[0].tools")]
    denied = make_policy(general_agent=allow("utils.*"))
    assert issues(plan(toolless("general_agent"), **way_out), denied) == [
        ("answer_without_tools_denied", "steps[0].tools")
    ]
    silent = make_policy(general_agent=AgentPolicy())
    assert ("answer_without_tools_denied", "steps[0].tools") in issues(
        plan(toolless("general_agent"), **way_out), silent
    )


@pytest.mark.requirement("PLAN-7", "PLAN-10")
@pytest.mark.parametrize("way_out", ["answer_without_tools", "ask_user"])
def test_a_plan_that_does_something_declares_no_way_out(way_out: str) -> None:
    assert issues(plan(step(), way_out=way_out)) == [("way_out_mismatch", "metadata.way_out")]
    two = plan(toolless("general_agent"), step("s2"), way_out=way_out)
    assert ("way_out_mismatch", "metadata.way_out") in issues(two)


def bound(source: dict[str, object], name: str = "word") -> PlannerPlan:
    binding = {"tool": "research.search", "arguments": {name: source}}
    second = step("s2", "research_agent", "research.search", depends_on=["s1"], bindings=[binding])
    return plan(step("s1", "finance_agent", fallback_tools=["finance.analytics"]), second)


@pytest.mark.requirement("PLAN-10")
def test_bindings_name_parameters_and_results_that_there_are() -> None:
    field = "steps[1].bindings.research.search"
    reference: dict[str, object] = {
        "kind": "reference",
        "step": "s1",
        "tool": "finance.snapshot",
        "pointer": "/a",
    }
    literal: dict[str, object] = {"kind": "literal", "value": 1}
    assert issues(bound(reference)) == []
    assert issues(bound(literal, "ghost")) == [("unknown_parameter", f"{field}.ghost")]
    assert issues(bound(reference | {"tool": "research.search"})) == [("reference_unknown", f"{field}.word")]
    extraction: dict[str, object] = {
        "kind": "extraction",
        "step": "s1",
        "tool": "finance.snapshot",
        "json_type": "number",
    }
    assert issues(bound(extraction)) == [("binding_unsupported", f"{field}.word")]


@pytest.mark.requirement("PLAN-10")
def test_from_an_opaque_result_only_the_whole_can_be_taken() -> None:
    def taking(pointer: str) -> PlannerPlan:
        source = {"kind": "reference", "step": "s1", "tool": "research.search", "pointer": pointer}
        binding = {"tool": "finance.snapshot", "arguments": {"word": source}}
        first = step("s1", "research_agent", "research.search")
        return plan(first, step("s2", depends_on=["s1"], bindings=[binding]))

    assert issues(taking("")) == []
    assert issues(taking("/a")) == [("reference_opaque", "steps[1].bindings.finance.snapshot.word")]


@pytest.mark.requirement("PLAN-10")
def test_all_issues_are_given_not_only_the_first() -> None:
    found = issues(plan(step(agent="ghost"), step("s2", "finance_agent", "ghost.tool", "research.search")))
    assert [reason for reason, _ in found] == ["unknown_agent", "unknown_tool", "tool_not_of_agent"]


@pytest.mark.requirement("PLAN-10")
def test_aliases_are_resolved_in_tools_fallbacks_and_bindings() -> None:
    binding = {"tool": "quote", "arguments": {"word": {"kind": "free_text"}}}
    aliased = plan(
        step("s1", "finance_agent", "quote", bindings=[binding]),
        step("s2", "finance_agent", "finance.analytics", fallback_tools=["quote"]),
    )
    resolved = canonical_plan(aliased, CATALOG)
    assert resolved.steps[0].tools == resolved.steps[1].fallback_tools == ("finance.snapshot",)
    assert resolved.steps[0].bindings[0].tool == "finance.snapshot"
    assert issues(resolved) == []


@pytest.mark.requirement("PLAN-10")
def test_a_tool_named_twice_by_an_alias_is_refused() -> None:
    twice = plan(step("s1", "finance_agent", "quote", fallback_tools=["finance.snapshot"]))
    with pytest.raises(PlanRejected, match="by an alias"):
        canonical_plan(twice, CATALOG)
