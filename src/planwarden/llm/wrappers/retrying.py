"""A wrapper that asks again when a reply was lost on the way, all within one deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelError, ModelTimedOut, ReplyInvalid, ToolCallingUnsupported
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth, ModelNotReady, ReplyBroken


class RetryingLLM:
    """Asks at most `attempts` times; the pause doubles from `pause_s` seconds, or is what the server asks."""

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
        """Ask until a reply is whole; what another try cannot mend is not asked again.

        An error says how often was tried; one past the deadline also what went wrong before.
        """
        deadline = self._clock.monotonic() + request.timeout_s
        lost: ModelError | None = None
        for attempt in range(1, self._attempts + 1):
            remaining = deadline - self._clock.monotonic()
            if not remaining > 0:  # also for NaN
                raise _late(request, attempt - 1, lost) from lost
            try:
                return await self._inner.complete(replace(request, timeout_s=remaining))
            except ModelTimedOut as error:
                raise (_late(request, attempt, lost or error) if attempt > 1 else error) from error
            except ModelError as error:
                if attempt == self._attempts or not _may_pass(error):
                    raise _tried(error, attempt) from error.__cause__
                lost = error
            await self._wait(request, attempt, lost, deadline)
        raise _late(request, self._attempts, lost) from lost

    async def _wait(self, request: LLMRequest, attempt: int, lost: ModelError, deadline: float) -> None:
        """Pause before the next try.

        Raises:
            ModelTimedOut: the pause would go past the deadline; nobody waits for nothing.
        """
        pause = self._pause_s * 2 ** (attempt - 1)
        asked = lost.retry_after_s if isinstance(lost, ModelNotReady) else None
        pause = max(pause, asked or 0.0)
        if self._clock.monotonic() + pause >= deadline:
            raise _late(request, attempt, lost, asked_s=asked) from lost
        await self._sleep(pause)

    async def health(self) -> ModelHealth:
        """Look at the wrapped service."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Close the wrapped service."""
        await self._inner.aclose()


def _may_pass(error: ModelError) -> bool:
    if isinstance(error, ToolCallingUnsupported):
        return False
    return isinstance(error, ModelNotReady | ReplyInvalid | ReplyBroken)


def _tried(error: ModelError, attempts: int) -> ModelError:
    if attempts == 1:
        return error
    return error.saying(f"{error.message.rstrip('.')}. Tried {attempts} times.")


def _late(
    request: LLMRequest, attempts: int, lost: ModelError | None, *, asked_s: float | None = None
) -> ModelTimedOut:
    tries = f"{attempts} {'try' if attempts == 1 else 'tries'}"
    wanted = f" (the server asks to wait {asked_s:g} s)" if asked_s is not None else ""
    if lost is None:
        return ModelTimedOut(
            f"The model was not asked: {max(0.0, request.timeout_s):g} s were left for it.",
            remedy="Raise TIMEOUT_S.",
        )
    return ModelTimedOut(
        f"No whole reply in {request.timeout_s:g} s, after {tries}{wanted}: {lost.message}",
        remedy=lost.remedy,
    )
