"""What was chosen instead of a model that failed is on record: plans, arguments, answers, stand-ins."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from runs import WIRE, a_stage, a_step, general, worker

from planwarden.audit.render import dossier_markdown
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.model import AnswerStyle, ModelUsage
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.task import Task
from planwarden.errors import (
    ModelCircuitOpen,
    ModelError,
    ModelTimedOut,
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
)
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.llm.wrappers.stand_in import StandInLLM
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM
from planwarden.testing.stage import Stage, plan_of
from planwarden.testing.ticking_clock import TickingClock

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-25")]

NO_COST = ModelUsage()
DOWN = ModelUnavailable("Nobody home.", remedy="Start it.")
LOOK = CannedTool("look", {"text": "seen 5"})
TYPED = CannedTool("typed", {"text": "typed"}, parameters=ONE_TEXT)
EACH: Sequence[ModelError] = [
    DOWN,
    ModelCircuitOpen("Failed too often.", remedy="Look."),
    ModelTimedOut("Late.", remedy="Wait."),
    ReplyIncomplete("Cut.", remedy="Raise."),
    ReplyInvalid("Nonsense.", remedy="Look."),
]
each_error = pytest.mark.parametrize("error", EACH, ids=lambda error: error.code)


async def carried_out(stage: Stage, plan: PlannerPlan | None, prompt: str = "Do it.") -> Dossier:
    state = await stage.orchestrator().route_task(Task(prompt=prompt), plan)
    return await stage.dossier(state.run_id)


def standing_in(second: FunctionLLM | ScriptedLLM) -> StandInLLM:
    return StandInLLM(FunctionLLM(lambda _: DOWN), second, clock=TickingClock())


def small(answer: str, style: AnswerStyle = "evidence") -> FunctionLLM:
    return FunctionLLM(
        lambda _: answer,
        answer_style=style,
        argument_style="grounded" if style == "evidence" else "free",
    )


@each_error
async def test_a_planner_model_that_fails_is_named_where_the_fallback_plan_came_of_it(
    error: ModelError,
) -> None:
    stage, _ = a_stage(LOOK, planner_llm=FunctionLLM(lambda _: error), agents=(worker("look"), general()))
    dossier = await carried_out(stage, None)
    assert dossier.decision is not None
    (refusal,) = dossier.decision.refusals
    assert (refusal.rung, refusal.reason) == ("constrained_output", error.code)
    assert error.message in refusal.message
    used = next(each for each in dossier.deviations if each.kind == "fallback_plan_used")
    assert used.detail == f"constrained_output: {error.code}"
    assert dossier.exchanges[0].exchange.error_code == error.code
    page = dossier_markdown(dossier)
    assert f"| constrained_output | {error.code} |" in page
    assert "Not answered, or not by the model asked:" in page


@each_error
async def test_an_answer_that_the_model_fails_to_write_is_rendered_from_what_the_tools_returned(
    error: ModelError,
) -> None:
    stage, _ = a_stage(LOOK, agent_llm=FunctionLLM(lambda _: error))
    dossier = await carried_out(stage, plan_of(a_step("look")))
    assert (dossier.status, dossier.adherence) == ("completed", 1.0)
    answer = dossier.answer
    assert answer is not None
    assert (answer.text, answer.style, answer.evidence) == ("seen 5 [s1.1]", "evidence", ("s1.1",))
    assert answer.rendered_because == error.code
    assert dossier.exchanges[0].exchange.error_code == error.code
    page = dossier_markdown(dossier)
    assert f"Rendered from the evidence because of `{error.code}`." in page
    assert f"| answer | none | {error.code}: {error.message}" in page


async def test_the_run_says_it_too_when_one_of_its_last_steps_was_rendered() -> None:
    def fails_for_b(request: LLMRequest) -> str | ModelError:
        return DOWN if "[b.1]" in request.messages[-1].content else "Seen [a.1]."

    stage, _ = a_stage(LOOK, agent_llm=FunctionLLM(fails_for_b))
    dossier = await carried_out(stage, plan_of(a_step("look", name="a"), a_step("look", name="b")))
    assert dossier.answer is not None
    assert dossier.answer.text == "Seen [a.1].\n\nseen 5 [b.1]"
    assert dossier.answer.rendered_because == "model_unavailable"


async def test_an_answer_in_the_models_own_words_says_nothing_of_the_kind() -> None:
    stage, _ = a_stage(LOOK)
    dossier = await carried_out(stage, plan_of(a_step("look")))
    assert dossier.answer is not None
    assert (dossier.answer.text, dossier.answer.rendered_because) == ("Done.", "")
    assert "Not answered, or not by" not in dossier_markdown(dossier)


@pytest.mark.parametrize("error", [DOWN, PromptTooLong("Too long.", remedy="Shorten.")])
async def test_without_evidence_nothing_is_made_up(error: ModelError) -> None:
    stage, _ = a_stage(LOOK, agents=(worker("look"), general()), agent_llm=FunctionLLM(lambda _: error))
    toolless = a_step().model_copy(update={"agent": "general_agent"})
    dossier = await carried_out(stage, plan_of(toolless))
    assert (dossier.status, dossier.answer, dossier.steps[0].failure_code) == ("failed", None, error.code)


@pytest.mark.requirement("LLM-24")
class TestStandIn:
    async def test_it_is_asked_the_same_and_its_plan_names_it(self) -> None:
        second = ScriptedLLM(WIRE, answer_style="evidence", argument_style="grounded")
        stage, _ = a_stage(
            CannedTool("look"),
            CannedTool("seek"),
            planner_llm=standing_in(second),
        )
        dossier = await carried_out(stage, None, "Please look.")
        assert dossier.decision is not None
        plan = dossier.decision.plan
        assert plan is not None
        assert (plan.metadata.source, plan.metadata.model) == ("planner", "scripted")
        by = dossier.exchanges[0].exchange.answered_by
        assert by is not None
        assert by.chosen_because == "stands in for function (model_unavailable): Nobody home."
        asked = dossier.exchanges[0].exchange
        assert asked.messages == second.requests[0].messages
        assert asked.output_schema == second.requests[0].output_schema
        assert "seek" in json.dumps(asked.output_schema)
        assert "| plan | scripted (scripted) | stands in for" in dossier_markdown(dossier)

    async def test_its_arguments_are_grounded_in_the_request(self) -> None:
        second = small('{"text":"sea"}')
        stage, ran = a_stage(TYPED, agent_llm=standing_in(second))
        dossier = await carried_out(stage, plan_of(a_step("typed")), 'Type "sea"')
        assert [each.arguments for each in ran] == [{"text": "sea"}]
        schema = dossier.exchanges[0].exchange.output_schema
        assert schema == second.requests[0].output_schema
        assert "enum" in json.dumps(schema)

    async def test_arguments_that_the_request_does_not_name_are_not_taken_from_it(self) -> None:
        numbered = CannedTool(
            "numbered",
            parameters={
                "type": "object",
                "properties": {"count": {"type": "integer"}},
                "required": ["count"],
                "additionalProperties": False,
            },
        )
        stage, ran = a_stage(numbered, agent_llm=standing_in(small('{"count":7}')))
        dossier = await carried_out(stage, plan_of(a_step("numbered")), "Do it.")
        assert (ran, dossier.steps[0].failure_code) == ([], "argument_ungrounded")

    async def test_instead_of_its_prose_the_answer_is_rendered(self) -> None:
        stage, _ = a_stage(LOOK, agent_llm=standing_in(small("Seven, I think.")))
        dossier = await carried_out(stage, plan_of(a_step("look")))
        assert dossier.answer is not None
        assert (dossier.answer.text, dossier.answer.rendered_because) == ("seen 5 [s1.1]", "stand_in")

    async def test_the_prose_of_one_that_can_write_is_used(self) -> None:
        stage, _ = a_stage(LOOK, agent_llm=standing_in(small("It is 5.", "prose")))
        dossier = await carried_out(stage, plan_of(a_step("look")))
        assert dossier.answer is not None
        assert (dossier.answer.text, dossier.answer.rendered_because) == ("It is 5 [s1.1].", "")
        assert dossier.exchanges[0].exchange.answered_by is not None

    async def test_without_tools_its_answer_is_kept_short(self) -> None:
        second = small('{"answer":"I am a test. I go on and"}')
        stage, _ = a_stage(LOOK, agents=(worker("look"), general()), agent_llm=standing_in(second))
        toolless = a_step().model_copy(update={"agent": "general_agent"})
        dossier = await carried_out(stage, plan_of(toolless))
        assert dossier.answer is not None
        assert dossier.answer.text == "I am a test."


async def test_half_a_character_pair_in_a_plan_does_not_break_the_run() -> None:
    broken = LLMReply(text='{"steps":"\ud83d"}', usage=NO_COST)
    stage, _ = a_stage(LOOK, planner_llm=FunctionLLM(lambda _: broken), agents=(worker("look"), general()))
    dossier = await carried_out(stage, None)
    assert dossier.exchanges[0].exchange.reply == '{"steps":"?"}'
