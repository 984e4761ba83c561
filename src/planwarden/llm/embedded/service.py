"""The embedded model as an LLMService: requests to llama.cpp's chat format, its chunks to a reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity, ModelUsage
from planwarden.contracts.specs import JsonSchema
from planwarden.errors import (
    ModelFileRejected,
    ModelTimedOut,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
    ToolCallingUnsupported,
)
from planwarden.llm.embedded import gguf
from planwarden.llm.embedded.engine import EmbeddedEngine
from planwarden.llm.footprint import ModelFootprint, cache_shape
from planwarden.llm.service import (
    LLMReply,
    LLMRequest,
    ModelHealth,
    ReplyBroken,
    ReplyTiming,
    TokenChoice,
)
from planwarden.llm.wire.logprobs import read_token

Object = Mapping[str, object]

DEFAULT_LABEL = "smollm2-135m-instruct"


class EmbeddedLLM:
    """A service on an engine that others may share; closing the last one frees the weights."""

    def __init__(
        self,
        engine: EmbeddedEngine,
        *,
        clock: Clock,
        digest: str,
        model: str = DEFAULT_LABEL,
        chosen_because: str = "",
        adapter: str | None = None,
    ) -> None:
        """Take a share of the engine.

        Args:
            engine: holds the weights.
            clock: for how long a reply took.
            digest: names the weights; with an adapter on, weights and adapter together.
            model: what it is called.
            chosen_because: for the record.
            adapter: digest of the engine's adapter, which then applies to every request of this service.
        """
        self._engine = engine
        self._clock = clock
        self._open = True
        self._identity = ModelIdentity(
            provider="embedded",
            model=model,
            digest=digest,
            adapter=adapter,
            chosen_because=chosen_because,
            argument_style="grounded",
        )
        engine.acquire()

    @property
    def identity(self) -> ModelIdentity:
        """Say which weights answer."""
        return self._identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask once; waiting in line counts towards `timeout_s`. Errors: see `LLMService.complete`."""
        if request.tools:
            raise ToolCallingUnsupported(
                f"The embedded {self._identity.model} takes no tools.", remedy="Use directed execution."
            )
        started = self._clock.monotonic()
        deadline = asyncio.timeout(request.timeout_s)
        try:
            async with deadline:
                chunks = await self._engine.chat(_body(request, adapted=self._identity.adapter is not None))
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise ModelTimedOut(
                f"The embedded {self._identity.model} gave no whole reply"
                f" within {round(request.timeout_s, 3):g} s.",
                remedy="Raise TIMEOUT_S, lower MAX_OUTPUT_TOKENS, or leave the model more of the processor.",
            ) from error
        return _reply(chunks, request, latency_s=max(0.0, self._clock.monotonic() - started))

    async def health(self) -> ModelHealth:
        """Load the weights if need be and say whether that works."""
        path, n_ctx = self._engine.options.path, self._engine.options.n_ctx
        try:
            await self._engine.load()
        except ModelFileRejected as error:
            return ModelHealth(
                reachable=True, present=False, context_tokens=None, detail=error.message, remedy=error.remedy
            )
        return ModelHealth(
            reachable=True,
            present=True,
            context_tokens=n_ctx,
            detail=f"{self._identity.model} from {path}, in this process, context {n_ctx} tokens",
            footprint=await asyncio.to_thread(_footprint, path, n_ctx),
        )

    async def aclose(self) -> None:
        """Give back the share of the engine; a second call does nothing."""
        if self._open:
            self._open = False
            await self._engine.release()


def compact_grammar(schema: JsonSchema) -> str:
    """Turn a schema into a grammar without free whitespace, properties in the schema's order.

    llama.cpp ignores a grammar that it cannot compile: the caller validates the reply.
    Source: llguidance, docs/syntax.md and docs/json_schema.md (`x-guidance`).
    """
    compact = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
    return "%llguidance {}\nstart: %json " + json.dumps({**schema, "x-guidance": compact})


def _body(request: LLMRequest, *, adapted: bool) -> dict[str, object]:
    body: dict[str, object] = {
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
        "cache_prompt": request.reuse_prompt,
        "return_progress": True,  # a chunk per batch of the prompt: a chance to stop before the first token
    }
    if adapted:
        body["lora"] = [{"id": 0, "scale": 1.0}]
    if request.output_schema is not None:
        body["grammar"] = compact_grammar(request.output_schema)
    if request.top_logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = request.top_logprobs
    return body


