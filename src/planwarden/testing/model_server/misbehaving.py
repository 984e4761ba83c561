"""A model server on loopback that speaks Ollama's and OpenAI's protocol, and goes wrong as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from planwarden.testing.model_server.dialects import (
    DIGEST,
    JSON_KIND,
    Dialect,
    OllamaDialect,
    OpenAIDialect,
    Saying,
)
from planwarden.testing.model_server.faults import STRIKES, Fault, Strike, answer_well
from planwarden.testing.model_server.loopback import Loopback, Received, Wire

_CHATS: Mapping[str, Dialect] = {"/api/chat": OllamaDialect(), "/v1/chat/completions": OpenAIDialect()}


@dataclass(slots=True, kw_only=True)
class MisbehavingServer:
    """Answers chats with always the same reply, or with a fault; everything else it answers well."""

    model: str = "llama3.2:1b"
    reply: tuple[str, ...] = ('{"answer":', '"It is so."}')
    """The parts of what it says when nothing is wrong."""
    fault: Fault | None = None
    """What goes wrong with chats from now on; `refused` needs `strike`."""
    times: int | None = None
    """How many chats more go wrong; None: all of them."""
    retry_after: str | None = None
    """The header of error answers: seconds, or an HTTP date."""
    chats: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])
    """Each chat request as it arrived."""
    _loopback: Loopback = field(init=False)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._loopback = Loopback(handler=self._answer)

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[MisbehavingServer]:
        """Listen on a free port for as long as the context lasts."""
        async with self._loopback.serve():
            yield self

    def strike(self, fault: Fault, *, times: int | None = None, retry_after: str | None = None) -> None:
        """Go wrong from now on."""
        self.fault, self.times, self.retry_after = fault, times, retry_after
        if fault == "refused":
            self._loopback.stop_listening()

    @property
    def url(self) -> str:
        """Give the address, for Ollama's protocol; OpenAI's is below `/v1`."""
        return self._loopback.url

    @property
    def open_connections(self) -> int:
        """Say how many clients have not left."""
        return self._loopback.open_connections

    async def asked(self) -> None:
        """Wait until the first chat is asked for."""
        await self._asked.wait()

    async def all_left(self) -> None:
        """Wait until no client is connected."""
        await self._loopback.all_left()

    async def _answer(self, received: Received, wire: Wire) -> None:
        dialect = _CHATS.get(received.path)
        if dialect is not None:
            await self._chat(dialect, received, wire)
            return
        known = self._known().get(received.path)
        status = 200 if known is not None else 404
        body = known if known is not None else {"error": "404 page not found"}
        await wire.send(status, json.dumps(body).encode(), kind=JSON_KIND)

    def _known(self) -> Mapping[str, Mapping[str, object]]:
        named = {"name": self.model, "model": self.model, "digest": DIGEST}
        return {
            "/api/version": {"version": "0.32.15"},
            "/api/tags": {"models": [named]},
            "/api/show": {"model_info": {"llama.context_length": 8192}},
            "/v1/models": {"object": "list", "data": [{"id": self.model, "object": "model"}]},
        }

    async def _chat(self, dialect: Dialect, received: Received, wire: Wire) -> None:
        body: Mapping[str, object] = json.loads(received.body)
        self.chats.append(body)
        self._asked.set()
        strike = Strike(
            wire=wire,
            dialect=dialect,
            saying=Saying(model=self.model, parts=self.reply, prompt_tokens=40 + _words(body)),
            streamed=body.get("stream", dialect is _CHATS["/api/chat"]) is True,
            retry_after=self.retry_after,
        )
        if self.fault is None or self.times == 0:
            await answer_well(strike)
            return
        if self.times is not None:
            self.times -= 1
        await STRIKES[self.fault](strike)


def _words(body: Mapping[str, object]) -> int:
    """Count the words of a prompt: a server that counted fewer tokens would have cut it."""
    messages = cast("Sequence[Mapping[str, object]]", body.get("messages") or ())
    return sum(len(str(message.get("content")).split()) for message in messages)
