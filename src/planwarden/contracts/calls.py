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


class Citation(Contract):
    """A call that an answer rests on, and who says so."""

    call: str
    by: Literal["model", "matched", "rendered"]
    """`model`: it cited the call itself; `matched`: the runtime found all numbers and quotes of a sentence in
    this call and no other, and added the id; `rendered`: the text is the call's own result."""


class StepAnswer(Contract):
    """What an agent says at the end of its step."""

    text: str
    evidence: tuple[str, ...] = ()
    """Ids of the calls that the answer rests on: those cited."""
    style: Literal["prose", "evidence", "question"]
    unsupported_numbers: tuple[str, ...] = ()
    """Numbers in the text that no evidence contains."""
    grounded: bool
    """False when no tool backs the answer."""
    citations: tuple[Citation, ...] = ()
    """Each call cited, with who cited it."""
    available: tuple[str, ...] = ()
    """Ids of the calls that the model was shown and could have cited."""
    unknown_citations: tuple[str, ...] = ()
    """Ids in the text that name no call this step may see."""
    uncited: tuple[str, ...] = ()
    """Sentences of prose that rest on no call."""
    rendered_because: str = ""
    """Why the evidence stands in place of the model's prose: its `answer_style`, `unsupported_numbers`, the
    code of the error with which it failed, or `stand_in`: one answered that is not trusted with prose."""
