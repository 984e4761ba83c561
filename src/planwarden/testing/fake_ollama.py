"""A server on loopback that speaks Ollama's chat protocol over any LLMService, with faults on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, cast

from planwarden.contracts.model import Message, ToolRequest
from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.errors import PromptTooLong, ReplyIncomplete, ToolCallingUnsupported
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, TokenChoice
from planwarden.testing.model_server.dialects import DIGEST, JSON_KIND, OllamaDialect, ollama_part
from planwarden.testing.model_server.loopback import Loopback, Received, Wire

Object = Mapping[str, object]
Fault = Literal[
    "stall", "no_end_mark", "cut_connection", "hang_up", "html200", "broken_json", "not_a_chat", "error_line",
    "status_500", "not_found", "overlong", "cut_prompt",
]  # fmt: skip

_SHAPE: Object = {
    "general.architecture": "llama",
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "llama.block_count": 30,
    "llama.embedding_length": 576,
}
"""As a real Ollama shows SmolLM2-135M."""


@dataclass(slots=True, kw_only=True)
class FakeOllama:
    """The server's state: what it has, what went wrong, what it was asked."""

    service: LLMService
    models: tuple[str, ...] = ("llama3.2:1b",)
    version: str = "0.32.15"
    context_length: int = 8192
    weights_bytes: int = 98_362_760
    loaded: tuple[Object, ...] = ()
    """What `/api/ps` says is in memory."""
    lists_capabilities: bool = True
    """Whether the list of models says what each can, as 0.32 does; `/api/show` always does."""
    fault: Fault | None = None
    """What goes wrong with every chat from now on."""
    bodies: list[Object] = field(default_factory=list[Object])
    """Each chat request as it arrived."""
    headers: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    """Its headers."""
    url: str = ""

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[FakeOllama]:
        """Listen on a free loopback port for as long as the context lasts."""
        async with Loopback(handler=self._answer).serve() as loopback:
            self.url = loopback.url
            yield self

    async def _answer(self, received: Received, wire: Wire) -> None:
        match received.path:
            case "/api/version":
                await _send(wire, 200, {"version": self.version})
            case "/api/tags":
                can = {"capabilities": self._capabilities()} if self.lists_capabilities else {}
                size = self.weights_bytes
                listed = [
                    {"name": name, "model": name, "digest": DIGEST, "size": size, **can}
                    for name in self.models
                ]
                await _send(wire, 200, {"models": listed})
            case "/api/ps":
                await _send(wire, 200, {"models": list(self.loaded)})
            case "/api/show":
                info = {**_SHAPE, "llama.context_length": self.context_length}
                await _send(wire, 200, {"model_info": info, "capabilities": self._capabilities()})
            case "/api/chat":
                body: Object = json.loads(received.body)
                self.bodies.append(body)
                self.headers.append(received.headers)
                await self._chat(wire, body)
            case _:
                await _send(wire, 404, "404 page not found")

    def _capabilities(self) -> list[str]:
        return ["completion", "tools"] if self.service.identity.calls_tools else ["completion"]

    async def _chat(self, wire: Wire, body: Object) -> None:
        model = str(body["model"])
        if self.fault == "hang_up":
            return
        if self.fault == "not_found" or model not in self.models:
            await _send(wire, 404, {"error": f"model '{model}' not found"})
        elif self.fault == "status_500":
            await _send(wire, 500, {"error": "model runner has unexpectedly stopped"})
        elif self.fault == "overlong":
            await _send(
                wire, 400, {"error": _overlong("request (3010 tokens) exceeds the available context")}
            )
        elif self.fault == "html200":
            await _send(wire, 200, "<html>Please log in to the guest network</html>")
        else:
            await self._complete(wire, body)

    async def _complete(self, wire: Wire, body: Object) -> None:
        try:
            request = _request(body)
        except (KeyError, TypeError, ValueError) as error:
            await _send(wire, 400, {"error": f"cannot read the request: {error!r}"})
            return
        try:
            reply = await self.service.complete(request)
        except ToolCallingUnsupported:
            name = f"registry.ollama.ai/library/{body['model']}"
            await _send(wire, 400, {"error": f"{name} does not support tools"})
            return
        except PromptTooLong as error:
            await _send(wire, 400, {"error": _overlong(f"request exceeds the available context: {error}")})
            return
        except ReplyIncomplete:
            words = sum(len(message.content.split()) for message in request.messages)
            await wire.start(kind=OllamaDialect.stream_kind)
            await _part(
                wire,
                body,
                content="",
                done_reason="length",
                prompt_eval_count=words,
                eval_count=request.max_output_tokens,
            )
            await wire.finish()
            return
        await self._stream(wire, body, reply)

    async def _stream(self, wire: Wire, body: Object, reply: LLMReply) -> None:
        tokens = reply.tokens or (TokenChoice(text=reply.text, logprob=0.0),)
        await wire.start(kind=OllamaDialect.stream_kind)
        for token in tokens:
            await _part(wire, body, content=token.text, logprobs=[_logprob(token)])
            if self.fault == "stall":
                await asyncio.Event().wait()
            if self.fault == "cut_connection":
                return
            if self.fault in {"broken_json", "not_a_chat", "error_line"}:
                line = {
                    "broken_json": '{"mess',
                    "not_a_chat": '{"done":1}',
                    "error_line": '{"error":"no memory"}',
                }
                await wire.chunk(line[self.fault].encode() + b"\n")
                break
        else:
            await _requests(wire, body, reply.tool_requests)
            if self.fault != "no_end_mark":
                read = 1 if self.fault == "cut_prompt" else reply.usage.prompt_tokens
                wrote = reply.usage.output_tokens
                await _part(
                    wire, body, content="", done_reason="stop", prompt_eval_count=read, eval_count=wrote
                )
        await wire.finish()


