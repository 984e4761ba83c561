"""What the runtime does for a model whose measured capability carries neither prose nor free arguments."""

from __future__ import annotations

import pytest

from planwarden.contracts.plan import PlanMetadata, PlannedAgentStep, PlannerPlan
from planwarden.contracts.run import RunState, final_answer
from planwarden.contracts.specs import AgentSpec, JsonSchema
from planwarden.contracts.task import Task
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.recording_tool import Invocation, recording
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.stage import Stage, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("ARG-2")]

AGENT = AgentSpec(
    name="worker", description="Works", tools=("compute", "lookup"), may_answer_without_tools=True
)
SUM: JsonSchema = {
    "type": "object",
    "properties": {"expression": {"type": "string", "pattern": "^[0-9 *+]+$"}},
    "required": ["expression"],
    "additionalProperties": False,
}


async def run(prompt: str, plan: PlannerPlan, *replies: str) -> tuple[RunState, list[Invocation]]:
    tools, ran = recording((CannedTool("compute", {"text": "it is 6"}, parameters=SUM), CannedTool("lookup")))
    with ScriptedLLM(*replies, answer_style="evidence", argument_style="grounded") as llm:
        stage = Stage(agents=(AGENT,), tools=tools, agent_llm=llm)
        state = await stage.orchestrator().route_task(Task(prompt=prompt), plan)
    return state, ran


def step(*tools: str) -> PlannedAgentStep:
    return PlannedAgentStep(id="s1", agent="worker", tools=tools)


async def test_it_is_not_asked_for_an_argument_that_the_request_does_not_name() -> None:
    state, ran = await run("What does delivery cost?", plan_of(step("compute")))
    assert state.status == "failed"
    assert state.steps["s1"].failure_code == "argument_ungrounded"
    assert "expression" in state.steps["s1"].failure_message
    assert ran == []


async def test_it_chooses_among_what_the_request_names_and_the_evidence_is_the_answer() -> None:
    state, ran = await run("What is 2 * 3?", plan_of(step("compute")), '{"expression":"2 * 3"}')
    assert state.status == "completed"
    assert [one.arguments for one in ran] == [{"expression": "2 * 3"}]
    answer = final_answer(state)
    assert answer is not None
    assert answer.text == "it is 6 [s1.1]"


async def test_its_own_word_is_bounded_to_whole_sentences_each_said_once() -> None:
    metadata = PlanMetadata(source="planner", way_out="answer_without_tools")
    plan = PlannerPlan(steps=(step(),), metadata=metadata)
    state, _ = await run("Who are you?", plan, '{"answer":"I plan. I help. I help. I he"}')
    answer = final_answer(state)
    assert answer is not None
    assert answer.text == "I plan. I help."
    assert not answer.grounded


async def test_a_sentence_that_a_small_model_repeats_is_said_once_the_first_one_too() -> None:
    metadata = PlanMetadata(source="edited", handoff_strategy="sequential", way_out="answer_without_tools")
    plan = PlannerPlan(steps=(step(),), metadata=metadata, confidence=1.0)
    state, _ = await run("Who are you?", plan, '{"answer":"I am a bot. I help. I am a bot. I am a b"}')
    answer = final_answer(state)
    assert answer is not None
    assert answer.text == "I am a bot. I help."
