"""An OpenAI-compatible server as an LLMService."""

from __future__ import annotations

from contextlib import aclosing

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelError, ReplyInvalid
from planwarden.llm.openai_chat.client import AnswerRefused, ask, normal_base_url, open_client
from planwarden.llm.openai_chat.listing import Listed, look_up
from planwarden.llm.openai_chat.refusals import (
    CHECK_ADDRESS,
    LONGER_CONTEXT,
    Server,
    refusal,
    words_of,
)
from planwarden.llm.openai_chat.stream import ChatChunks
from planwarden.llm.openai_chat.wire import Dialect, chat_body
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth, ModelNotReady
from planwarden.llm.wire.endpoint import HeaderSource, no_headers, within
from planwarden.llm.wire.reading import most_bytes, read_lines

MOST_LESSONS = 4
"""As many as a dialect has to learn; then a refusal stands."""


class OpenAIChatLLM:
    """One model on one server; open it with `connect`."""

    def __init__(
        self, client: AsyncOpenAI, server: Server, *, clock: Clock, num_ctx: int, listed: Listed
    ) -> None:
        """Take a client from `open_client`; it is closed with this service."""
        self._client = client
        self._server = server
        self._clock = clock
        self._num_ctx = num_ctx
        self._listed = listed
        self._dialect = Dialect()
        self._identity = ModelIdentity(
            provider="openai", model=server.model, endpoint=server.endpoint, calls_tools=True
        )

    @classmethod
    async def connect(  # noqa: PLR0913 - what is known of a server
        cls,
        *,
        base_url: str,
        model: str,
        clock: Clock,
        api_key: str = "",
        key_variable: str = "LLM__API_KEY",
        num_ctx: int = 4096,
        probe_timeout_s: float = 5.0,
        headers: HeaderSource = no_headers,
    ) -> OpenAIChatLLM:
        """Find the server and the model within `probe_timeout_s`; without a key none is sent.

        `headers` go with every request.

        Raises:
            ModelUnavailable: nothing answers, the key is refused, or the model is not listed.
            ModelTimedOut: the server does not answer in time.
            ReplyInvalid: something answers that is no such server.
        """
        endpoint = normal_base_url(base_url)
        server = Server(endpoint=endpoint, model=model, key_variable=key_variable, secret=api_key)
        client = open_client(endpoint, api_key, headers)
        try:
            listed = await look_up(client, server, clock, timeout_s=probe_timeout_s)
        except BaseException:
            await client.close()
            raise
        return cls(client, server, clock=clock, num_ctx=num_ctx, listed=listed)

    @property
    def identity(self) -> ModelIdentity:
        """Say which model; such servers tell no digest of the weights."""
        return self._identity

    def because(self, reason: str) -> OpenAIChatLLM:
        """Give the same service with the reason for which it was chosen."""
        self._identity = self._identity.model_copy(update={"chosen_because": reason})
        return self

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask once, streamed, so that a stall or a missing end is seen. Errors: see `LLMService.complete`."""
        started = self._clock.monotonic()
        chunks = ChatChunks(request=request, server=self._server, context_tokens=self._listed.context_tokens)
        what = f"{self._server.endpoint} gave no whole reply from {self._server.model}"
        async with within(request.timeout_s, what):
            await self._exchange(chunks)
        return chunks.reply(latency_s=max(0.0, self._clock.monotonic() - started))

    async def health(self) -> ModelHealth:
        """Look for server, model and context length; the context cannot be set from here, only told."""
        try:
            self._listed = await look_up(self._client, self._server, self._clock, timeout_s=5.0)
        except ModelError as error:
            return ModelHealth(
                reachable=not isinstance(error, ModelNotReady),
                present=False,
                context_tokens=None,
                detail=error.message,
                remedy=error.remedy,
            )
        context = self._listed.context_tokens
        small = context is not None and context < self._num_ctx
        return ModelHealth(
            reachable=True,
            present=True,
            context_tokens=context,
            detail=f"{self._server.model} at {self._server.endpoint}, {self._context_words()}",
            remedy=f"{LONGER_CONTEXT} Or set NUM_CTX={context}." if small else "",
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _context_words(self) -> str:
        context, words = self._listed.context_tokens, ""
        if context is None:
            words = f"the server does not tell its context (NUM_CTX={self._num_ctx} is not sent)"
        elif context < self._num_ctx:
            words = f"context {context} tokens, less than NUM_CTX={self._num_ctx}, which is not sent"
        else:
            words = f"context {context} tokens"
        if not self._listed.told:
            words += "; it does not list its models"
        lacking = ", ".join(self._dialect.lacking)
        return f"{words}; it does not take: {lacking}" if lacking else words

    async def _ask(self, request: LLMRequest) -> AsyncStream[object]:
        """Begin the stream; a refused optional field is left out from then on."""
        for _ in range(MOST_LESSONS):
            try:
                return await self._begin(request)
            except AnswerRefused as error:
                if error.status not in (400, 422) or not self._dialect.learn(words_of(error)):
                    raise
        return await self._begin(request)

    async def _begin(self, request: LLMRequest) -> AsyncStream[object]:
        body = chat_body(request, model=self._server.model, dialect=self._dialect)
        return await ask(self._client, "/chat/completions", body)

    async def _exchange(self, chunks: ChatChunks) -> None:
        try:
            async with aclosing(await self._ask(chunks.request)) as stream:
                self._refuse_other_than_events(stream)
                await self._read(stream, chunks)
        except (AnswerRefused, openai.OpenAIError, httpx2.RequestError) as error:
            raise refusal(error, self._server, self._clock, tools=bool(chunks.request.tools)) from error

    async def _read(self, stream: AsyncStream[object], chunks: ChatChunks) -> None:
        try:
            async with aclosing(read_lines(stream.response, most=most_bytes(chunks.request))) as lines:
                async for line in lines:
                    chunks.take(line)
                    if chunks.ended:
                        return
        except httpx2.RequestError as error:
            if chunks.finish is None:
                raise chunks.broken(f"the connection broke ({error or type(error).__name__})") from error

    def _refuse_other_than_events(self, stream: AsyncStream[object]) -> None:
        kind = stream.response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            raise ReplyInvalid(
                f"{self._server.endpoint} answered with {kind or 'no content type'} where a stream of events"
                " is promised.",
                remedy=CHECK_ADDRESS,
            )
