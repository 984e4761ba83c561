"""What becomes of an answer with unsupported numbers; our own texts in the request's language."""

from __future__ import annotations

from typing import Literal

import pytest

from planwarden.contracts.plan import PlanMetadata, PlannedAgentStep, PlannerPlan
from planwarden.contracts.run import RunState, final_answer
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.runtime.asking import AgentSettings
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.stage import Stage, plan_of

pytestmark = pytest.mark.anyio

AGENT = AgentSpec(name="general_agent", description="Works", tools=("look",), may_answer_without_tools=True)
STEP = PlannedAgentStep(id="s1", agent="general_agent", tools=("look",))


async def run(
    prompt: str, reply: str, rule: Literal["flag", "render", "fail"], *, tool: bool = True
) -> RunState:
    metadata = PlanMetadata(source="planner", way_out="answer_without_tools")
    toolless = PlannerPlan(steps=(STEP.model_copy(update={"tools": ()}),), metadata=metadata)
    with ScriptedLLM(reply) as llm:
        stage = Stage(
            agents=(AGENT,),
            tools={"look": CannedTool("look", {"text": "es sind 9"})},
            agent_llm=llm,
            agent_settings=AgentSettings(unsupported_numbers=rule),
        )
        return await stage.orchestrator().route_task(Task(prompt=prompt), plan_of(STEP) if tool else toolless)


@pytest.mark.requirement("ANS-2")
async def test_a_number_without_evidence_is_flagged_and_the_answer_kept() -> None:
    answer = final_answer(await run("Wie viele sind es?", "Es sind 10.", "flag"))
    assert answer is not None
    assert (answer.text, answer.style, answer.unsupported_numbers) == ("Es sind 10.", "prose", ("10",))


@pytest.mark.requirement("ANS-2", "ANS-4")
async def test_with_render_the_evidence_is_the_answer_in_place_of_it() -> None:
    answer = final_answer(await run("Wie viele sind es denn?", "Es sind 10.", "render"))
    assert answer is not None
    assert answer.text == "Was die Werkzeuge geliefert haben:\nes sind 9 [s1.1]"
    assert (answer.style, answer.rendered_because) == ("evidence", "unsupported_numbers")
    assert (answer.evidence, answer.unsupported_numbers, answer.grounded) == (("s1.1",), (), True)


@pytest.mark.requirement("ANS-2", "ANS-4")
async def test_with_render_and_no_evidence_it_is_said_that_there_is_none() -> None:
    answer = final_answer(await run("¿Cuántos habitantes tiene?", "Tiene 10.", "render", tool=False))
    assert answer is not None
    assert answer.text == "Ninguna herramienta devolvió nada que responda a esto."
    assert not answer.grounded


@pytest.mark.requirement("ANS-2")
async def test_with_fail_the_step_fails_and_names_the_numbers() -> None:
    state = await run("How many?", "It is 10.", "fail")
    assert state.status == "failed"
    assert state.steps["s1"].failure_code == "unsupported_numbers"
    assert "10" in state.steps["s1"].failure_message


@pytest.mark.requirement("ANS-2")
@pytest.mark.parametrize("rule", ["flag", "render", "fail"])
async def test_an_answer_whose_numbers_are_in_evidence_is_kept_under_every_rule(
    rule: Literal["flag", "render", "fail"],
) -> None:
    answer = final_answer(await run("How many?", "It is nine [s1.1].", rule))
    assert answer is not None
    assert (answer.text, answer.style) == ("It is nine [s1.1].", "prose")


@pytest.mark.requirement("ANS-4")
async def test_a_question_back_is_asked_in_the_language_of_the_request() -> None:
    metadata = PlanMetadata(source="planner", way_out="ask_user")
    plan = PlannerPlan(steps=(STEP.model_copy(update={"tools": ()}),), metadata=metadata)
    stage = Stage(agents=(AGENT,), tools={"look": CannedTool("look")})
    state = await stage.orchestrator().route_task(Task(prompt="Сделай что-нибудь полезное, пожалуйста"), plan)
    answer = final_answer(state)
    assert answer is not None
    assert answer.text.startswith("Неясно, что здесь нужно сделать.")


@pytest.mark.requirement("ANS-4")
async def test_the_model_is_told_to_answer_in_the_language_of_the_request() -> None:
    with ScriptedLLM(("Answer in the language of the request.", "Es sind 9 [s1.1].")) as llm:
        stage = Stage(agents=(AGENT,), tools={"look": CannedTool("look", {"text": "9"})}, agent_llm=llm)
        await stage.orchestrator().route_task(Task(prompt="Wie viele?"), plan_of(STEP))
