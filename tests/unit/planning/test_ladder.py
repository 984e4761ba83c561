"""The validity ladder: every rung reached by fault injection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from planning_world import (
    ASKED,
    GOOD,
    allow,
    make_catalog,
    make_policy,
    planner,
    wire,
)

from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import PlannerPlan, Refusal
from planwarden.contracts.task import Exchange, Task
from planwarden.errors import (
    ModelError,
    ModelTimedOut,
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
)
from planwarden.llm.service import LLMReply, LLMRequest, TokenAlternative, TokenChoice
from planwarden.planning.planner import Planning
from planwarden.policy.rules import AgentPolicy, ToolPolicy
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("PLAN-1")]

TASK = Task(prompt=ASKED)
CATALOG = make_catalog()
POLICY = make_policy()
TOO_LONG = PromptTooLong("The prompt has 9999 tokens.", remedy="Shorten it.")


async def plan_with(llm: ScriptedLLM | FunctionLLM, task: Task = TASK, **settings: object) -> Planning:
    working = planner(llm, **settings)
    try:
        return await working.plan(task, CATALOG, POLICY)
    finally:
        working.close()


def the_plan(planning: Planning) -> PlannerPlan:
    assert planning.decision.plan is not None
    return planning.decision.plan


def rungs(refusals: Sequence[Refusal]) -> list[tuple[str, str]]:
    """Give rung and reason of each; at rung `repair` the inner rung stands before the reason."""
    return [
        (refusal.rung, f"{refusal.inner}: {refusal.reason}" if refusal.inner else refusal.reason)
        for refusal in refusals
    ]


def said(request: LLMRequest) -> str:
    return "\n".join(message.content for message in request.messages)


def assert_fell_back(planning: Planning, *expected: tuple[str, str]) -> None:
    plan = the_plan(planning)
    assert plan.metadata.source == "fallback"
    assert [step.agent for step in plan.steps] == ["general_agent"]
    assert rungs(planning.decision.refusals) == list(expected)
    assert plan.metadata.refusals == planning.decision.refusals


async def test_a_good_reply_is_followed_without_a_refusal() -> None:
    with ScriptedLLM(GOOD) as llm:
        planning = await plan_with(llm)
    plan = the_plan(planning)
    assert plan.metadata.source == "planner"
    assert (plan.steps[0].agent, plan.steps[0].tools) == ("finance_agent", ("finance.snapshot",))
    assert plan.steps[0].fallback_tools == ("finance.analytics",)
    assert planning.decision.refusals == plan.metadata.refusals == ()
    assert not planning.needs_person
    assert plan.metadata.catalog_digest == CATALOG.digest
    assert plan.metadata.policy_digest == POLICY.digest
    assert [exchange.reply for exchange in planning.exchanges] == [GOOD]


@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailable("Nothing answers.", remedy="Start it."),
        ModelTimedOut("60 s are past.", remedy="Wait longer."),
        ReplyIncomplete("Cut at 256 tokens.", remedy="Raise the limit."),
        ReplyInvalid("Not the protocol.", remedy="Look at the server."),
    ],
)
async def test_a_model_that_gives_no_reply_is_not_asked_again_and_the_fallback_follows(
    error: ModelError,
) -> None:
    with ScriptedLLM(error) as llm:
        planning = await plan_with(llm)
    assert_fell_back(planning, ("constrained_output", error.code))
    assert error.message in planning.decision.refusals[0].message
    assert [exchange.error_code for exchange in planning.exchanges] == [error.code]


@pytest.mark.parametrize(
    ("reply", "rung", "reason"),
    [
        ("The plan is to look it up.", "parse", "not_json"),
        ("", "parse", "not_json"),
        (GOOD[:-1], "parse", "not_json"),
        ("[" * 100_000, "parse", "not_json"),
        ("[]", "schema", "notation_broken"),
        ("[" * 500 + "]" * 500, "schema", "notation_broken"),
        ('{"agents":["finance_agent"]}', "schema", "notation_broken"),
        (wire(), "schema", "notation_broken"),
        (wire("ghost_agent/finance.snapshot"), "schema", "notation_broken"),
        (wire("ghost.tool"), "schema", "notation_broken"),
        (wire("research_agent/finance.snapshot"), "schema", "notation_broken"),
        (wire("finance.snapshot|research.search"), "schema", "notation_broken"),
        (wire("finance.snapshot<1"), "schema", "notation_broken"),
        (wire("finance.snapshot", "none"), "schema", "notation_broken"),
        (wire("finance.snapshot", handoff="round_robin"), "schema", "notation_broken"),
        (wire("whatever"), "schema", "notation_broken"),
    ],
)
async def test_a_broken_reply_is_refused_on_its_rung_and_repaired_once(
    reply: str, rung: str, reason: str
) -> None:
    with ScriptedLLM(reply, GOOD) as llm:
        planning = await plan_with(llm)
    plan = the_plan(planning)
    assert plan.metadata.source == "repaired"
    assert rungs(plan.metadata.refusals) == rungs(planning.decision.refusals) == [(rung, reason)]
    assert [exchange.purpose for exchange in planning.exchanges] == ["plan", "repair"]


@pytest.mark.requirement("PLAN-3")
async def test_the_repair_tells_the_model_its_own_reply_and_the_precise_fault() -> None:
    broken = wire("finance.snapshot", "ghost.tool")
    with ScriptedLLM(broken, GOOD) as llm:
        planning = await plan_with(llm)
    fault = planning.decision.refusals[0].message
    first, second = llm.requests
    assert second.messages[: len(first.messages)] == first.messages
    own, told = second.messages[len(first.messages) :]
    assert (own.role, own.content) == ("assistant", broken)
    assert (told.role, fault[:100] in told.content) == ("user", True)
    assert "plan[1]" in fault
    assert "ghost.tool" in fault
    assert planning.decision.refusals[0].field == "plan[1]"


@pytest.mark.requirement("PLAN-3")
async def test_there_is_one_repair_and_no_more() -> None:
    with ScriptedLLM("nonsense", "[]") as llm:
        planning = await plan_with(llm)
    assert_fell_back(planning, ("parse", "not_json"), ("repair", "schema: notation_broken"))


async def test_a_model_that_dies_before_the_repair_leaves_the_fallback() -> None:
    with ScriptedLLM("nonsense", ModelUnavailable("Gone.", remedy="Start it.")) as llm:
        planning = await plan_with(llm)
    assert_fell_back(planning, ("parse", "not_json"), ("repair", "constrained_output: model_unavailable"))


async def test_a_prompt_that_no_longer_fits_for_the_repair_leaves_the_fallback() -> None:
    def answer(request: LLMRequest) -> str | ModelError:
        return "nonsense" if request.messages[-1].content.endswith(ASKED) else TOO_LONG

    planning = await plan_with(FunctionLLM(answer))
    assert_fell_back(planning, ("parse", "not_json"), ("repair", "constrained_output: prompt_too_long"))


async def test_a_plan_that_policy_stops_allowing_meanwhile_is_refused_and_repaired() -> None:
    agents = dict(POLICY.agents)
    live = ToolPolicy(agents=agents)
    second = wire("research.search")

    def answer(request: LLMRequest) -> str:
        if len(llm.requests) > 1:
            return second
        agents["finance_agent"] = AgentPolicy()
        return GOOD

    llm = FunctionLLM(answer)
    working = planner(llm)
    planning = await working.plan(TASK, CATALOG, live)
    working.close()
    denied = ("semantics", "tool_denied_by_policy")
    assert rungs(planning.decision.refusals) == [denied, denied]
    assert [refusal.field for refusal in planning.decision.refusals] == [
        "steps[0].tools[0]",
        "steps[0].fallback_tools[0]",
    ]
    assert the_plan(planning).steps[0].agent == "research_agent"
    assert the_plan(planning).metadata.source == "repaired"
    assert "policy denies 'finance." in llm.requests[1].messages[-1].content


@pytest.mark.requirement("PLAN-4")
async def test_where_policy_leaves_nothing_the_model_is_not_even_asked_and_there_is_no_plan() -> None:
    with ScriptedLLM() as llm:
        working = planner(llm)
        planning = await working.plan(TASK, CATALOG, ToolPolicy())
        working.close()
    assert planning.decision.plan is None
    assert rungs(planning.decision.refusals) == [
        ("constrained_output", "nothing_allowed"),
        ("fallback", "nothing_allowed"),
    ]


@pytest.mark.requirement("PLAN-4")
async def test_where_policy_denies_the_fallback_too_a_refused_plan_leaves_none() -> None:
    policy = make_policy(general_agent=AgentPolicy())
    with ScriptedLLM("nonsense", "nonsense") as llm:
        working = planner(llm)
        planning = await working.plan(TASK, CATALOG, policy)
        working.close()
    assert planning.decision.plan is None
    assert rungs(planning.decision.refusals) == [
        ("parse", "not_json"),
        ("repair", "parse: not_json"),
        ("fallback", "nothing_allowed"),
    ]


def names_in(schema: object) -> set[str]:
    """Give every name that a schema's enums hold."""
    if isinstance(schema, dict):
        inside = cast("dict[str, Any]", schema)
        own = {str(name) for name in inside.get("enum", ())}
        return own.union(*(names_in(part) for part in inside.values()))
    if isinstance(schema, list | tuple):
        return set[str]().union(*(names_in(part) for part in cast("list[Any]", schema)))
    return set()


