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

Object = Mapping[str, object]
Fault = Literal[
    "stall", "no_end_mark", "cut_connection", "hang_up", "html200", "broken_json", "not_a_chat", "error_line",
    "status_500", "not_found", "overlong", "cut_prompt",
]  # fmt: skip

DIGEST = "ab" * 32
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
    url: str = ""

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[FakeOllama]:
        """Listen on a free loopback port for as long as the context lasts."""
        open_tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = cast("asyncio.Task[None]", asyncio.current_task())
            open_tasks.add(task)
            try:
                await self._answer(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the client left, or the server is being stopped
            finally:
                open_tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in tuple(open_tasks):
                task.cancel()
            await asyncio.gather(*open_tasks, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        path = head.split(" ", 2)[1]
        lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0].split(":")[1])) if lengths else b""
        match path:
            case "/api/version":
                await _send(writer, 200, {"version": self.version})
            case "/api/tags":
                can = {"capabilities": self._capabilities()} if self.lists_capabilities else {}
                size = self.weights_bytes
                listed = [
                    {"name": name, "model": name, "digest": DIGEST, "size": size, **can}
                    for name in self.models
                ]
                await _send(writer, 200, {"models": listed})
            case "/api/ps":
                await _send(writer, 200, {"models": list(self.loaded)})
            case "/api/show":
                info = {**_SHAPE, "llama.context_length": self.context_length}
                await _send(writer, 200, {"model_info": info, "capabilities": self._capabilities()})
            case "/api/chat":
                await self._chat_until_left(reader, writer, json.loads(body))
            case _:
                await _send(writer, 404, "404 page not found")

    def _capabilities(self) -> list[str]:
        return ["completion", "tools"] if self.service.identity.calls_tools else ["completion"]

    async def _chat_until_left(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: Object
    ) -> None:
        self.bodies.append(body)
        chat = asyncio.ensure_future(self._chat(writer, body))
        left = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait((chat, left), return_when=asyncio.FIRST_COMPLETED)
            if chat.done():
                chat.result()
        finally:
            chat.cancel()
            left.cancel()
            await asyncio.gather(chat, left, return_exceptions=True)

    async def _chat(self, writer: asyncio.StreamWriter, body: Object) -> None:
        model = str(body["model"])
        if self.fault == "hang_up":
            return
        if self.fault == "not_found" or model not in self.models:
            await _send(writer, 404, {"error": f"model '{model}' not found"})
        elif self.fault == "status_500":
            await _send(writer, 500, {"error": "model runner has unexpectedly stopped"})
        elif self.fault == "overlong":
            await _send(
                writer, 400, {"error": _overlong("request (3010 tokens) exceeds the available context")}
            )
        elif self.fault == "html200":
            await _send(writer, 200, "<html>Please log in to the guest network</html>")
        else:
            await self._complete(writer, body)

    async def _complete(self, writer: asyncio.StreamWriter, body: Object) -> None:
        try:
            request = _request(body)
        except (KeyError, TypeError, ValueError) as error:
            await _send(writer, 400, {"error": f"cannot read the request: {error!r}"})
            return
        try:
            reply = await self.service.complete(request)
        except ToolCallingUnsupported:
            name = f"registry.ollama.ai/library/{body['model']}"
            await _send(writer, 400, {"error": f"{name} does not support tools"})
            return
        except PromptTooLong as error:
            await _send(writer, 400, {"error": _overlong(f"request exceeds the available context: {error}")})
            return
        except ReplyIncomplete:
            words = sum(len(message.content.split()) for message in request.messages)
            await _start(writer)
            await _part(
                writer,
                body,
                content="",
                done_reason="length",
                prompt_eval_count=words,
                eval_count=request.max_output_tokens,
            )
            await _finish(writer)
            return
        await self._stream(writer, body, reply)

    async def _stream(self, writer: asyncio.StreamWriter, body: Object, reply: LLMReply) -> None:
        tokens = reply.tokens or (TokenChoice(text=reply.text, logprob=0.0),)
        await _start(writer)
        for token in tokens:
            await _part(writer, body, content=token.text, logprobs=[_logprob(token)])
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
                await _chunk(writer, line[self.fault] + "\n")
                break
        else:
            await _requests(writer, body, reply.tool_requests)
            if self.fault != "no_end_mark":
                read = 1 if self.fault == "cut_prompt" else reply.usage.prompt_tokens
                wrote = reply.usage.output_tokens
                await _part(
                    writer, body, content="", done_reason="stop", prompt_eval_count=read, eval_count=wrote
                )
        await _finish(writer)


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


async def _requests(writer: asyncio.StreamWriter, body: Object, requests: Sequence[ToolRequest]) -> None:
    """Send the calls that the model asks for, each in a part of its own, as objects and with an id."""
    for number, each in enumerate(requests):
        function = {"index": number, "name": each.tool, "arguments": json.loads(each.arguments)}
        await _part(writer, body, content="", tool_calls=[{"id": each.id, "function": function}])


def _overlong(message: str) -> str:
    return json.dumps({"error": {"code": 400, "message": message, "type": "exceed_context_size_error"}})


def _logprob(token: TokenChoice) -> Object:
    top = [{"token": each.text, "logprob": each.logprob} for each in token.alternatives]
    return {"token": token.text, "logprob": token.logprob, "top_logprobs": top}


async def _send(writer: asyncio.StreamWriter, status: int, body: object) -> None:
    kind = "text/html" if isinstance(body, str) else "application/json; charset=utf-8"
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + data)
    await writer.drain()


async def _start(writer: asyncio.StreamWriter) -> None:
    kind = "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close"
    writer.write(f"HTTP/1.1 200 OK\r\n{kind}\r\n\r\n".encode())
    await writer.drain()


async def _part(writer: asyncio.StreamWriter, body: Object, *, content: str, **rest: object) -> None:
    if not body.get("logprobs"):
        rest.pop("logprobs", None)
    message: dict[str, object] = {"role": "assistant", "content": content}
    if "tool_calls" in rest:
        message["tool_calls"] = rest.pop("tool_calls")
    part = {"model": body["model"], "message": message, "done": "done_reason" in rest, **rest}
    await _chunk(writer, json.dumps(part, ensure_ascii=False) + "\n")


async def _chunk(writer: asyncio.StreamWriter, line: str) -> None:
    data = line.encode()
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


async def _finish(writer: asyncio.StreamWriter) -> None:
    writer.write(b"0\r\n\r\n")
    await writer.drain()
