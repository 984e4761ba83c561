"""Directed execution: the model fills in arguments, the tool runs, the model answers; all of it on record."""

from __future__ import annotations

import pytest

from planwarden.contracts.facts import ModelAnswered
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Exchange, Task, TaskLimits
from planwarden.errors import ModelUnavailable, PromptTooLong, ToolFailed
from planwarden.llm.service import LLMRequest
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.recording_tool import Invocation, recording
from planwarden.testing.scripted_llm import FunctionLLM, Scripted, ScriptedLLM
from planwarden.testing.stage import Stage, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("RUN-3")]

BROKEN = ToolFailed("it is broken.", remedy="Mend it.")
NAMES = ("look", "typed", "seek", "spare", "save")
AGENT = AgentSpec(name="worker", description="Works", instruction="Be brief.", tools=NAMES)


def a_stage(llm: ScriptedLLM | FunctionLLM) -> tuple[Stage, list[Invocation]]:
    tools, ran = recording(
        (
            CannedTool("look", {"text": "seen 5"}),
            CannedTool("typed", {"text": "typed 6"}, parameters=ONE_TEXT),
            CannedTool("seek", BROKEN),
            CannedTool("spare", {"text": "spared"}),
            CannedTool("save", effect="write"),
        )
    )
    return Stage(agents=(AGENT,), tools=tools, agent_llm=llm), ran


def a_step(*tools: str, fallback: tuple[str, ...] = ()) -> PlannedAgentStep:
    return PlannedAgentStep(id="s1", agent="worker", tools=tools, fallback_tools=fallback)


async def carried_out(stage: Stage, step: PlannedAgentStep, task: Task | None = None) -> RunState:
    return await stage.orchestrator().route_task(task or Task(prompt="How many?"), plan_of(step))


def asks_arguments(request: LLMRequest) -> bool:
    return request.output_schema is not None


def asks_answer(request: LLMRequest) -> bool:
    return request.output_schema is None


async def test_each_planned_tool_gets_its_arguments_runs_and_the_answer_is_written_from_the_evidence() -> (
    None
):
    with ScriptedLLM((asks_arguments, '{"text":"this"}'), (asks_answer, "5 and 6 [s1.2].")) as llm:
        stage, ran = a_stage(llm)
        state = await carried_out(stage, a_step("look", "typed"))
    assert [(each.tool, each.arguments) for each in ran] == [("look", {}), ("typed", {"text": "this"})]
    answer = state.steps["s1"].answer
    assert answer is not None
    assert (answer.text, answer.evidence, answer.unsupported_numbers) == ("5 and 6 [s1.2].", ("s1.2",), ())
    assert (state.status, state.adherence, state.deviations, state.model_calls) == ("completed", 1.0, (), 2)
    filled, asked = llm.requests
    assert filled.output_schema == ONE_TEXT
    assert "[s1.1] look: seen 5\n[s1.2] typed: typed 6" in asked.messages[-1].content
    assert asked.messages[0].content.startswith("Be brief.")


async def test_refused_arguments_go_back_to_the_model_with_the_reason() -> None:
    script = ('{"text":5}', "not json", "[]", '{"text":"x"}', "Done.")
    with ScriptedLLM(*script) as llm:
        stage, ran = a_stage(llm)
        task = Task(prompt="Do it.", limits=TaskLimits(max_refusals_per_step=9))
        state = await carried_out(stage, a_step("typed"), task)
    assert [each.arguments for each in ran] == [{"text": "x"}]
    told = [request.messages[-1].content for request in llm.requests]
    assert "refused" not in told[0]
    assert "Your last arguments were refused: text: 5 is not of type 'string'" in told[1]
    assert "not JSON" in told[2]
    assert "not a JSON object" in told[3]
    assert [fact.refusal for fact in state.steps["s1"].refused] == ["argument_rejected"] * 3
    assert state.status == "completed"


