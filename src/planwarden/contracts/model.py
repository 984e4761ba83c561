"""Which model answered, what it was asked, what it said, what that cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planwarden.contracts.value import Contract, Digest, Json

Purpose = Literal["plan", "repair", "arguments", "answer"]
AnswerStyle = Literal["prose", "evidence"]
"""`prose`: the model writes the answer; `evidence`: the answer is rendered from what the tools returned."""


class ModelIdentity(Contract):
    """Exactly which model, where, and why it was chosen."""

    provider: str
    model: str
    digest: Digest | None = None
    """Of the weights, where the provider tells."""
    endpoint: str | None = None
    chosen_because: str = ""
    answer_style: AnswerStyle = "prose"


class Message(Contract):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class ModelUsage(Contract):
    """What one exchange with a model cost."""

    prompt_tokens: Annotated[int, Field(ge=0)] = 0
    cached_tokens: Annotated[int, Field(ge=0)] = 0
    output_tokens: Annotated[int, Field(ge=0)] = 0
    latency_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class ModelExchange(Contract):
    """A question to a model and its raw answer, as the record keeps it."""

    purpose: Purpose
    messages: tuple[Message, ...]
    output_schema: dict[str, Json] | None = None
    reply: str | None
    """None when the model gave no usable reply; then `error` says why."""
    error_code: str | None = None
    error: str | None = None
    usage: ModelUsage = Field(default_factory=ModelUsage)
