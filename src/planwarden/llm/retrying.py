"""A wrapper that asks again when a reply was lost on the way, all within one deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelTimedOut, ReplyInvalid
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth, ModelNotReady, ReplyBroken


class RetryingLLM:
    """Asks at most `attempts` times; the pause doubles from `pause_s` seconds."""

    def __init__(
        self,
        inner: LLMService,
        *,
        clock: Clock,
        attempts: int = 3,
        pause_s: float = 0.2,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """Wrap `inner`, which is closed with this service."""
        self._inner = inner
        self._clock = clock
        self._attempts = attempts
        self._pause_s = pause_s
        self._sleep = sleep

    @property
    def identity(self) -> ModelIdentity:
        """Say which model the wrapped service is."""
        return self._inner.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask until a reply is whole; a cut at the limit or a prompt too long is not asked again."""
        deadline = self._clock.monotonic() + request.timeout_s
        for attempt in range(1, self._attempts):
            remaining = deadline - self._clock.monotonic()
            try:
                return await self._inner.complete(replace(request, timeout_s=remaining))
            except (ModelNotReady, ReplyInvalid, ReplyBroken) as error:
                pause = self._pause_s * 2 ** (attempt - 1)
                if self._clock.monotonic() + pause >= deadline:
                    raise ModelTimedOut(
                        f"No whole reply in {request.timeout_s:g} s, after {attempt} tries: {error.message}",
                        remedy=error.remedy,
                    ) from error
                await self._sleep(pause)
        return await self._inner.complete(replace(request, timeout_s=deadline - self._clock.monotonic()))

    async def health(self) -> ModelHealth:
        """Look at the wrapped service."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Close the wrapped service."""
        await self._inner.aclose()