@pytest.mark.requirement("PLAN-6")
async def test_a_prompt_that_does_not_fit_is_sent_again_with_fewer_tools_and_examples() -> None:
    with ScriptedLLM(TOO_LONG, GOOD) as llm:
        planning = await plan_with(llm, examples=4)
    assert the_plan(planning).metadata.source == "planner"
    first, second = llm.requests
    assert len(said(second)) < len(said(first))
    assert len(second.messages) < len(first.messages)
    tools = {spec.name for spec in CATALOG.tools.values()}
    shown = [{tool for tool in tools if f"\n{tool}:" in said(request)} for request in llm.requests]
    assert shown[1] < shown[0]
    assert shown[1]
    assert (names_in(second.output_schema) & tools) < (names_in(first.output_schema) & tools)
    assert ASKED in said(second)


@pytest.mark.requirement("PLAN-6")
async def test_a_task_that_fits_not_even_with_one_tool_is_refused_and_never_cut() -> None:
    llm = FunctionLLM(lambda _: TOO_LONG)
    planning = await plan_with(llm)
    assert planning.decision.plan is None
    assert rungs(planning.decision.refusals) == [("constrained_output", "prompt_too_long")]
    assert len(llm.requests) > 1
    assert all(request.messages[-1].content.endswith(ASKED) for request in llm.requests)
    assert len(planning.exchanges) == len(llm.requests)


