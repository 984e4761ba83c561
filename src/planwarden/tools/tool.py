"""What a tool is to the runtime: a spec, a way to run it, and a way to ask whether a call was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.value import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool may know about the call."""

    run_id: str
    call_id: str
    idempotency_key: str
    """The same through every repetition of the same call."""
    now: datetime
    """Wall time of the call, in UTC."""
    traceparent: str | None = None
    """The call's place in the trace, to be sent on as the W3C header of that name; None without tracing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The call with this key was done, with this result."""

    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """The call with this key was not done, and can safely be done now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The tool cannot say."""

    reason: str


Verification = Done | NotDone | Unknown


class Tool(Protocol):
    """A tool. Only the runtime's tool session calls `invoke`."""

    @property
    def spec(self) -> ToolSpec:
        """Say what the tool is for."""
        ...

    async def invoke(self, arguments: Mapping[str, Json], context: ToolContext) -> Json:
        """Run once, with arguments that already fit `spec.parameters`.

        Raises:
            ToolFailed: it could not do what was asked.
        """
        ...

    async def verify(self, arguments: Mapping[str, Json], context: ToolContext) -> Verification:
        """Say whether the call with this idempotency key was done."""
        ...
