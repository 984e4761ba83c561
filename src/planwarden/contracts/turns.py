"""Free execution as the record has it: turns of a model, what came of each request, why it was given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from planwarden.contracts.model import ToolRequest
from planwarden.contracts.value import Contract

FallReason = Literal[
    "tool_calling_unsupported",
    "no_usable_reply",
    "no_planned_tool",
    "malformed_requests",
    "answered_early",
    "turn_limit",
]
"""Why a step that began free goes on directed; see docs/guides/execution.md."""


class RefusedRequest(Contract):
    """A request that the session refused, as the model is told."""

    refusal: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One exchange of free execution: what the model said and asked for, and what came of it so far."""

    text: str
    requests: tuple[ToolRequest, ...] = ()
    outcomes: tuple[str | RefusedRequest, ...] = ()
    """Of the first requests, in their order: the id of the call that a request became, or its refusal."""
    error_code: str = ""
    """Set when the model gave no usable reply."""
    error: str = ""

    @property
    def pending(self) -> ToolRequest | None:
        """Give the first request that nothing came of yet."""
        done = len(self.outcomes)
        return self.requests[done] if done < len(self.requests) else None
