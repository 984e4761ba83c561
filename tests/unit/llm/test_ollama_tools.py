"""Native tool calls on Ollama's protocol: what is sent, what is read, which models are known to take them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from planwarden.contracts.model import Message, ToolRequest
from planwarden.contracts.specs import ToolSpec
from planwarden.errors import ReplyInvalid, ToolCallingUnsupported
from planwarden.llm.ollama.service import OllamaLLM
from planwarden.llm.ollama.stream import ChatStream, raise_for_answer
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.llm.wire.tools import own_name, wire_name, wire_names
from planwarden.testing.canned_tool import NO_ARGUMENTS, ONE_TEXT
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.model_server.loopback import Received, Wire
from planwarden.testing.scripted_llm import FunctionLLM, asking

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-14")]


def a_tool(name: str, parameters: Any = NO_ARGUMENTS) -> ToolSpec:
    return ToolSpec(name=name, description=f"Do {name}", effect="read", parameters=parameters)


TOOLS = (a_tool("files.write", ONE_TEXT), a_tool("look"))
Reply = Callable[[LLMRequest], str | LLMReply]
ASKED = LLMRequest(messages=(Message(role="user", content="Do it."),), tools=TOOLS, timeout_s=30)


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


@asynccontextmanager
async def connected(reply: Reply, **given: Any) -> AsyncGenerator[tuple[FakeOllama, OllamaLLM]]:
    async with FakeOllama(service=FunctionLLM(reply, calls_tools=given.pop("calls_tools", True)), **given).serve() as fake:  # fmt: skip  # noqa: E501
        ollama = await OllamaLLM.connect(base_url=fake.url, model="llama3.2:1b", clock=StillClock())
        try:
            yield fake, ollama
        finally:
            await ollama.aclose()


async def test_tools_are_sent_under_names_that_servers_take_and_come_back_under_their_own() -> None:
    reply = asking(("files_write", {"text": "ünï"}), ("look", {}), text="First this.")
    async with connected(lambda _: reply) as (fake, ollama):
        got = await ollama.complete(ASKED)
    (body,) = fake.bodies
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "files_write", "description": "Do files.write", "parameters": ONE_TEXT},
        },
        {
            "type": "function",
            "function": {"name": "look", "description": "Do look", "parameters": NO_ARGUMENTS},
        },
    ]
    assert "format" not in body
    assert got.text == "First this."
    assert [(each.id, each.tool, json.loads(each.arguments)) for each in got.tool_requests] == [
        ("call_1", "files.write", {"text": "ünï"}),
        ("call_2", "look", {}),
    ]


async def test_earlier_calls_and_their_results_go_back_in_ollamas_own_notation() -> None:
    good = ToolRequest(id="a", tool="files.write", arguments='{"text": "x"}')
    bad = ToolRequest(id="b", tool="no such/tool", arguments="{")
    nameless = ToolRequest(id="c", tool="", arguments="[]")
    messages = (
        Message(role="user", content="Do it."),
        Message(role="assistant", content="So.", tool_requests=(good, bad, nameless)),
        Message(role="tool", content="[s1.1] done", answers=good),
        Message(role="tool", content="refused", answers=bad),
    )
    heard: list[LLMRequest] = []

    def reply(request: LLMRequest) -> str:
        heard.append(request)
        return "Done."

    async with connected(reply) as (fake, ollama):
        assert (
            await ollama.complete(LLMRequest(messages=messages, tools=TOOLS, timeout_s=30))
        ).text == "Done."
    assert fake.bodies[0]["messages"] == [
        {"role": "user", "content": "Do it."},
        {
            "role": "assistant",
            "content": "So.",
            "tool_calls": [
                {"id": "a", "function": {"name": "files_write", "arguments": {"text": "x"}}},
                {"id": "b", "function": {"name": "no_such_tool", "arguments": {}}},
                {"id": "c", "function": {"name": "unnamed", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "[s1.1] done", "tool_name": "files_write", "tool_call_id": "a"},
        {"role": "tool", "content": "refused", "tool_name": "no_such_tool", "tool_call_id": "b"},
    ]
    assert [tool.name for tool in heard[0].tools] == ["files_write", "look"]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("takes", [True, False])
async def test_a_model_is_known_to_call_tools_by_its_capabilities(takes: bool, listed: bool) -> None:
    async with connected(lambda _: "x", calls_tools=takes, lists_capabilities=listed) as (_, ollama):
        assert ollama.identity.calls_tools is takes


async def test_a_server_that_does_not_say_in_time_has_a_model_not_known_to_call_tools() -> None:
    class Silent(FakeOllama):
        async def _answer(self, received: Received, wire: Wire) -> None:
            if received.path == "/api/show":
                await asyncio.Event().wait()
            await super()._answer(received, wire)

    service = FunctionLLM(lambda _: "x", calls_tools=True)
    async with Silent(service=service, lists_capabilities=False).serve() as fake:
        ollama = await OllamaLLM.connect(
            base_url=fake.url, model="llama3.2:1b", clock=StillClock(), probe_timeout_s=2.0
        )
        assert ollama.identity.calls_tools is False
        await ollama.aclose()


async def test_a_server_that_refuses_tools_is_told_apart_from_any_other_refusal() -> None:
    async with connected(lambda _: "x", calls_tools=False) as (_, ollama):
        with pytest.raises(ToolCallingUnsupported, match=r"llama3\.2:1b takes no tools") as refused:
            await ollama.complete(ASKED)
        assert "directed" in refused.value.remedy
        assert (await ollama.complete(LLMRequest(messages=ASKED.messages, timeout_s=30))).text == "x"
    with pytest.raises(ReplyInvalid) as other:
        raise_for_answer(400, '{"error":"invalid message"}', model="m", num_ctx=9)
    assert not isinstance(other.value, ToolCallingUnsupported)


def streamed(*parts: Any) -> LLMReply:
    stream = ChatStream(request=ASKED, model="m", num_ctx=2048)
    for message in parts:
        stream.take(json.dumps({"message": message, "done": False}).encode())
    stream.take(json.dumps({"message": {"content": ""}, "done": True, "done_reason": "stop"}).encode())
    return stream.reply(latency_s=0)


def test_requests_without_ids_get_stable_ones_and_keep_their_order_over_parts() -> None:
    def call(name: str, **more: Any) -> dict[str, Any]:
        return {"function": {"name": name, **more}}

    got = streamed(
        {"role": "assistant", "tool_calls": [call("look"), call("files_write", arguments={"text": "x"})]},
        {
            "content": "",
            "tool_calls": [call("look", arguments=None), {"id": "own", **call("other", arguments="{")}],
        },
    )
    assert [(each.id, each.tool, each.arguments) for each in got.tool_requests] == [
        ("call_1", "look", ""),
        ("call_2", "files.write", '{"text": "x"}'),
        ("call_3", "look", ""),
        ("own", "other", "{"),
    ]


@pytest.mark.parametrize("calls", [["x"], [{}], [{"function": {}}], [{"function": {"name": 5}}], {"a": 1}, 7])
def test_tool_calls_of_another_form_are_no_part_of_a_chat(calls: Any) -> None:
    with pytest.raises(ReplyInvalid, match="not a part of a chat"):
        streamed({"content": "", "tool_calls": calls})


def test_names_that_would_be_one_on_the_wire_are_kept_apart_and_strange_ones_are_made_fit() -> None:
    tools = (a_tool("a.b"), a_tool("a_b"), a_tool("a_b_2"), a_tool("x" * 64))
    assert wire_names(tools) == {"a.b": "a_b", "a_b": "a_b_2", "a_b_2": "a_b_2_2", "x" * 64: "x" * 64}
    for tool in tools:
        assert own_name(wire_name(tool.name, tools), tools) == tool.name
    assert own_name("a.b", tools) == "a.b"
    assert own_name("rm -rf", tools) == "rm -rf"
    assert wire_name("rm -rf /" + "y" * 99, ()) == ("rm_-rf__" + "y" * 99)[:64]
    assert wire_name("", ()) == "unnamed"
