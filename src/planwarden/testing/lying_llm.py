"""Servers that lie: each takes a request, does something else, and says nothing of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from planwarden.contracts.model import ModelIdentity
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth
from planwarden.testing.obedient_llm import prompt_tokens

Lie = Callable[[LLMService, LLMRequest], Awaitable[LLMReply]]


class LyingLLM:
    """Passes everything on, but answers by a lie."""

    def __init__(self, inner: LLMService, lie: Lie) -> None:
        """Wrap an honest service, which is closed with this one."""
        self._inner = inner
        self._lie = lie

    @property
    def identity(self) -> ModelIdentity:
        """Say which model the wrapped service is."""
        return self._inner.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Lie."""
        return await self._lie(self._inner, request)

    async def health(self) -> ModelHealth:
        """Look at the wrapped service."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Close the wrapped service."""
        await self._inner.aclose()


def cuts_prompts(context_tokens: int, *, counts_all: bool = False) -> Lie:
    """Drop the beginning of what does not fit; with `counts_all`, claim to have read it too."""

    async def lie(inner: LLMService, request: LLMRequest) -> LLMReply:
        sent = prompt_tokens(request)
        reply = await inner.complete(_cut(request, max(0, sent - context_tokens + 1)))
        if not counts_all:
            return reply
        return replace(reply, usage=reply.usage.model_copy(update={"prompt_tokens": sent}))

    return lie


def _cut(request: LLMRequest, words: int) -> LLMRequest:
    last = request.messages[-1]
    kept = last.model_copy(update={"content": " ".join(last.content.split()[words:])})
    return replace(request, messages=(*request.messages[:-1], kept))


async def ignores_schema(inner: LLMService, request: LLMRequest) -> LLMReply:
    """Let the model talk."""
    return await inner.complete(replace(request, output_schema=None))


async def gives_no_probabilities(inner: LLMService, request: LLMRequest) -> LLMReply:
    """Leave the tokens away."""
    return replace(await inner.complete(request), tokens=())


async def gives_no_alternatives(inner: LLMService, request: LLMRequest) -> LLMReply:
    """Give each token, but not what could have stood there."""
    reply = await inner.complete(request)
    return replace(reply, tokens=tuple(replace(token, alternatives=()) for token in reply.tokens))


async def is_always_certain(inner: LLMService, request: LLMRequest) -> LLMReply:
    """Make every probability 1."""
    reply = await inner.complete(request)
    tokens = tuple(
        replace(
            token,
            logprob=0.0,
            alternatives=tuple(replace(each, logprob=0.0) for each in token.alternatives),
        )
        for token in reply.tokens
    )
    return replace(reply, tokens=tokens)


async def ignores_sampling(inner: LLMService, request: LLMRequest) -> LLMReply:
    """Answer every seed and temperature alike."""
    return await inner.complete(replace(request, temperature=0.0, seed=0))


def ignores_seed() -> Lie:
    """Use another seed each time, and a temperature of its own."""
    seeds = iter(range(10**9))

    async def lie(inner: LLMService, request: LLMRequest) -> LLMReply:
        return await inner.complete(replace(request, temperature=1.0, seed=next(seeds)))

    return lie


async def ignores_limit(inner: LLMService, request: LLMRequest) -> LLMReply:
    """Write as much as the model likes."""
    return await inner.complete(replace(request, max_output_tokens=1_000_000))
