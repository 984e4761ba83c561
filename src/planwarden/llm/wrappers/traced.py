"""Wrappers that trace each exchange with a model: a `chat` span, and where it is asked for, its content.

Names follow the OpenTelemetry conventions for generative AI; docs/guides/traces.md lists them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from planwarden.contracts.model import Message, ModelIdentity, ToolRequest
from planwarden.contracts.tracing import Attributes, SpanKind, Tracer
from planwarden.errors import ReplyIncomplete
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth
from planwarden.telemetry.logs import without_secrets

_PROVIDERS = {
    "embedded": "llama.cpp",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "grok": "x_ai",
}
"""Providers that the conventions call by another name than we or pydantic-ai do."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """What all spans of a model have in common."""

    identity: ModelIdentity
    span: str
    kind: SpanKind
    about: Attributes


class TracedLLM:
    """Puts each exchange into a span; around an adapter, so that each try has its own."""

    def __init__(self, inner: LLMService, tracer: Tracer) -> None:
        """Wrap `inner`, which is closed with this service."""
        self._inner = inner
        self._tracer = tracer
        self._known: _Model | None = None

    @property
    def identity(self) -> ModelIdentity:
        """Say which model the wrapped service is."""
        return self._inner.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask, in a span with model, knobs and tokens; without a word of question or answer."""
        identity = self.identity
        if self._known is None or self._known.identity is not identity:
            self._known = _model(identity)
        model = self._known
        with self._tracer.span(model.span, {**model.about, **_asked(request)}, kind=model.kind) as span:
            try:
                reply = await self._inner.complete(request)
            except ReplyIncomplete as error:
                span.note(_used(error.prompt_tokens, error.output_tokens))
                raise
            span.note(_answered(reply.answered_by or identity, reply))
            return reply

    async def health(self) -> ModelHealth:
        """Look at the wrapped service."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Close the wrapped service."""
        await self._inner.aclose()


class ContentTracedLLM:
    """Adds question and answer, in full but for secrets, to the span that a `TracedLLM` around it opened."""

    def __init__(self, inner: LLMService, tracer: Tracer) -> None:
        """Wrap `inner`, which is closed with this service."""
        self._inner = inner
        self._tracer = tracer

    @property
    def identity(self) -> ModelIdentity:
        """Say which model the wrapped service is."""
        return self._inner.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask, and note what was said."""
        span = self._tracer.current()
        span.note({"gen_ai.input.messages": _json([_said(message) for message in request.messages])})
        reply = await self._inner.complete(request)
        calls = [_wanted(wanted) for wanted in reply.tool_requests]
        parts = [{"type": "text", "content": reply.text}, *calls] if reply.text or not calls else calls
        reason = "tool_call" if calls else "stop"
        answer = {"role": "assistant", "parts": parts, "finish_reason": reason}
        span.note({"gen_ai.output.messages": _json([answer])})
        return reply

    async def health(self) -> ModelHealth:
        """Look at the wrapped service."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Close the wrapped service."""
        await self._inner.aclose()


def _model(identity: ModelIdentity) -> _Model:
    address = urlsplit(identity.endpoint or "")
    library, _, _ = identity.model.partition(":")
    provider = library if identity.provider == "pydantic-ai" else identity.provider
    return _Model(
        identity=identity,
        span=f"chat {identity.model}",
        kind="internal" if identity.provider == "embedded" else "client",
        about={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
            "gen_ai.request.model": identity.model,
            "server.address": address.hostname,
            "server.port": (address.port or _PORTS.get(address.scheme)) if address.hostname else None,
            "planwarden.model.digest": identity.digest,
        },
    )


def _asked(request: LLMRequest) -> Attributes:
    return {
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.seed": request.seed,
        "gen_ai.request.max_tokens": request.max_output_tokens,
        "gen_ai.output.type": "text" if request.output_schema is None else "json",
    }


def _answered(identity: ModelIdentity, reply: LLMReply) -> Attributes:
    return {
        "gen_ai.response.model": identity.model,
        "gen_ai.response.finish_reasons": ["tool_call" if reply.tool_requests else "stop"],
        "gen_ai.usage.cache_read.input_tokens": reply.usage.cached_tokens or None,
        **_used(reply.usage.prompt_tokens, reply.usage.output_tokens),
    }


def _used(prompt: int, output: int) -> Attributes:
    """Give the tokens that the server counted; 0 of both is a server that does not count."""
    if not prompt and not output:
        return {}
    return {"gen_ai.usage.input_tokens": prompt, "gen_ai.usage.output_tokens": output}


def _said(message: Message) -> dict[str, object]:
    if message.answers is not None:
        part = {"type": "tool_call_response", "id": message.answers.id, "response": message.content}
        return {"role": "tool", "parts": [part]}
    said = [{"type": "text", "content": message.content}] if message.content else []
    return {"role": message.role, "parts": [*said, *map(_wanted, message.tool_requests)]}


def _wanted(wanted: ToolRequest) -> dict[str, object]:
    return {"type": "tool_call", "id": wanted.id, "name": wanted.tool, "arguments": wanted.arguments}


def _json(value: object) -> str:
    return json.dumps(without_secrets(value), ensure_ascii=False)
