"""The task: what was asked, by whom, for whom, with what limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from planwarden.contracts.tracing import Traceparent
from planwarden.contracts.value import Contract, StorableJson

MAX_PROMPT_CHARS = 32_768
"""Longest prompt accepted, in characters. A 1B planner's context ends well before."""


class Exchange(Contract):
    """One earlier turn of the same conversation."""

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_PROMPT_CHARS)]


class Principal(Contract):
    """Who asks."""

    id: Annotated[str, Field(min_length=1, max_length=256)] = "local"
    kind: Literal["user", "service"] = "user"


class TaskLimits(Contract):
    """Budgets of one run. Exceeding one is a deviation, never a silent cut."""

    max_tool_calls: Annotated[int, Field(ge=1, le=1_000)] = 32
    max_calls_per_step: Annotated[int, Field(ge=1, le=100)] = 8
    max_refusals_per_step: Annotated[int, Field(ge=1, le=100)] = 3
    max_turns_per_step: Annotated[int, Field(ge=1, le=100)] = 12
    """Exchanges of free execution; past them the step goes on directed."""
    max_tokens: Annotated[int, Field(ge=1)] = 200_000
    max_wall_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    max_parallel_steps: Annotated[int, Field(ge=1, le=16)] = 1


class Task(Contract):
    """What was asked. `data` are the paths that the tools may read; without any, the samples that ship."""

    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS)]
    metadata: dict[str, StorableJson] = Field(default_factory=dict)
    exchanges: tuple[Exchange, ...] = ()
    turns_left_out: Annotated[int, Field(ge=0)] = 0
    """Turns of the conversation older than `exchanges`; no model's context would have held them."""
    conversation: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    data: tuple[str, ...] = ()
    limits: TaskLimits = Field(default_factory=TaskLimits)
    principal: Principal = Field(default_factory=Principal)
    tenant: Annotated[str, Field(min_length=1, max_length=256)] = "default"
    traceparent: Traceparent | None = None
    """The caller's place in a trace; the run's span becomes its child. No part of what is asked."""

    @field_validator("conversation", "tenant")
    @classmethod
    def _is_text(cls, name: str | None) -> str | None:
        try:
            (name or "").encode()
        except UnicodeEncodeError as error:
            msg = "it is not valid text"
            raise ValueError(msg) from error
        return name

    @field_validator("prompt")
    @classmethod
    def _says_something(cls, prompt: str) -> str:
        if not prompt.strip():
            msg = "the task is empty"
            raise ValueError(msg)
        if "\x00" in prompt:
            msg = "the task contains a NUL byte"
            raise ValueError(msg)
        try:
            prompt.encode()
        except UnicodeEncodeError as error:
            msg = "the task is not valid text"
            raise ValueError(msg) from error
        return prompt