@pytest.mark.requirement("PLAN-7")
@pytest.mark.parametrize(("word", "way_out"), [("none", "answer_without_tools"), ("ask", "ask_user")])
async def test_the_model_may_say_that_nothing_fits(word: str, way_out: str) -> None:
    with ScriptedLLM(wire(word)) as llm:
        planning = await plan_with(llm)
    plan = the_plan(planning)
    assert (plan.metadata.way_out, plan.metadata.source) == (way_out, "planner")
    assert [(step.agent, step.tools) for step in plan.steps] == [("general_agent", ())]


@pytest.mark.requirement("PLAN-7")
async def test_a_way_out_that_policy_refuses_is_not_offered_and_not_taken() -> None:
    policy = make_policy(general_agent=allow("utils.*", answer=False))
    with ScriptedLLM(wire("none"), GOOD) as llm:
        working = planner(llm)
        planning = await working.plan(TASK, CATALOG, policy)
        working.close()
    assert rungs(planning.decision.refusals) == [("schema", "notation_broken")]
    assert the_plan(planning).metadata.source == "repaired"
    assert not {"none", "ask"} & names_in(llm.requests[0].output_schema)


@pytest.mark.requirement("PLAN-8")
async def test_the_planner_sees_metadata_and_prior_exchanges() -> None:
    task = Task(
        prompt=ASKED,
        metadata={"portfolio": "alpha-seven"},
        exchanges=(
            Exchange(role="user", content="Tell me of MSFT first."),
            Exchange(role="assistant", content="It stood at 31.5."),
        ),
    )
    with ScriptedLLM(GOOD) as llm:
        await plan_with(llm, task)
    for text in ("portfolio", "alpha-seven", "Tell me of MSFT first.", "It stood at 31.5.", ASKED):
        assert text in said(llm.requests[0])


async def test_the_settings_reach_the_model() -> None:
    with ScriptedLLM(GOOD) as llm:
        await plan_with(llm, temperature=0.3, seed=11, max_output_tokens=99, timeout_s=7.0)
    sent = llm.requests[0]
    assert (sent.temperature, sent.seed, sent.max_output_tokens, sent.timeout_s) == (0.3, 11, 99, 7.0)
    assert sent.top_logprobs > 0
    assert sent.output_schema is not None


