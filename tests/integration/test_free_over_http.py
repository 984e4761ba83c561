"""Free execution over real HTTP: Ollama's own notation both ways, from the request to the dossier."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.llm.ollama.service import OllamaLLM
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.llm.wrappers.retrying import RetryingLLM
from planwarden.runtime.asking import AgentSettings
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.recording_tool import Invocation, recording
from planwarden.testing.scripted_llm import FunctionLLM, asking
from planwarden.testing.stage import Stage, plan_of
from planwarden.testing.ticking_clock import TickingClock

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("FREE-6")]

STEP = PlannedAgentStep(id="s1", agent="worker", tools=("docs.look", "docs.note"))
Bodies = Sequence[Mapping[str, Any]]


async def carried_out(
    answer: Callable[[LLMRequest], str | LLMReply], *, calls_tools: bool, claims_tools: bool
) -> tuple[RunState, list[Invocation], Bodies]:
    """Carry out a step with a model behind a real server on loopback."""
    tools, ran = recording(
        (CannedTool("docs.look", {"text": "the answer is 42"}), CannedTool("docs.note", parameters=ONE_TEXT))
    )

    class Claiming(FakeOllama):
        def _capabilities(self) -> list[str]:
            return ["completion", "tools"] if claims_tools else ["completion"]

    async with Claiming(service=FunctionLLM(answer, calls_tools=calls_tools)).serve() as fake:
        clock = TickingClock()
        ollama = await OllamaLLM.connect(base_url=fake.url, model="llama3.2:1b", clock=clock)
        llm = RetryingLLM(ollama, clock=clock, attempts=1)
        stage = Stage(
            agents=(AgentSpec(name="worker", description="Works", tools=tuple(tools)),),
            tools=tools,
            agent_llm=llm,
            agent_settings=AgentSettings(execution="free"),
            clock=clock,
        )
        state = await stage.orchestrator().route_task(Task(prompt="What is the answer?"), plan_of(STEP))
        assert await stage.record.verify(state.run_id) == ()
        await llm.aclose()
        return state, ran, cast("Bodies", fake.bodies)


def driving(request: LLMRequest) -> LLMReply | str:
    """Ask by the names that the server showed; among them one that it did not show."""
    shown = [tool.name for tool in request.tools]
    told = [message.content for message in request.messages if message.role == "tool"]
    if not told:
        return asking(("rm_all", {"path": "/"}), (shown[0], {}))
    if len(told) == 2:
        return asking((shown[1], {"text": told[-1]}), text="Noting it.")
    return "The answer is 42 [s1.1]."


async def test_a_model_behind_a_server_drives_its_step_and_is_told_what_came_of_its_calls() -> None:
    state, ran, bodies = await carried_out(driving, calls_tools=True, claims_tools=True)
    assert [each.tool for each in ran] == ["docs.look", "docs.note"]
    assert ran[1].arguments == {"text": "[s1.1] the answer is 42"}
    answer = state.steps["s1"].answer
    assert answer is not None
    assert (state.status, answer.text, answer.evidence) == (
        "completed",
        "The answer is 42 [s1.1].",
        ("s1.1",),
    )
    assert [d.kind for d in state.deviations] == ["unplanned_tool_blocked"]
    assert state.steps["s1"].fell is None
    assert [[tool["function"]["name"] for tool in body["tools"]] for body in bodies] == [
        ["docs_look"],
        ["docs_look", "docs_note"],
        ["docs_look", "docs_note"],
    ]
    assert [message["role"] for message in bodies[2]["messages"]] == [
        "system", "user", "assistant", "tool", "tool", "assistant", "tool",
    ]  # fmt: skip
    refused = bodies[1]["messages"][3]
    assert refused["tool_name"] == "rm_all"
    assert refused["content"].startswith("refused (unplanned_tool_blocked)")
    assert bodies[2]["messages"][5]["tool_calls"][0]["function"]["name"] == "docs_note"


def filling_in(request: LLMRequest) -> str:
    return json.dumps({"text": "x"}) if request.output_schema is not None else "The answer is 42."


@pytest.mark.parametrize("claims_tools", [False, True])
async def test_a_server_whose_model_takes_no_tools_leads_to_directed_execution(claims_tools: bool) -> None:
    state, ran, bodies = await carried_out(filling_in, calls_tools=False, claims_tools=claims_tools)
    assert [each.tool for each in ran] == ["docs.look", "docs.note"]
    step = state.steps["s1"]
    assert step.fell is not None
    assert (step.fell.reason, state.status, state.adherence) == ("tool_calling_unsupported", "completed", 1.0)
    why = "takes no tools" if claims_tools else "is not known to call tools"
    assert why in step.fell.message
    assert [("tools" in body) for body in bodies] == (
        [True, False, False] if claims_tools else [False, False]
    )
