"""A wrapper that has another model answer when the first one cannot be had."""

from __future__ import annotations

from dataclasses import replace

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelError, ModelFileRejected, ToolCallingUnsupported
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth
from planwarden.llm.wrappers.circuit import is_outage

RESERVED_SHARE = 1 / 3
RESERVED_MOST_S = 30.0
"""Of a request's time, kept back for the stand-in: else nothing would be left for it after a time-out."""


class StandInLLM:
    """Asks the first model; where that cannot be had, the stand-in, in the same request's time."""

    def __init__(self, first: LLMService, stand_in: LLMService, *, clock: Clock) -> None:
        """Wrap both, which are closed with this service."""
        self._first = first
        self._stand_in = stand_in
        self._clock = clock

    @property
    def identity(self) -> ModelIdentity:
        """Say which the first model is; a reply of the stand-in says so itself."""
        return self._first.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask; `answered_by` names the stand-in where it answered, and why.

        Raises:
            ModelError: the first model's own, also where the stand-in failed too.
            ToolCallingUnsupported: the first model cannot be had, and the stand-in takes no tools.
        """
        deadline = self._clock.monotonic() + request.timeout_s
        reserved = min(request.timeout_s * RESERVED_SHARE, RESERVED_MOST_S)
        try:
            return await self._first.complete(replace(request, timeout_s=request.timeout_s - reserved))
        except ModelError as error:
            if not is_outage(error):
                raise
            failure = error
        remaining = deadline - self._clock.monotonic()
        identity = self._stand_in.identity
        try:
            reply = await self._stand_in.complete(_for(identity, replace(request, timeout_s=remaining)))
        except (ModelError, ModelFileRejected) as error:
            both = f"{failure.message} The stand-in {identity.model} gave no reply either: {error.message}"
            told = error if isinstance(error, ToolCallingUnsupported) else failure
            raise told.saying(both) from error
        because = f"stands in for {self._first.identity.model} ({failure.code}): {failure.message}"
        return replace(reply, answered_by=identity.model_copy(update={"chosen_because": because}))

    async def health(self) -> ModelHealth:
        """Look at the first model; where it cannot be had, say what stands in."""
        health = await self._first.health()
        if health.reachable and health.present:
            return health
        second = await self._stand_in.health()
        state = "stands in" if second.present else f"was to stand in, but: {second.detail}"
        return replace(health, detail=f"{health.detail} {self._stand_in.identity.model} {state}")

    async def aclose(self) -> None:
        """Close both."""
        try:
            await self._first.aclose()
        finally:
            await self._stand_in.aclose()


def _for(identity: ModelIdentity, request: LLMRequest) -> LLMRequest:
    """Put the question as this model can take it."""
    simpler = request.simpler
    if simpler is None or identity.argument_style != "grounded":
        return request
    return replace(request, messages=simpler.messages, output_schema=simpler.output_schema, simpler=None)
