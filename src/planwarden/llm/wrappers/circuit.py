"""A wrapper that stops asking a model that failed too often just now, and tries it again after a pause."""

from __future__ import annotations

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import (
    ModelCircuitOpen,
    ModelError,
    ModelTimedOut,
    ModelUnavailable,
    ReplyInvalid,
    ToolCallingUnsupported,
)
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth, ReplyBroken


def is_outage(error: ModelError) -> bool:
    """Say whether an error speaks of a model that cannot be had, rather than of this one request.

    A reply at its limit, a prompt too long and a model that takes no tools come from a model that works.
    """
    if isinstance(error, ToolCallingUnsupported):
        return False
    return isinstance(error, ModelUnavailable | ModelTimedOut | ReplyBroken | ReplyInvalid)


class CircuitLLM:
    """Opens after `failures` outages in a row; after `pause_s` seconds one trial request goes through."""

    def __init__(self, inner: LLMService, *, clock: Clock, failures: int = 5, pause_s: float = 30.0) -> None:
        """Wrap `inner`, which is closed with this service."""
        self._inner = inner
        self._clock = clock
        self._failures = failures
        self._pause_s = pause_s
        self._failed_in_a_row = 0
        self._last: ModelError | None = None
        self._open_until: float | None = None
        self._trial_runs = False

    @property
    def identity(self) -> ModelIdentity:
        """Say which model the wrapped service is."""
        return self._inner.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask, unless the circuit is open.

        Raises:
            ModelCircuitOpen: not asked; says what failed last and when it will be tried again.
        """
        trial = self._open_until is not None
        if self._open_until is not None:
            self._refuse_unless_trial(self._open_until)
        self._trial_runs = self._trial_runs or trial
        try:
            reply = await self._inner.complete(request)
        except ModelError as error:
            if is_outage(error):
                self._failed(error, trial=trial)
            else:
                self._worked()
            raise
        else:
            self._worked()
            return reply
        finally:
            if trial:  # also when the caller was cancelled, which says nothing about the model
                self._trial_runs = False

    def _refuse_unless_trial(self, open_until: float) -> None:
        left = open_until - self._clock.monotonic()
        if left <= 0 and not self._trial_runs:
            return
        again = "it is being tried again now" if left <= 0 else f"it is tried again in {left:.1f} s"
        failed = self._last.message if self._last else "no reply"
        model = self._inner.identity.model
        raise ModelCircuitOpen(
            f"{model} was not asked: it failed {self._failed_in_a_row} times in a row, and {again}."
            f" Last: {failed}",
            remedy=self._last.remedy if self._last else "Look at the model server.",
        )

    def _failed(self, error: ModelError, *, trial: bool) -> None:
        self._failed_in_a_row += 1
        self._last = error
        opens = self._open_until is None and self._failed_in_a_row >= self._failures
        if opens or trial:  # a straggler that was asked before the circuit opened does not prolong the pause
            self._open_until = self._clock.monotonic() + self._pause_s

    def _worked(self) -> None:
        self._failed_in_a_row = 0
        self._last = None
        self._open_until = None

    async def health(self) -> ModelHealth:
        """Look at the wrapped service, whatever failed before."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Close the wrapped service."""
        await self._inner.aclose()
