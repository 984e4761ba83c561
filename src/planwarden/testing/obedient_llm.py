"""A double that does all that a good server does: schema, seed, limits, context, probabilities, tools."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import cast

from planwarden.contracts.model import ModelIdentity, ModelUsage, ToolRequest
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json, digest_bytes
from planwarden.errors import PromptTooLong, ReplyIncomplete
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth, TokenAlternative, TokenChoice

_TALK = "Well, let me think about that for a while, and then about something else. " * 12


class ObedientLLM:
    """Says the same to the same request; above temperature 0 the seed matters too."""

    def __init__(self, *, num_ctx: int = 1024, model: str = "obedient", calls_tools: bool = False) -> None:
        """Take the context length, in words, which are this model's tokens."""
        self._num_ctx = num_ctx
        self._identity = ModelIdentity(
            provider="obedient", model=model, chosen_because="a test double", calls_tools=calls_tools
        )
        self.requests: list[LLMRequest] = []

    @property
    def identity(self) -> ModelIdentity:
        """Say that this is a double."""
        return self._identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Do as asked. Errors: see `LLMService.complete`."""
        self.requests.append(request)
        prompt = "\n".join(message.content for message in request.messages)
        read = prompt_tokens(request)
        if read >= self._num_ctx:
            raise PromptTooLong(
                f"The prompt has {read} tokens, the context in force {self._num_ctx}.",
                remedy="Raise NUM_CTX.",
            )
        salt = digest_bytes(f"{prompt}/{request.seed if request.temperature else ''}".encode())
        calls = tuple(
            ToolRequest(id="c1", tool=tool.name, arguments=json.dumps(_instance(tool.parameters, salt)))
            for tool in request.tools[:1]
        )
        text = "" if calls else _text(request.output_schema, salt)
        tokens = _tokens(text, salt, request.top_logprobs)
        if len(tokens) > request.max_output_tokens:
            raise ReplyIncomplete(
                f"The reply was cut after {request.max_output_tokens} tokens (limit"
                f" {request.max_output_tokens}).",
                remedy="Raise MAX_OUTPUT_TOKENS.",
            )
        usage = ModelUsage(prompt_tokens=read, output_tokens=len(tokens), latency_s=0.01)
        kept = tokens if request.top_logprobs else ()
        return LLMReply(text=text, usage=usage, tool_requests=calls, tokens=kept)

    async def health(self) -> ModelHealth:
        """Say that all is well."""
        return ModelHealth(
            reachable=True, present=True, context_tokens=self._num_ctx, detail="an obedient double"
        )

    async def aclose(self) -> None:
        """Hold nothing, give nothing back."""


def prompt_tokens(request: LLMRequest) -> int:
    """Count the words of a request, and ten for the chat's own marks."""
    return 10 + sum(len(message.content.split()) for message in request.messages)


def _text(schema: JsonSchema | None, salt: str) -> str:
    return _TALK if schema is None else json.dumps(_instance(schema, salt), separators=(",", ":"))


def _instance(schema: Mapping[str, Json], salt: str) -> Json:
    """Give a value that fits a schema of objects, lists, enums, texts and whole numbers."""
    number = int(digest_bytes(salt.encode())[-12:], 16)
    if "enum" in schema:
        allowed = cast("list[Json]", schema["enum"])
        return allowed[number % len(allowed)]
    match schema.get("type"):
        case "object":
            parts = cast("dict[str, dict[str, Json]]", schema.get("properties") or {})
            return {name: _instance(part, f"{salt}.{name}") for name, part in parts.items()}
        case "array":
            items = cast("dict[str, Json]", schema["items"])
            length = cast("int", schema.get("minItems", 1))
            return [_instance(items, f"{salt}.{place}") for place in range(length)]
        case "integer":
            return number % 100
        case _:
            return f"word{number % 100}"


def _tokens(text: str, salt: str, alternatives: int) -> tuple[TokenChoice, ...]:
    parts = re.findall(r".{1,4}", text, re.DOTALL)
    return tuple(_token(part, f"{salt}.{place}", alternatives) for place, part in enumerate(parts))


def _token(part: str, salt: str, alternatives: int) -> TokenChoice:
    likely = 0.5 + int(digest_bytes(salt.encode())[-6:], 16) / 2**25
    rest = [(1 - likely) / 2**place for place in range(1, alternatives)]
    others = [
        TokenAlternative(text=f"~{place}", logprob=math.log(share))
        for place, share in enumerate(rest)
        if share
    ]
    own = TokenAlternative(text=part, logprob=math.log(likely))
    return TokenChoice(text=part, logprob=own.logprob, alternatives=(own, *others)[:alternatives])