def token(text: str, share: float = 1.0, **others: float) -> TokenChoice:
    """Make a token that got `share`, beside others that got theirs; all before any grammar."""
    weights = {text: share, **others}
    alternatives = tuple(TokenAlternative(text=name, logprob=math.log(p)) for name, p in weights.items())
    return TokenChoice(text=text, logprob=math.log(share), alternatives=alternatives)


def measured_reply() -> LLMReply:
    tokens = (
        token('{"'),
        token("plan", 0.3, the=0.7),  # nothing but `plan` could have stood here
        token('":["'),
        token("finance", 0.3, research=0.2, none=0.1, bogus=0.4),  # `bogus` could not: 0.3 / 0.6
        token("."),
        token("snapshot", 0.4, analytics=0.1, weather=0.5),  # 0.4 / 0.5
        token('"]', 0.6, **{'",': 0.15, "<1": 0.2}),  # it ends, or goes on; nothing could be used: 0.6 / 0.75
        token(',"why":"'),
        token("because", 0.01, since=0.99),  # free text says nothing of the choices
        token('"}'),
    )
    text = "".join(each.text for each in tokens)
    return LLMReply(text=text, usage=ModelUsage(prompt_tokens=9, output_tokens=9), tokens=tokens)


@pytest.mark.requirement("PLAN-5")
async def test_confidence_is_the_product_of_the_renormalised_choices_and_labelled_uncalibrated() -> None:
    with ScriptedLLM((None, measured_reply())) as llm:
        plan = the_plan(await plan_with(llm, with_reason=True))
    assert plan.confidence == pytest.approx(0.5 * 0.8 * 0.8, abs=1e-4)
    assert plan.steps[0].confidence == pytest.approx(0.5 * 0.8, abs=1e-4)
    assert plan.metadata.confidence_method.method == "token_probability"
    assert plan.metadata.confidence_method.calibrated is False


@pytest.mark.requirement("PLAN-5")
async def test_white_space_that_a_server_writes_into_its_json_does_not_change_the_confidence() -> None:
    compact = measured_reply()
    tokens = (token("{"), token("\n"), token('  "'), *compact.tokens[1:])
    spaced = replace(compact, tokens=tokens, text="".join(each.text for each in tokens))
    with ScriptedLLM((None, spaced)) as llm:
        plan = the_plan(await plan_with(llm, with_reason=True))
    assert plan.confidence == pytest.approx(0.5 * 0.8 * 0.8, abs=1e-4)


@pytest.mark.requirement("PLAN-5")
async def test_a_model_without_token_probabilities_is_trusted_with_nothing() -> None:
    with ScriptedLLM((None, LLMReply(text=GOOD, usage=ModelUsage()))) as llm:
        plan = the_plan(await plan_with(llm))
    assert plan.confidence == 0.0
    assert plan.metadata.confidence_method.method == "none"


@pytest.mark.requirement("PLAN-5")
@pytest.mark.parametrize(("minimum", "source"), [(0.31, "planner"), (0.33, "fallback")])
async def test_below_the_minimum_the_fallback_is_followed_instead(minimum: float, source: str) -> None:
    with ScriptedLLM((None, measured_reply())) as llm:
        planning = await plan_with(
            llm, with_reason=True, min_confidence=minimum, on_low_confidence="fallback"
        )
    assert the_plan(planning).metadata.source == source
    assert not planning.needs_person
    if source == "fallback":
        assert_fell_back(planning, ("semantics", "confidence_too_low"))


@pytest.mark.requirement("PLAN-5")
async def test_below_the_minimum_a_person_is_asked_where_that_is_configured() -> None:
    with ScriptedLLM((None, measured_reply())) as llm:
        planning = await plan_with(llm, with_reason=True, min_confidence=0.9, on_low_confidence="person")
    assert planning.needs_person
    assert the_plan(planning).metadata.source == "planner"
    assert rungs(planning.decision.refusals) == [("semantics", "confidence_too_low")]


async def test_half_a_character_in_a_reason_is_replaced_so_that_the_plan_can_be_stored() -> None:
    broken = wire("finance.snapshot", why="\ud800")
    assert "\\ud800" in broken
    with ScriptedLLM(broken) as llm:
        planning = await plan_with(llm, with_reason=True)
    assert the_plan(planning).steps[0].reason == "?"
    assert the_plan(planning).digest().startswith("sha256:")
