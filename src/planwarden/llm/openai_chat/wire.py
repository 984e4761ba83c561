"""A request as an OpenAI-compatible server takes it, and what one server turned out not to take."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from planwarden.contracts.model import Message, ToolRequest
from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.contracts.value import Json
from planwarden.llm.service import LLMRequest
from planwarden.llm.wire.json_format import servable_schema
from planwarden.llm.wire.tools import MOST_NAME_CHARS, wire_names, wire_tools

MOST_LOGPROBS = 20
_REFUSED = re.compile(
    r"unsupported|not support|unrecognized|unknown|not permitted|extra (inputs|fields)|unexpected|not allowed"
    r"|not available|isn't supported",
    re.IGNORECASE,
)


@dataclass(slots=True, kw_only=True)
class Dialect:
    """What one server takes; learned from its refusals, never from a model's name."""

    limit_name: str = "max_tokens"
    logprobs: bool = True
    """Without them replies have no tokens, and confidence says that it was not measured."""
    seed: bool = True
    usage: bool = True

    @property
    def lacking(self) -> tuple[str, ...]:
        """Name the settings that do not reach this server."""
        return tuple(
            name
            for name, taken in (
                ("SEED", self.seed),
                ("token probabilities", self.logprobs),
                ("usage", self.usage),
            )
            if not taken
        )

    def learn(self, said: str) -> bool:
        """Take a refusal of one optional field to heart; False when it is about something else.

        Temperature is not optional: a server that refuses it is not asked without.
        """
        if "max_completion_tokens" in said and self.limit_name == "max_tokens":
            self.limit_name = "max_completion_tokens"
        elif not _REFUSED.search(said):
            return False
        elif "stream_options" in said and self.usage:
            self.usage = False
        elif "logprobs" in said and self.logprobs:
            self.logprobs = False
        elif re.search(r"\bseed\b", said) and self.seed:
            self.seed = False
        else:
            return False
        return True


def chat_body(request: LLMRequest, *, model: str, dialect: Dialect) -> dict[str, object]:
    """Give the body of a streamed chat completion."""
    names = wire_names(request.tools)
    body: dict[str, object] = {
        "model": model,
        "messages": [_message(each, names) for each in request.messages],
        dialect.limit_name: request.max_output_tokens,
        "temperature": request.temperature,
        "stream": True,
    }
    if dialect.seed:
        body["seed"] = request.seed
    if dialect.usage:
        body["stream_options"] = {"include_usage": True}
    if request.output_schema is not None:
        body["response_format"] = _response_format(request.output_schema)
    if request.tools:
        body["tools"] = wire_tools([_servable(spec) for spec in request.tools])
    if request.top_logprobs and dialect.logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = min(request.top_logprobs, MOST_LOGPROBS)
    return body


def _servable(spec: ToolSpec) -> ToolSpec:
    return spec.model_copy(update={"parameters": servable_schema(spec.parameters)})


def _response_format(schema: JsonSchema) -> dict[str, object]:
    kept = servable_schema(schema)
    described = {"name": "reply", "strict": is_strict(kept), "schema": kept}
    return {"type": "json_schema", "json_schema": described}


def is_strict(schema: Json) -> bool:
    """Say whether OpenAI's cloud takes a schema as `strict`: every object closed, every property required.

    Source: OpenAI, guide on structured outputs, "supported schemas".
    """
    if isinstance(schema, list):
        return all(is_strict(each) for each in cast("list[Json]", schema))
    if not isinstance(schema, dict):
        return True
    known = cast("dict[str, Json]", schema)
    properties = known.get("properties")
    if isinstance(properties, dict) or known.get("type") == "object":
        names = set(cast("dict[str, Json]", properties or {}))
        required = cast("list[str]", known.get("required") or [])
        if known.get("additionalProperties") is not False or names != set(required):
            return False
    return all(is_strict(each) for key, each in known.items() if key not in ("enum", "const", "required"))


def _message(message: Message, names: Mapping[str, str]) -> dict[str, object]:
    if message.answers is not None:
        return {"role": "tool", "tool_call_id": message.answers.id, "content": message.content}
    told: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_requests:
        told["content"] = message.content or None
        told["tool_calls"] = _calls(message.tool_requests, names)
    return told


def _calls(requests: Sequence[ToolRequest], names: Mapping[str, str]) -> list[dict[str, object]]:
    return [
        {
            "id": each.id,
            "type": "function",
            "function": {
                "name": wire_name(each.tool, names),
                "arguments": object_text(each.arguments),
            },
        }
        for each in requests
    ]


def wire_name(tool: str, names: Mapping[str, str]) -> str:
    """Give a tool's name on the wire, also for one that was never offered."""
    return names.get(tool) or re.sub(r"[^A-Za-z0-9_-]", "_", tool)[:MOST_NAME_CHARS] or "none"


def object_text(arguments: str) -> str:
    """Give arguments that a server's chat template can read; some fail on what a model wrote wrongly."""
    try:
        value: object = json.loads(arguments)
    except ValueError:
        value = None
    return arguments if isinstance(value, dict) else "{}"
