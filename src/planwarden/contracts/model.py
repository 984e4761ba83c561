"""Which model answered, what it was asked, what it said, what that cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planwarden.contracts.value import Contract, Digest, Json, Name, digest

Purpose = Literal["plan", "repair", "arguments", "answer", "work"]
"""`work`: one turn of free execution, in which the model may ask for calls."""
ModelRole = Literal["planner", "agents"]
AnswerStyle = Literal["prose", "evidence"]
"""`prose`: the model writes the answer; `evidence`: the answer is rendered from what the tools returned."""
ArgumentStyle = Literal["free", "grounded"]
"""`free`: the model fills in arguments under the tool's schema; `grounded`: it chooses among what the request
names."""


class ModelIdentity(Contract):
    """Exactly which model, where, and why it was chosen."""

    provider: str
    model: str
    digest: Digest | None = None
    """Of the weights, where the provider tells; with an adapter on, of weights and adapter together."""
    adapter: Digest | None = None
    """Of the LoRA adapter that is on; it was trained to write plans without being shown worked examples."""
    endpoint: str | None = None
    chosen_because: str = ""
    answer_style: AnswerStyle = "prose"
    answer_style_because: str = ""
    """What decided on the style: a setting, a measurement with its figures, or that there is none."""
    argument_style: ArgumentStyle = "free"
    calls_tools: bool = False
    """Whether it is known to take tools natively; only then is free execution tried."""


class ToolRequest(Contract):
    """A call that a model asks for; whether it happens is the warden's to say."""

    id: str
    """As the server named it; the result goes back under it."""
    tool: str
    """The tool's own name where the model wrote one it was offered, else whatever it wrote."""
    arguments: str
    """JSON as the model wrote it, unread."""


class Message(Contract):
    """One message of a chat."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_requests: tuple[ToolRequest, ...] = ()
    """Of an assistant: the calls it asked for."""
    answers: ToolRequest | None = None
    """Of a tool: the request that its content answers."""


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
    offered_tools: tuple[Name, ...] = ()
    """Tools that the model could ask for natively."""
    tool_requests: tuple[ToolRequest, ...] = ()
    """Calls that it asked for."""
    answered_by: ModelIdentity | None = None
    """The model that gave the reply, where it is not the one that the run pins."""
    turns_left_out: Annotated[int, Field(ge=0)] = 0
    """Earlier turns of the conversation that did not fit and were not told."""
    turns_shortened: Annotated[int, Field(ge=0)] = 0
    """Earlier turns that were told without their middle."""
    asked_again: bool = False
    """Refused as too long; the next exchange asks the same with fewer earlier turns."""
    error_code: str | None = None
    error: str | None = None
    usage: ModelUsage = Field(default_factory=ModelUsage)

    def prompt_digest(self) -> str:
        """Name everything that the model was shown: messages, output schema, offered tools."""
        shown = self.model_dump(mode="json", include={"messages", "output_schema", "offered_tools"})
        return digest(shown)

    @property
    def tokens_per_byte(self) -> float:
        """Say how dense the prompt turned out to be; 0 where the server did not count."""
        size = sum(len(message.content.encode("utf-8", "replace")) for message in self.messages)
        return self.usage.prompt_tokens / size if size else 0.0
