"""Bound arguments: evaluated by the runtime from the record, never by the agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planwarden.contracts.plan import (
    ArgumentSource,
    CallBinding,
    FreeText,
    LiteralValue,
    PlannedAgentStep,
    ResultReference,
)
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import AgentSpec, JsonSchema
from planwarden.contracts.task import Task
from planwarden.contracts.value import Json
from planwarden.llm.service import LLMRequest
from planwarden.runtime.binding import bind
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.recording_tool import recording
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("RUN-1")]

SEND: JsonSchema = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "body": {"type": "string"}},
    "required": ["to", "body"],
    "additionalProperties": False,
}
FOUND: Json = {"text": "x", "rows": [{"a/b": "first"}, {"m~n": "second"}], "who": "ann@example.org"}


async def state_after_the_first_step(result: Json) -> RunState:
    tools, _ = recording((CannedTool("find", result), CannedTool("send", effect="external", parameters=SEND)))
    agent = AgentSpec(name="worker", description="Works", tools=("find", "send"))
    stage = Stage(agents=(agent,), tools=tools)
    log = await stage.begin(
        plan_of(PlannedAgentStep(id="s1", agent="worker", tools=("find",))), Task(prompt="Do it.")
    )
    await (await stage.open_step(log)).call("find", {})
    return log.state


def second_step(**sources: ArgumentSource) -> PlannedAgentStep:
    binding = CallBinding(tool="send", arguments=dict(sources))
    return PlannedAgentStep(id="s2", agent="worker", tools=("send",), depends_on=("s1",), bindings=(binding,))


def at(pointer: str) -> ResultReference:
    return ResultReference(step="s1", tool="find", pointer=pointer)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", FOUND),
        ("/who", "ann@example.org"),
        ("/rows/0/a~1b", "first"),
        ("/rows/1/m~0n", "second"),
        ("/rows/1", {"m~n": "second"}),
    ],
)
async def test_a_reference_gives_the_named_field_of_an_earlier_result(pointer: str, value: Json) -> None:
    state = await state_after_the_first_step(FOUND)
    bound = bind(state, second_step(to=at(pointer)), "send", SEND)
    assert (bound.fixed, bound.problem) == ({"to": value}, "")
    assert list(bound.open_schema["properties"]) == ["body"]  # type: ignore[call-overload]  # a schema is JSON
    assert bound.open_schema["required"] == ["body"]


@pytest.mark.parametrize("pointer", ["/nobody", "/rows/2", "/rows/-1", "/rows/x", "/who/0", "/rows/1/"])
async def test_a_reference_to_nothing_is_a_problem_not_a_guess(pointer: str) -> None:
    state = await state_after_the_first_step(FOUND)
    assert f"has no '{pointer}'" in bind(state, second_step(to=at(pointer)), "send", SEND).problem


async def test_a_reference_to_a_call_that_gave_nothing_is_a_problem() -> None:
    state = await state_after_the_first_step(ValueError("broken"))
    assert "has no result of 'find'" in bind(state, second_step(to=at("/who")), "send", SEND).problem


async def test_literals_are_fixed_and_free_text_is_left_open() -> None:
    state = await state_after_the_first_step(FOUND)
    step = second_step(to=LiteralValue(value="bob@example.org"), body=FreeText())
    bound = bind(state, step, "send", SEND)
    assert bound.fixed == {"to": "bob@example.org"}
    assert bound.open_schema["required"] == ["body"]
    assert bind(state, step, "find", SEND).fixed == {}


async def test_a_model_cannot_write_over_a_bound_argument() -> None:
    asked: list[Any] = []

    def reply(request: LLMRequest) -> str:
        if request.output_schema is None:
            return "Sent."
        asked.append(request.output_schema)
        return json.dumps({"to": "mallory@example.org", "body": "hello"})

    tools, ran = recording(
        (CannedTool("find", FOUND), CannedTool("send", effect="external", parameters=SEND))
    )
    agent = AgentSpec(name="worker", description="Works", tools=("find", "send"))
    stage = Stage(agents=(agent,), tools=tools, agent_llm=FunctionLLM(reply))
    first = PlannedAgentStep(id="s1", agent="worker", tools=("find",))
    plan = plan_of(first, second_step(to=at("/who")))
    state = await stage.orchestrator().route_task(Task(prompt="Do it."), plan)
    assert state.status == "completed"
    assert ran[-1].arguments == {"to": "ann@example.org", "body": "hello"}
    assert [list(schema["properties"]) for schema in asked] == [["body"]]


async def test_a_reference_that_leads_nowhere_fails_the_step_before_the_call() -> None:
    tools, ran = recording(
        (CannedTool("find", FOUND), CannedTool("send", effect="external", parameters=SEND))
    )
    agent = AgentSpec(name="worker", description="Works", tools=("find", "send"))
    stage = Stage(agents=(agent,), tools=tools, agent_llm=FunctionLLM(lambda _: "Found."))
    first = PlannedAgentStep(id="s1", agent="worker", tools=("find",))
    plan = plan_of(first, second_step(to=at("/nobody")))
    state = await stage.orchestrator().route_task(Task(prompt="Do it."), plan)
    assert (state.status, state.ended and state.ended.code) == ("failed", "binding_failed")
    assert [each.tool for each in ran] == ["find"]
