"""The port to a model. Planner and agents use the same port with different settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from planwarden.contracts.model import Message, ModelIdentity, ModelUsage, ToolRequest
from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.errors import ModelUnavailable, ReplyIncomplete
from planwarden.llm.footprint import ModelFootprint


class ModelNotReady(ModelUnavailable):
    """Nothing usable answered just now; another try may succeed, which a missing model never does."""

    def __init__(self, message: str, *, remedy: str, retry_after_s: float | None = None) -> None:
        """Take the seconds that the server asks to be left alone, where it says so (`Retry-After`)."""
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s


class ReplyBroken(ReplyIncomplete):
    """The reply came without its end mark; another try may succeed, which a reply at its limit never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model is asked, and what its reply is held to."""

    messages: tuple[Message, ...]
    output_schema: JsonSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMRequest:
    """One question to a model."""

    messages: tuple[Message, ...]
    output_schema: JsonSchema | None = None
    """The reply is constrained to this schema, without free whitespace where the engine can."""
    tools: tuple[ToolSpec, ...] = ()
    """Offered for native tool calling; excludes `output_schema`."""
    max_output_tokens: int = 256
    temperature: float = 0.0
    seed: int = 7
    top_logprobs: int = 0
    """How many alternatives to report per output token; 0 for none. Ollama gives at most 20."""
    reuse_prompt: bool = False
    """Keep the work on the beginning that this prompt shares with the last one, where the engine would not by
    itself: faster, and the reply is the same without."""
    timeout_s: float = 60.0
    """Seconds for the whole exchange; a wrapper that retries spends from the same budget."""
    simpler: Question | None = None
    """What a stand-in whose `argument_style` is `grounded` is asked instead: the same, with more guidance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAlternative:
    """A token that could have stood at a place, before any grammar: renormalise over what is allowed."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChoice:
    """A token of the reply; the concatenation of all `text`s is the reply."""

    text: str
    logprob: float
    alternatives: tuple[TokenAlternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTiming:
    """Where the time of a reply went, in seconds, as the server says."""

    load_s: float = 0.0
    """Getting the weights into memory; near 0 when they were there."""
    prompt_s: float = 0.0
    """Reading the part of the prompt that was not read before."""
    output_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMReply:
    """A complete reply; one that was cut short is an error instead."""

    text: str
    """May be empty only beside `tool_requests`."""
    usage: ModelUsage
    tool_requests: tuple[ToolRequest, ...] = ()
    """Calls that the model asks for, in its order."""
    answered_by: ModelIdentity | None = None
    """Set by a wrapper that had another model answer."""
    tokens: tuple[TokenChoice, ...] = field(default=())
    """Empty when none were asked for, or when the server's tokens do not add up to its text."""
    timing: ReplyTiming | None = None
    """None when the server does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHealth:
    """What `planwarden doctor` wants to know about a model."""

    reachable: bool
    present: bool
    context_tokens: int | None
    detail: str
    remedy: str = ""
    footprint: ModelFootprint | None = None
    """None where nothing is known of the model's size."""


class LLMService(Protocol):
    """A model that can be asked. Implementations: `ollama`, `embedded`; wrappers: one behaviour each."""

    @property
    def identity(self) -> ModelIdentity:
        """Say which model this is."""
        ...

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask once.

        Raises:
            ToolCallingUnsupported: `tools` were given and this model cannot take them.
            ModelUnavailable: nothing answers, or it does not have the model (`ModelNotReady`: may pass).
            ModelTimedOut: `timeout_s` is past.
            ReplyIncomplete: the reply was cut at `max_output_tokens` or has no end mark (`ReplyBroken`).
            ReplyInvalid: the reply is not what the protocol promises.
            PromptTooLong: the prompt does not fit the context in force.
        """
        ...

    async def health(self) -> ModelHealth:
        """Look whether the model is there; never raises for a model that is not."""
        ...

    async def aclose(self) -> None:
        """Give back what the service holds."""
        ...
