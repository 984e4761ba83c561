"""A wrapper that lets at most N requests through at a time; waiting spends the request's own time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelTimedOut
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth


class LimitedLLM:
    """Keeps the rest in line, first come first served."""

    def __init__(self, inner: LLMService, *, clock: Clock, concurrent: int) -> None:
        """Wrap `inner`, which is closed with this service."""
        self._inner = inner
        self._clock = clock
        self._concurrent = concurrent
        self._places = asyncio.Semaphore(concurrent)

    @property
    def identity(self) -> ModelIdentity:
        """Say which model the wrapped service is."""
        return self._inner.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Wait for a place, then ask with the time that is left."""
        deadline = self._clock.monotonic() + request.timeout_s
        try:
            async with asyncio.timeout(request.timeout_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise ModelTimedOut(
                f"{request.timeout_s:g} s passed in line behind {self._concurrent} other requests.",
                remedy="Raise TIMEOUT_S, or allow more requests at a time.",
            ) from error
        try:
            remaining = max(0.0, deadline - self._clock.monotonic())
            return await self._inner.complete(replace(request, timeout_s=remaining))
        finally:
            self._places.release()

    async def health(self) -> ModelHealth:
        """Look at the wrapped service, without waiting in line."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Close the wrapped service."""
        await self._inner.aclose()