@dataclass(slots=True, kw_only=True)
class _Collected:
    """What the chunks of one reply add up to."""

    text: list[str] = field(default_factory=list[str])
    tokens: list[TokenChoice] = field(default_factory=list[TokenChoice])
    finish: str | None = None
    usage: Object | None = None
    timings: Object | None = None

    def take(self, chunk: object) -> None:
        """Add one chunk; raises KeyError, TypeError, IndexError or AttributeError on one of another form."""
        known = cast("Object", chunk)
        if "error" in known:
            _raise_refusal(known["error"])
        self.usage = cast("Object | None", known.get("usage")) or self.usage
        self.timings = cast("Object | None", known.get("timings")) or self.timings
        for choice in cast("Sequence[Object]", known["choices"]):
            self.finish = cast("str | None", choice.get("finish_reason")) or self.finish
            self.text.append(cast("str | None", cast("Object", choice["delta"]).get("content")) or "")
            logprobs = cast("Object | None", choice.get("logprobs")) or {}
            self.tokens += map(read_token, cast("Sequence[Object]", logprobs.get("content") or ()))


def _reply(chunks: Sequence[object], request: LLMRequest, *, latency_s: float) -> LLMReply:
    collected = _Collected()
    try:
        for chunk in chunks:
            collected.take(chunk)
        usage = _usage(collected.usage or {}, latency_s)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise ReplyInvalid(
            f"llama.cpp streamed something that is not a chat chunk: {error!r}.",
            remedy="Reinstall the locked xllamacpp version with `make setup`.",
        ) from error
    if collected.finish == "length":
        raise ReplyIncomplete(
            f"The reply was cut after {usage.output_tokens} tokens (limit {request.max_output_tokens},"
            f" prompt {usage.prompt_tokens}).",
            remedy="Raise MAX_OUTPUT_TOKENS, or NUM_CTX if prompt and reply fill the context.",
            prompt_tokens=usage.prompt_tokens,
            output_tokens=usage.output_tokens,
        )
    if collected.finish != "stop":
        raise ReplyBroken(
            f"The reply ended without an end mark (finish_reason {collected.finish!r}).",
            remedy="Try again; if it stays, look at memory and run `planwarden doctor`.",
        )
    text = "".join(collected.text)
    if not text:
        raise ReplyInvalid(
            "The embedded model ended its reply without a word.", remedy="Look at the prompt in the dossier."
        )
    whole = "".join(token.text for token in collected.tokens) == text
    tokens = tuple(collected.tokens) if whole else ()
    return LLMReply(text=text, usage=usage, tokens=tokens, timing=_timing(collected.timings or {}))


def _raise_refusal(error: object) -> None:
    known = cast("Object", error)
    if known.get("type") == "exceed_context_size_error":
        raise PromptTooLong(
            f"The prompt has {known.get('n_prompt_tokens')} tokens, the context in force"
            f" {known.get('n_ctx')}.",
            remedy="Raise NUM_CTX, or offer fewer tools or less evidence.",
        )
    raise ReplyInvalid(
        f"llama.cpp refused the request: {known.get('message', error)}",
        remedy="Look at the prompt and the schema in the dossier; this request will not work again.",
    )


def _usage(usage: Object, latency_s: float) -> ModelUsage:
    details = cast("Object", usage.get("prompt_tokens_details") or {})
    return ModelUsage(
        prompt_tokens=cast("int", usage.get("prompt_tokens", 0)),
        cached_tokens=cast("int", details.get("cached_tokens", 0)),
        output_tokens=cast("int", usage.get("completion_tokens", 0)),
        latency_s=latency_s,
    )


def _timing(timings: Object) -> ReplyTiming | None:
    prompt, output = timings.get("prompt_ms"), timings.get("predicted_ms")
    if not isinstance(prompt, int | float) or not isinstance(output, int | float):
        return None
    return ReplyTiming(prompt_s=prompt / 1e3, output_s=output / 1e3)


def _footprint(path: Path, n_ctx: int) -> ModelFootprint | None:
    """Say how large the loaded model is; blocks for a few reads."""
    try:
        size, shape = path.stat().st_size, cache_shape(gguf.read_facts(path))
    except (OSError, ValueError):
        return None  # it loaded, so it can be used: only its size stays unknown
    return ModelFootprint(weights_bytes=size, cache=shape, loaded_context_tokens=n_ctx)
