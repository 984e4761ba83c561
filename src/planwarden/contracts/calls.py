"""One call of a tool, and what can come of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planwarden.contracts.plan import StepId
from planwarden.contracts.value import Contract, Json, Name, digest

CallRole = Literal["primary", "fallback"]

RefusalKind = Literal[
    "unplanned_tool_blocked",
    "policy_denied",
    "argument_rejected",
    "budget_exceeded",
    "fallback_locked",
    "out_of_order",
    "already_used",
    "step_over",
    "approval_denied",
]
"""Why the session refused a call before it happened."""

FailureKind = Literal["error", "timeout", "bad_output"]
"""How a call that ran failed."""


class ToolCall(Contract):
    """A call that a step wants to make. `id` is `<step>.<ordinal>`, the name that answers cite."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}\.[1-9][0-9]*$")]
    step: StepId
    tool: Name
    role: CallRole
    arguments: dict[str, Json]
    attempt: Annotated[int, Field(ge=1)] = 1

    def idempotency_key(self, run_id: str) -> str:
        """Name this call for the tool; the same through every repetition and resume."""
        return digest([run_id, self.id, self.tool, self.arguments]).removeprefix("sha256:")


class StepAnswer(Contract):
    """What an agent says at the end of its step."""

    text: str
    evidence: tuple[str, ...] = ()
    """Ids of the calls that the answer rests on."""
    style: Literal["prose", "evidence", "question"]
    instead_of_prose: str = ""
    """Why the model's own words are not used though it was asked for them: the code of its error, or
    `stand_in` when a model answered in its place that is not trusted with prose."""
    unsupported_numbers: tuple[str, ...] = ()
    """Numbers in the text that no evidence contains."""
    grounded: bool
    """False when no tool backs the answer."""
