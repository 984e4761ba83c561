"""A server on loopback that answers chat completions as a test tells it; not a model."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from planwarden.llm.openai_chat.service import OpenAIChatLLM
from planwarden.testing.model_server.loopback import Loopback, Received, Wire

MODEL = "small"
KEY = "sk-very-secret-key"


class SystemClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An answer that is not one of success."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def chunk(delta: Mapping[str, object], finish: str | None = None, **choice: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]}


def usage(prompt: int = 9, output: int = 2, cached: int = 0) -> dict[str, object]:
    details = {"cached_tokens": cached}
    counts = {"prompt_tokens": prompt, "completion_tokens": output, "prompt_tokens_details": details}
    return {"choices": [], "usage": counts}


WELL = (
    chunk({"role": "assistant", "content": None}),
    chunk({"content": "Well."}),
    chunk({}, "stop"),
    usage(),
)


@dataclass(slots=True, kw_only=True)
class OpenAIDouble:
    """Gives each chat the next answer of the list, the last one for ever."""

    answers: Sequence[Refused | Sequence[Mapping[str, object]]] = (WELL,)
    models: object = field(default_factory=lambda: {"data": [{"id": MODEL}]})
    """What `/v1/models` says: JSON, text that is none, or a Refused."""
    props: object = field(default_factory=lambda: Refused(status=404, body="no"))
    end_mark: bool = True
    url: str = ""
    received: list[Received] = field(default_factory=list[Received])

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in self.received if each.path == "/v1/chat/completions"]

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[OpenAIDouble]:
        async with Loopback(handler=self._answer).serve() as loopback:
            self.url = loopback.url
            yield self

    @asynccontextmanager
    async def connected(self, **settings: Any) -> AsyncGenerator[OpenAIChatLLM]:
        async with self.serve():
            given: dict[str, Any] = {"base_url": self.url, "model": MODEL, "clock": SystemClock(), **settings}
            service = await OpenAIChatLLM.connect(**given)
            yield service
            await service.aclose()

    async def _answer(self, received: Received, wire: Wire) -> None:
        self.received.append(received)
        match received.path:
            case "/v1/models":
                await _send(wire, self.models)
            case "/props":
                await _send(wire, self.props)
            case _:
                place = min(len(self.bodies), len(self.answers)) - 1
                await self._chat(self.answers[place], wire)

    async def _chat(self, answer: Refused | Sequence[Mapping[str, object]], wire: Wire) -> None:
        if isinstance(answer, Refused):
            await _send(wire, answer)
            return
        await wire.start(kind="text/event-stream")
        for each in answer:
            await wire.chunk(f": a comment\n\ndata: {json.dumps(each)}\n\n".encode())
        if self.end_mark:
            await wire.chunk(b"data: [DONE]\n\n")
        await wire.finish()


async def _send(wire: Wire, what: object) -> None:
    status, body, headers = 200, what, None
    if isinstance(what, Refused):
        status, body, headers = what.status, what.body, what.headers
    text = body if isinstance(body, str) else json.dumps(body)
    kind = "text/html" if isinstance(body, str) else "application/json"
    await wire.send(status, text.encode(), kind=kind, headers=headers)