def _request(body: Object) -> LLMRequest:
    options = cast("Mapping[str, int | float]", body["options"])
    schema = body.get("format")
    return LLMRequest(
        messages=tuple(_message(each) for each in cast("Sequence[Object]", body["messages"])),
        tools=tuple(_tool(each) for each in cast("Sequence[Object]", body.get("tools", ()))),
        output_schema=cast("dict[str, object]", schema) if schema else None,
        max_output_tokens=int(options["num_predict"]),
        temperature=float(options["temperature"]),
        seed=int(options["seed"]),
        top_logprobs=cast("int", body.get("top_logprobs", 0)),
        timeout_s=600.0,
    )


def _message(wired: Object) -> Message:
    """Read a message; an unknown field, or arguments that are no object, would break the real server too."""
    told = dict(wired)
    calls = cast("Sequence[Object]", told.pop("tool_calls", ()))
    answered = {"id": told.pop("tool_call_id", ""), "tool": told.pop("tool_name", "")}
    told["tool_requests"] = tuple(_asked(call) for call in calls)
    if told["role"] == "tool":
        told["answers"] = ToolRequest.model_validate({**answered, "arguments": ""})
    return Message.model_validate(told)


def _asked(call: Object) -> ToolRequest:
    function = cast("Object", call["function"])
    arguments = function["arguments"]
    if not isinstance(arguments, dict):
        raise TypeError(arguments)
    return ToolRequest(id=str(call["id"]), tool=str(function["name"]), arguments=json.dumps(arguments))


def _tool(wired: Object) -> ToolSpec:
    """Read an offered tool by its name on the wire."""
    function = cast("Object", wired["function"])
    return ToolSpec(
        name=str(function["name"]),
        description=str(function["description"]),
        effect="read",
        parameters=cast("JsonSchema", function["parameters"]),
    )


async def _requests(wire: Wire, body: Object, requests: Sequence[ToolRequest]) -> None:
    """Send the calls that the model asks for, each in a part of its own, as objects and with an id."""
    for number, each in enumerate(requests):
        function = {"index": number, "name": each.tool, "arguments": json.loads(each.arguments)}
        await _part(wire, body, content="", tool_calls=[{"id": each.id, "function": function}])


def _overlong(message: str) -> str:
    return json.dumps({"error": {"code": 400, "message": message, "type": "exceed_context_size_error"}})


def _logprob(token: TokenChoice) -> Object:
    top = [{"token": each.text, "logprob": each.logprob} for each in token.alternatives]
    return {"token": token.text, "logprob": token.logprob, "top_logprobs": top}


async def _send(wire: Wire, status: int, body: object) -> None:
    kind = "text/html" if isinstance(body, str) else JSON_KIND
    await wire.send(status, (body if isinstance(body, str) else json.dumps(body)).encode(), kind=kind)


async def _part(wire: Wire, body: Object, *, content: str, **rest: object) -> None:
    if not body.get("logprobs"):
        rest.pop("logprobs", None)
    calls = {"tool_calls": rest.pop("tool_calls")} if "tool_calls" in rest else {}
    part = dict(ollama_part(str(body["model"]), content, **rest))
    part["message"] = {**cast("Object", part["message"]), **calls}
    await wire.chunk(json.dumps(part, ensure_ascii=False).encode() + b"\n")
