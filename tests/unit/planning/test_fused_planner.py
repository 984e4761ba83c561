"""The planner in its modes: who decides, what is recorded, and what a model that says garbage can do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_world import GOOD, make_catalog, make_policy, planner, wire

from planwarden.contracts.calibration import PRIOR_ALONE, PlannerCalibration, PlannerWeights
from planwarden.contracts.model import ModelIdentity, ModelUsage
from planwarden.contracts.plan import PlanChoice, PlannerPlan
from planwarden.contracts.task import Task
from planwarden.errors import ModelError, ModelUnavailable
from planwarden.llm.service import LLMReply, TokenAlternative, TokenChoice
from planwarden.planning.fusion.choices import model_share
from planwarden.planning.planner import LLMOrchestrationPlanner, Planning
from planwarden.planning.prior import Prior, PriorRequest, ToolPrior
from planwarden.planning.validate import PlanLimits, plan_issues
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM

pytestmark = pytest.mark.anyio

CATALOG, POLICY = make_catalog(), make_policy()
TASK = Task(prompt="common quote and time")
HEAVY = PlannerWeights(prior=0.3, model=2.0, link_prior=0.3, link_model=2.0, none_prior=0.3, none_model=2.0)
LIGHT = PlannerWeights(model=0.05, link_model=0.05, none_model=0.05)
GARBAGE = [
    "",
    "\x00\ufffd~~",
    "{}",
    "null",
    '{"plan":["rm -rf"]}',
    '{"plan":[[]]}',
    '{"plan":"none"}',
    "0" * 5000,
]


WORDS = ["finance.snapshot", "utils.clock<1", "ghost", "none", "utils.clock"]


class FixedPrior:
    """Says the same of every request, as far as catalog and policy go."""

    def __init__(self, prior: Prior) -> None:
        self._prior = prior

    def prior(self, request: PriorRequest) -> Prior:
        del request
        return self._prior

    def prepare(self, catalog: object) -> None:
        """Need nothing."""

    def close(self) -> None:
        """Hold nothing."""


KNOWN = Prior(
    tools=(
        ToolPrior(name="finance.snapshot", probability=0.8, place=0.0),
        ToolPrior(name="utils.clock", probability=0.6, place=1.0),
        ToolPrior(name="research.search", probability=0.1),
    ),
    agents={
        "finance.snapshot": (("finance_agent", 1.0),),
        "utils.clock": (("general_agent", 1.0),),
        "research.search": (("research_agent", 1.0),),
    },
    fallbacks={"finance.snapshot": ("finance.analytics",)},
    none=0.02,
    ask=0.01,
)


def calibrated(weights: PlannerWeights) -> PlannerCalibration:
    return PlannerCalibration(model="m", label="m", prompt_version="v", weights=weights, measured=True)


async def plan_with(
    llm: ScriptedLLM | FunctionLLM, weights: PlannerWeights = HEAVY, known: Prior = KNOWN, **knobs: object
) -> Planning:
    base = planner(llm, **{"mode": "fused", "ask": "always", **knobs})
    working = LLMOrchestrationPlanner(llm, base.settings, FixedPrior(known), lambda _: calibrated(weights))
    try:
        return await working.plan(TASK, CATALOG, POLICY)
    finally:
        working.close()


def the_plan(planning: Planning) -> PlannerPlan:
    assert planning.decision.plan is not None
    return planning.decision.plan


def names(plan: PlannerPlan) -> list[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    return [(step.agent, step.tools, step.fallback_tools, step.depends_on) for step in plan.steps]


def choice(plan: PlannerPlan, kind: str, value: str) -> PlanChoice:
    return next(each for each in plan.metadata.choices if (each.kind, each.value) == (kind, value))


def certain(text: str) -> LLMReply:
    """Reply as a server that gives a probability to each character, and to no other."""
    tokens = tuple(
        TokenChoice(text=each, logprob=-0.01, alternatives=(TokenAlternative(text=each, logprob=-0.01),))
        for each in text
    )
    return LLMReply(text=text, usage=ModelUsage(prompt_tokens=9, output_tokens=9), tokens=tokens)


async def prior_plan() -> PlannerPlan:
    with ScriptedLLM() as llm:
        return the_plan(await plan_with(llm, mode="prior"))


@pytest.mark.requirement("FUSE-10")
async def test_in_mode_prior_no_model_is_asked_and_the_record_says_so() -> None:
    plan = await prior_plan()
    assert names(plan) == [
        ("finance_agent", ("finance.snapshot",), ("finance.analytics",), ()),
        ("general_agent", ("utils.clock",), (), ()),
    ]
    meta = plan.metadata
    assert (meta.source, meta.mode, meta.model, meta.model_share, meta.latency_s) == (
        "prior",
        "prior",
        None,
        0.0,
        None,
    )
    assert (meta.confidence_method.method, meta.handoff_strategy) == ("prior", "parallel")
    assert {each.decided_by for each in meta.choices} == {"prior", "rule"}
    assert 0 < plan.confidence < plan.steps[1].confidence < plan.steps[0].confidence


@pytest.mark.requirement("FUSE-10")
async def test_in_mode_model_the_model_alone_decides_against_the_prior() -> None:
    with ScriptedLLM((None, certain(wire("research.search")))) as llm:
        plan = the_plan(await plan_with(llm, mode="model"))
    assert names(plan) == [("research_agent", ("research.search",), (), ())]
    assert (plan.metadata.source, plan.metadata.model_share) == ("planner", 1.0)
    assert choice(plan, "tool", "research.search").decided_by == "model"
    assert plan.confidence == 1.0


@pytest.mark.requirement("FUSE-7")
async def test_a_model_whose_word_weighs_moves_the_plan_and_the_record_says_who_decided_what() -> None:
    with ScriptedLLM((None, certain(wire("finance.snapshot", "research.search<1")))) as llm:
        plan = the_plan(await plan_with(llm))
    assert names(plan) == [
        ("finance_agent", ("finance.snapshot",), ("finance.analytics",), ()),
        ("research_agent", ("research.search",), (), ("s1",)),
    ]
    meta = plan.metadata
    assert (meta.source, meta.mode, meta.handoff_strategy) == ("planner", "fused", "sequential")
    assert choice(plan, "tool", "finance.snapshot").decided_by == "both"
    moved = choice(plan, "tool", "research.search")
    assert (moved.decided_by, moved.step, moved.prior) == ("model", "s2", 0.1)
    assert moved.model == 1.0
    assert moved.fused > 0.9
    assert choice(plan, "link", "s1").decided_by == "model"
    dropped = choice(plan, "tool", "utils.clock")
    assert (dropped.decided_by, dropped.step) == ("model", None)
    assert choice(plan, "agent", "finance_agent").decided_by == "rule"
    assert meta.model_share == model_share(meta.choices)
    assert meta.model_share is not None
    assert 0.5 < meta.model_share < 1.0
    assert all(0.0 <= each.model_share <= 1.0 for each in meta.choices)


@pytest.mark.requirement("FUSE-7")
async def test_a_plan_that_the_model_did_not_move_is_the_priors() -> None:
    expected = await prior_plan()
    with ScriptedLLM((None, certain(wire("finance.snapshot", "utils.clock")))) as llm:
        affirmed = the_plan(await plan_with(llm))
    with ScriptedLLM((None, certain(wire("research.search")))) as llm:
        outweighed = the_plan(await plan_with(llm, LIGHT))
    for plan in (affirmed, outweighed):
        assert names(plan) == names(expected)
        assert plan.metadata.source == "prior"
        assert plan.metadata.model is not None
    assert choice(affirmed, "tool", "utils.clock").decided_by == "both"
    assert choice(outweighed, "tool", "utils.clock").decided_by == "prior"
    assert choice(outweighed, "tool", "research.search").decided_by == "prior"


@pytest.mark.requirement("FUSE-7")
async def test_a_way_out_that_the_model_wants_is_taken_by_its_weight() -> None:
    with ScriptedLLM((None, certain(wire("none")))) as llm:
        heavy = the_plan(await plan_with(llm))
    with ScriptedLLM((None, certain(wire("none")))) as llm:
        light = the_plan(await plan_with(llm, LIGHT))
    assert (heavy.metadata.way_out, heavy.steps[0].agent) == ("answer_without_tools", "general_agent")
    assert choice(heavy, "way_out", "answer_without_tools").decided_by == "model"
    assert light.metadata.way_out is None


@pytest.mark.requirement("FUSE-7")
async def test_a_plan_made_where_the_prior_alone_would_have_taken_a_way_out_says_so() -> None:
    lost = replace(KNOWN, none=0.85)
    with ScriptedLLM((None, certain(wire("finance.snapshot")))) as llm:
        plan = the_plan(await plan_with(llm, known=lost))
    assert [step.tools for step in plan.steps] == [("finance.snapshot",)]
    assert plan.metadata.source == "planner"
    assert choice(plan, "way_out", "none").decided_by == "model"
    assert choice(plan, "tool", "finance.snapshot").decided_by == "both"


@pytest.mark.requirement("FUSE-6")
@pytest.mark.parametrize("reply", GARBAGE)
async def test_garbage_from_a_model_that_weighs_nothing_changes_nothing_and_is_refused_once(
    reply: str,
) -> None:
    expected = await prior_plan()
    with ScriptedLLM(reply) as llm:
        planning = await plan_with(llm, PRIOR_ALONE)
    plan = the_plan(planning)
    assert plan.steps == expected.steps
    assert plan.confidence == expected.confidence
    assert plan.metadata.source == "prior"
    assert len(planning.decision.refusals) == 1
    assert planning.decision.refusals[0].rung in ("parse", "schema")


@pytest.mark.requirement("FUSE-6")
async def test_garbage_from_a_model_that_weighs_is_repaired_once_and_then_the_prior_stands() -> None:
    expected = await prior_plan()
    with ScriptedLLM("garbage", "more of it") as llm:
        planning = await plan_with(llm)
    plan = the_plan(planning)
    assert plan.steps == expected.steps
    assert plan.metadata.source == "prior"
    assert [refusal.rung for refusal in planning.decision.refusals] == ["parse", "repair"]
    assert plan.metadata.refusals == planning.decision.refusals


@pytest.mark.requirement("FUSE-6")
async def test_a_model_that_is_not_there_leaves_the_priors_plan() -> None:
    expected = await prior_plan()
    with ScriptedLLM(ModelUnavailable("Nothing answers.", remedy="Start it.")) as llm:
        planning = await plan_with(llm)
    assert the_plan(planning).steps == expected.steps
    assert the_plan(planning).metadata.source == "prior"
    assert [refusal.reason for refusal in planning.decision.refusals] == ["model_unavailable"]


@pytest.mark.requirement("FUSE-5")
@settings(max_examples=60, deadline=None)
@given(
    replies=st.lists(
        st.text(max_size=60)
        | st.binary(max_size=60).map(lambda data: data.decode("utf-8", "replace"))
        | st.lists(st.sampled_from(WORDS), max_size=7).map(lambda items: wire(*items)),
        min_size=2, max_size=2,
    ),
    spread=st.lists(st.floats(-30, 1), min_size=1, max_size=3),
    mode=st.sampled_from(["fused", "model"]),
)  # fmt: skip
async def test_whatever_a_model_says_the_plan_is_valid(
    replies: list[str], spread: Sequence[float], mode: str
) -> None:
    def tokens(text: str) -> tuple[TokenChoice, ...]:
        alternatives = tuple(
            TokenAlternative(text=word, logprob=p)
            for word, p in zip(('"]', "utils", ""), spread, strict=False)
        )
        return tuple(
            TokenChoice(text=text[at : at + 3], logprob=spread[0], alternatives=alternatives)
            for at in range(0, len(text), 3)
        )

    said = iter(replies)

    def answer(_: object) -> LLMReply | ModelError:
        text = next(said)
        return LLMReply(text=text, usage=ModelUsage(), tokens=tokens(text))

    planning = await plan_with(FunctionLLM(answer), mode=mode)
    plan = the_plan(planning)
    assert plan_issues(plan, CATALOG, POLICY, PlanLimits()) == ()
    assert all(math.isfinite(step.confidence) for step in plan.steps)


@pytest.mark.requirement("FUSE-8")
async def test_a_model_is_asked_only_where_its_word_can_change_the_plan() -> None:
    with ScriptedLLM() as llm:
        unasked = the_plan(await plan_with(llm, LIGHT, ask="auto"))
    assert unasked.metadata.source == "prior"
    assert unasked.steps == (await prior_plan()).steps
    with ScriptedLLM((None, certain(wire("finance.snapshot")))) as llm:
        asked = the_plan(await plan_with(llm, HEAVY, ask="auto"))
    assert names(asked) == names(await prior_plan())[:1]
    assert asked.metadata.source == "planner"


@pytest.mark.requirement("FUSE-3")
async def test_a_stand_in_that_answers_is_weighed_by_its_own_measure() -> None:
    other = ModelIdentity(provider="embedded", model="stand-in")

    def weigh(identity: ModelIdentity) -> PlannerCalibration:
        return calibrated(PRIOR_ALONE if identity == other else HEAVY)

    def answer(_: object) -> LLMReply:
        reply = certain(wire("research.search"))
        return LLMReply(text=reply.text, usage=reply.usage, tokens=reply.tokens, answered_by=other)

    llm = FunctionLLM(answer)
    working = LLMOrchestrationPlanner(
        llm, planner(llm, mode="fused", ask="always").settings, FixedPrior(KNOWN), weigh
    )
    plan = the_plan(await working.plan(TASK, CATALOG, POLICY))
    working.close()
    assert plan.metadata.source == "prior"
    assert plan.metadata.model == "stand-in"


@pytest.mark.requirement("NOTE-7")
async def test_reasons_are_the_models_own_where_it_writes_them_and_else_the_catalogs() -> None:
    with ScriptedLLM(wire("finance.snapshot", why="they ask for a price")) as llm:
        own = the_plan(await plan_with(llm, mode="model", with_reason=True))
    with ScriptedLLM(GOOD) as llm:
        rendered = the_plan(await plan_with(llm, mode="model"))
    assert own.steps[0].reason == "they ask for a price"
    assert rendered.steps[0].reason == "catalog: Common price quote"
    with ScriptedLLM((None, certain(wire("research.search", why="for documents")))) as llm:
        moved = the_plan(await plan_with(llm, LIGHT, with_reason=True))
    assert [step.reason for step in moved.steps] == [
        "catalog: Common price quote",
        "catalog: Common time of day",
    ]
