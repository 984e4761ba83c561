"""Declarations that the planner reads: agents, tools, aliases."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from planwarden.contracts.value import Contract, Json, Name

Effect = Literal["read", "write", "external"]
"""`read` changes nothing; `write` changes this machine; `external` changes something beyond it."""

Execution = Literal["directed", "free"]
"""`directed`: the model fills in the arguments of each planned tool in turn; `free`: it asks for calls by
native tool calling, inside the same tool session."""

JsonSchema = dict[str, Json]
"""A JSON Schema, draft 2020-12."""


class ToolSpec(Contract):
    """What a tool is for and how it is called."""

    name: Name
    description: Annotated[str, Field(min_length=1, max_length=1_000)]
    effect: Effect
    parameters: JsonSchema
    """Schema of the arguments, always an object with `additionalProperties: false`."""
    output: JsonSchema | Literal["opaque"] = "opaque"
    """Schema of the result; from an opaque result only the whole value can be taken."""
    alternatives: tuple[Name, ...] = ()
    """Tools that can stand in when this one fails, best first."""
    examples: tuple[str, ...] = ()
    """Requests that this tool serves, as a user would put them."""
    foreign_examples: tuple[str, ...] = ()
    """The like in other languages; only retrieval reads them, apart from the English ones."""
    topics: tuple[str, ...] = ()
    """Words that the tool's own data speaks of (headings, columns, categories); only retrieval reads them."""
    timeout_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 30.0
    verifiable: bool = False
    """Whether the tool can say if a call with a given idempotency key was done."""
    untrusted_output: bool = True
    """Whether the result holds text from outside (files, documents, web)."""


class AgentSpec(Contract):
    """What an agent is for and which tools it has."""

    name: Name
    description: Annotated[str, Field(min_length=1, max_length=1_000)]
    capabilities: tuple[str, ...] = ()
    tools: tuple[Name, ...] = ()
    may_answer_without_tools: bool = False
    instruction: Annotated[str, Field(max_length=4_000)] = ""
    """Standing instruction for the agent's model."""
    model: Name | None = None
    """An entry under `models` of the catalog file; None for the model that `LLM__*` sets."""
    execution: Execution | None = None
    """How its steps are executed; None for what `LLM__EXECUTION` sets."""