async def test_a_fallback_stands_in_for_a_planned_tool_that_failed() -> None:
    stage, ran = a_stage(FunctionLLM(lambda _: "Done."))
    state = await carried_out(stage, a_step("seek", "look", fallback=("spare",)))
    assert [each.tool for each in ran] == ["seek", "spare", "look"]
    assert [d.kind for d in state.deviations] == ["tool_failed", "fallback_used"]
    assert (state.status, state.adherence) == ("completed", 0.0)


async def test_a_fallback_that_is_not_needed_is_not_called_and_is_no_deviation() -> None:
    stage, ran = a_stage(FunctionLLM(lambda _: "Done."))
    state = await carried_out(stage, a_step("look", fallback=("spare",)))
    assert ([each.tool for each in ran], state.deviations) == (["look"], ())


async def test_planned_and_fallback_both_failing_is_a_tool_first_violation() -> None:
    stage, ran = a_stage(FunctionLLM(lambda _: "Done."))
    state = await carried_out(stage, a_step("seek", fallback=()))
    assert [each.tool for each in ran] == ["seek"]
    assert state.ended is not None
    assert state.ended.code == "tool_first_policy_violation"
    assert "it is broken" in state.ended.message


async def test_a_model_that_is_down_fails_the_step_and_what_it_was_asked_is_on_record() -> None:
    with ScriptedLLM(ModelUnavailable("Nothing answers.", remedy="Start it.")) as llm:
        stage, _ = a_stage(llm)
        state = await carried_out(stage, a_step("typed"))
    assert (state.status, state.ended and state.ended.code) == ("failed", "model_unavailable")
    events = await stage.record.read(state.run_id)
    exchanges = [event.fact.exchange for event in events if isinstance(event.fact, ModelAnswered)]
    assert [(each.purpose, each.reply, each.error_code) for each in exchanges] == [
        ("arguments", None, "model_unavailable")
    ]


async def test_a_prompt_that_is_too_long_for_the_agent_fails_the_step() -> None:
    with ScriptedLLM(PromptTooLong("too long.", remedy="Shorten it.")) as llm:
        stage, ran = a_stage(llm)
        state = await carried_out(stage, a_step("typed"))
    assert (state.ended and state.ended.code, ran) == ("prompt_too_long", [])


async def test_a_reply_with_half_a_character_pair_is_recorded_and_does_not_break_the_run() -> None:
    stage, _ = a_stage(FunctionLLM(lambda _: "Half \ud83d a face."))
    state = await carried_out(stage, a_step("look"))
    assert state.status == "completed"
    assert state.steps["s1"].answer is not None
    assert state.steps["s1"].answer.text == "Half ? a face."


async def test_a_tool_that_the_model_style_evidence_used_answers_in_its_own_words() -> None:
    llm = FunctionLLM(lambda _: '{"text":"x"}', answer_style="evidence")
    stage, _ = a_stage(llm)
    state = await carried_out(stage, a_step("look", "typed"))
    answer = state.steps["s1"].answer
    assert answer is not None
    assert (answer.style, answer.text) == ("evidence", "seen 5 [s1.1]\ntyped 6 [s1.2]")
    assert all(request.output_schema is not None for request in llm.requests)


async def test_earlier_turns_of_the_conversation_reach_the_answer() -> None:
    with ScriptedLLM(Scripted(reply="Yes.", when="Earlier words")) as llm:
        stage, _ = a_stage(llm)
        turns = (Exchange(role="user", content="Earlier words"), Exchange(role="assistant", content="Heard."))
        state = await carried_out(stage, a_step("look"), Task(prompt="And now?", exchanges=turns))
    assert state.status == "completed"


async def test_the_token_budget_of_a_run_ends_the_step_that_passes_it() -> None:
    stage, ran = a_stage(FunctionLLM(lambda _: '{"text":"x"}'))
    task = Task(prompt="Do it.", limits=TaskLimits(max_tokens=10))
    state = await carried_out(stage, a_step("typed", "look"), task)
    assert state.ended is not None
    assert (state.ended.code, [each.tool for each in ran]) == ("budget_exceeded", ["typed"])
    assert [d.kind for d in state.deviations] == ["budget_exceeded", "tool_skipped"]
