"""Policies as values: ordered rules, first match decides, default deny."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.verdict import Allowed, Denied, NeedsApproval, Verdict
from planwarden.policy.rules import DEFAULT_DENY, NO_POLICY, AgentPolicy, Rule, ToolPolicy

pytestmark = pytest.mark.requirement("POL-1")

Says = Literal["allow", "deny", "ask"]
SHORT: JsonSchema = {"properties": {"path": {"type": "string", "maxLength": 5}}, "required": ["path"]}


def rule(name: str, says: Says, *tools: str, arguments: JsonSchema | None = None, reason: str = "") -> Rule:
    return Rule(name=name, says=says, tools=tools, arguments=arguments, reason=reason)


def policy(*rules: Rule, answer: bool = False) -> ToolPolicy:
    return ToolPolicy(agents={"agent": AgentPolicy(rules=rules, answer_without_tools=answer)})


def test_the_first_rule_that_speaks_of_the_tool_decides() -> None:
    deny, allow, ask = rule("no", "deny", "a.x"), rule("yes", "allow", "a.*"), rule("who", "ask", "*")
    assert isinstance(policy(deny, allow).decide("agent", "a.x"), Denied)
    assert isinstance(policy(allow, deny).decide("agent", "a.x"), Allowed)
    assert isinstance(policy(ask, allow, deny).decide("agent", "a.x"), NeedsApproval)
    assert policy(deny, allow).decide("agent", "a.y").rule == "yes"


def test_what_no_rule_speaks_of_is_denied() -> None:
    verdict = policy(rule("yes", "allow", "a.*")).decide("agent", "b.x")
    assert isinstance(verdict, Denied)
    assert verdict.rule == DEFAULT_DENY
    assert "b.x" in verdict.reason


def test_an_agent_without_a_policy_may_call_nothing_and_answer_nothing() -> None:
    open_to_one = policy(rule("yes", "allow", "*"), answer=True)
    for verdict in (open_to_one.decide("other", "a.x", {}), open_to_one.may_answer_without_tools("other")):
        assert isinstance(verdict, Denied)
        assert verdict.rule == NO_POLICY
        assert "other" in verdict.reason
    assert isinstance(ToolPolicy().decide("agent", "a.x"), Denied)


@pytest.mark.parametrize(
    ("pattern", "tool", "speaks"),
    [
        ("a.x", "a.x", True),
        ("a.x", "a.xy", False),
        ("a.x", "ba.x", False),
        ("a.x", "aXx", False),
        ("a.*", "a.x", True),
        ("a.*", "a.x.y", True),
        ("a.*", "ab.x", False),
        ("a.*", "a", False),
        ("*", "anything.at-all", True),
        ("*.read", "files.read", True),
        ("A.x", "a.x", False),
    ],
)
def test_a_star_stands_for_anything_and_a_name_for_itself(pattern: str, tool: str, speaks: bool) -> None:
    assert rule("r", "allow", pattern).speaks_of(tool) is speaks


def test_a_rule_may_speak_of_several_tools() -> None:
    several = policy(rule("r", "allow", "a.x", "b.*"))
    assert [isinstance(several.decide("agent", tool), Allowed) for tool in ("a.x", "b.y", "c.z")] == [
        True,
        True,
        False,
    ]


@pytest.mark.requirement("POL-2")
def test_arguments_that_break_the_rules_constraint_are_denied_by_it() -> None:
    kinds: dict[Says, type[Allowed | NeedsApproval]] = {"allow": Allowed, "ask": NeedsApproval}
    for says, kind in kinds.items():
        limited = policy(rule("short", says, "a.x", arguments=SHORT), rule("rest", "allow", "*"))
        assert isinstance(limited.decide("agent", "a.x", {"path": "12345"}), kind)
        for arguments in ({"path": "123456"}, {"path": 5}, {}):
            verdict = limited.decide("agent", "a.x", arguments)
            assert isinstance(verdict, Denied), arguments
            assert verdict.rule == "short"
            assert "path" in verdict.reason


@pytest.mark.requirement("POL-2")
def test_at_planning_time_a_constraint_is_not_judged_yet() -> None:
    limited = policy(rule("short", "allow", "a.x", arguments=SHORT))
    assert isinstance(limited.decide("agent", "a.x"), Allowed)


@pytest.mark.requirement("POL-2")
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": {"a": {"pattern": "["}}},
        {"$ref": "#/$defs/nowhere"},
        {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}},
    ],
)
def test_a_constraint_that_cannot_be_judged_is_refused_when_it_is_written(schema: JsonSchema) -> None:
    with pytest.raises(ValidationError, match="not a JSON Schema"):
        rule("r", "allow", "*", arguments=schema)


@pytest.mark.requirement("POL-2")
def test_arguments_too_deep_to_be_judged_are_denied() -> None:
    deep: object = 1
    for _ in range(3000):
        deep = [deep]
    lists: JsonSchema = {"items": {"$ref": "#/$defs/n"}}
    endless: JsonSchema = {"$defs": {"n": lists}, "additionalProperties": lists}
    verdict = policy(rule("r", "allow", "*", arguments=endless)).decide("agent", "a.x", {"a": deep})
    assert isinstance(verdict, Denied)
    assert "deep" in verdict.reason


def test_ask_waits_for_a_person() -> None:
    verdict = policy(rule("r", "ask", "*", reason="a person looks")).decide("agent", "a.x", {})
    assert isinstance(verdict, NeedsApproval)
    assert (verdict.rule, verdict.reason) == ("r", "a person looks")


def test_answering_without_tools_is_denied_unless_the_policy_says_so() -> None:
    assert isinstance(policy(answer=True).may_answer_without_tools("agent"), Allowed)
    assert isinstance(policy(rule("all", "allow", "*")).may_answer_without_tools("agent"), Denied)


TOOLS = st.sampled_from(["a.x", "a.y", "b.x", "c"])
PATTERNS = st.sampled_from(["a.x", "a.*", "*", "b.*", "*.x", "c", "d"])
CONSTRAINTS: list[JsonSchema | None] = [None, SHORT, {"required": ["other"]}, {}]
RULES = st.builds(
    Rule,
    name=st.sampled_from(["one", "two", "three"]),
    says=st.sampled_from(["allow", "deny", "ask"]),
    tools=st.lists(PATTERNS, min_size=1, max_size=3).map(tuple),
    arguments=st.sampled_from(CONSTRAINTS),
    reason=st.sampled_from(["", "because"]),
)
POLICIES = st.lists(RULES, max_size=5).map(lambda rules: AgentPolicy(rules=tuple(rules)))
ARGUMENTS = st.none() | st.dictionaries(st.sampled_from(["path", "other"]), st.text(max_size=8), max_size=2)


def permits(verdict: Verdict) -> int:
    """Order verdicts by how much they permit."""
    match verdict:
        case Denied():
            return 0
        case NeedsApproval():
            return 1
        case Allowed():
            return 2


@pytest.mark.requirement("POL-4")
@given(POLICIES, st.lists(PATTERNS, min_size=1, max_size=3), TOOLS, ARGUMENTS)
def test_a_deny_rule_in_front_never_widens_and_always_denies_what_it_names(
    before: AgentPolicy, patterns: list[str], tool: str, arguments: dict[str, object] | None
) -> None:
    deny = rule("wall", "deny", *patterns)
    after = AgentPolicy(rules=(deny, *before.rules))
    was = ToolPolicy(agents={"agent": before}).decide("agent", tool, arguments)
    now = ToolPolicy(agents={"agent": after}).decide("agent", tool, arguments)
    if deny.speaks_of(tool):
        assert (now.verdict, now.rule) == ("denied", "wall")
    else:
        assert now == was
    assert permits(now) <= permits(was)


@pytest.mark.requirement("POL-3")
@given(POLICIES, TOOLS, ARGUMENTS, st.sampled_from(["agent", "other"]))
def test_a_verdict_always_names_its_rule_and_reason(
    rules: AgentPolicy, tool: str, arguments: dict[str, object] | None, agent: str
) -> None:
    verdict = ToolPolicy(agents={"agent": rules}).decide(agent, tool, arguments)
    assert verdict.rule
    assert verdict.reason
    assert verdict.rule in {NO_POLICY, DEFAULT_DENY, *(each.name for each in rules.rules)}


@pytest.mark.requirement("POL-2")
@given(POLICIES, TOOLS, ARGUMENTS)
def test_arguments_never_permit_more_than_planning_did(
    rules: AgentPolicy, tool: str, arguments: dict[str, object] | None
) -> None:
    whole = ToolPolicy(agents={"agent": rules})
    assert permits(whole.decide("agent", tool, arguments)) <= permits(whole.decide("agent", tool))


@pytest.mark.requirement("POL-3")
@given(POLICIES, POLICIES)
def test_the_digest_names_the_content_and_nothing_else(one: AgentPolicy, two: AgentPolicy) -> None:
    first, second = ToolPolicy(agents={"a": one, "b": two}), ToolPolicy(agents={"b": two, "a": one})
    assert first.digest == second.digest
    assert (ToolPolicy(agents={"a": one}).digest == ToolPolicy(agents={"a": two}).digest) == (one == two)


@pytest.mark.requirement("POL-3")
def test_every_part_of_a_policy_changes_its_digest() -> None:
    base = rule("r", "allow", "a.x", "a.y", arguments=SHORT, reason="why")
    changes = [
        policy(base),
        ToolPolicy(),
        ToolPolicy(agents={"other": AgentPolicy(rules=(base,))}),
        policy(base, answer=True),
        policy(base, base),
        policy(base.model_copy(update={"name": "s"})),
        policy(base.model_copy(update={"says": "ask"})),
        policy(base.model_copy(update={"tools": ("a.y", "a.x")})),
        policy(base.model_copy(update={"arguments": None})),
        policy(base.model_copy(update={"reason": ""})),
        policy(base, rule("s", "deny", "*")),
        policy(rule("s", "deny", "*"), base),
    ]
    assert len({each.digest for each in changes}) == len(changes)
