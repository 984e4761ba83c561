"""What Ollama says, read strictly: the lines of a streamed chat to a reply, error bodies to errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, cast

from planwarden.contracts.model import ModelUsage, ToolRequest
from planwarden.errors import (
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
    ToolCallingUnsupported,
)
from planwarden.llm.ollama.tools import read_requests
from planwarden.llm.service import (
    LLMReply,
    LLMRequest,
    ModelNotReady,
    ReplyBroken,
    ReplyTiming,
    TokenChoice,
)
from planwarden.llm.wire.logprobs import read_token

Object = Mapping[str, object]

NOT_OLLAMA = "Check that the base URL is Ollama's own, without a proxy or another service in between."
_EMPTY = "Look at the prompt in the dossier; some models end at once on a prompt they cannot make sense of."
_LOOP = "Ask the model for less at a time, or take a larger one: this one would say the same again."
REPEATS = 30
"""Equal parts in a row, in thought too, after which Ollama ends a stream without an end mark (its
llm/server.go)."""
_SAID = 300
"""Characters of a server's own words that go into a message."""


def raise_for_answer(
    status: int, body: str, *, model: str, num_ctx: int, retry_after_s: float | None = None
) -> NoReturn:
    """Turn an error answer into the error that names who must react."""
    said = error_text(body).rstrip(".")
    if status == 404 and "not found" in said:
        raise ModelUnavailable(
            f"Ollama does not have the model {model}: {said}.", remedy=f"Run `ollama pull {model}`."
        )
    if "context" in said and ("exceed" in said or "longer than" in said):
        raise PromptTooLong(
            f"The prompt does not fit the context of {num_ctx} tokens: {said}.",
            remedy="Raise NUM_CTX, or offer fewer tools or less evidence.",
        )
    if "does not support tools" in said:
        raise ToolCallingUnsupported(
            f"{model} takes no tools: {said}.", remedy="Use directed execution, or a model that calls tools."
        )
    if status in (401, 403):
        raise ModelUnavailable(
            f"Ollama's address lets nobody in without a key or right (HTTP {status}): {said}.",
            remedy="Ask whoever runs the server; Ollama itself needs no key.",
        )
    if 300 <= status < 400:
        raise ModelUnavailable(
            f"Ollama's address redirects (HTTP {status}); redirects are not followed.",
            remedy="Set BASE_URL to where the server really is.",
        )
    if status == 429:
        raise ModelNotReady(
            f"Ollama takes no more requests for {model} just now (HTTP 429): {said}.",
            remedy="Wait, or send fewer requests at a time.",
            retry_after_s=retry_after_s,
        )
    if status >= 500:
        raise ModelNotReady(
            f"Ollama could not run {model} (HTTP {status}): {said}.",
            remedy="Look at Ollama's log; often the model does not fit into memory.",
            retry_after_s=retry_after_s,
        )
    raise ReplyInvalid(f"Ollama refused the request (HTTP {status}): {said}.", remedy=NOT_OLLAMA)


def error_text(body: str) -> str:
    """Dig the message out of an error body; Ollama nests its runner's JSON inside its own as a string."""
    text = body.strip()
    for _ in range(4):
        try:
            inner: object = json.loads(text)
        except (ValueError, RecursionError):
            break
        match inner:
            case {"error": {"message": str(message)}} | {"error": str(message)}:
                text = message.strip()
            case _:
                break
    return text[:_SAID]


@dataclass(slots=True, kw_only=True)
class ChatStream:
    """Adds up the lines of one streamed chat and knows whether it ended."""

    request: LLMRequest
    model: str
    num_ctx: int
    text: list[str] = field(default_factory=list[str])
    said: list[str] = field(default_factory=list[str])
    """What each part that says something says, aloud or in thought."""
    tokens: list[TokenChoice] = field(default_factory=list[TokenChoice])
    requests: list[ToolRequest] = field(default_factory=list[ToolRequest])
    end: Object | None = None

    def take(self, line: bytes) -> None:
        """Add one line.

        Raises:
            ReplyInvalid: not a line of Ollama's chat protocol.
            ModelUnavailable, PromptTooLong: the line reports an error.
        """
        try:
            part: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ReplyInvalid(
                f"Ollama streamed a line that is not JSON: {_shown(line)}.", remedy=NOT_OLLAMA
            ) from error
        if isinstance(part, dict) and "error" in part:
            raise_for_answer(500, line.decode(), model=self.model, num_ctx=self.num_ctx)
        try:
            self._add(cast("Object", part))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ReplyInvalid(
                f"Ollama streamed a line that is not a part of a chat: {_shown(line)}.", remedy=NOT_OLLAMA
            ) from error

    def reply(self, *, latency_s: float) -> LLMReply:
        """Give the reply if the stream ended as a whole one does.

        Raises:
            ReplyIncomplete: cut at the limit, or by Ollama in a loop, or (`ReplyBroken`) no end mark.
            ReplyInvalid: the end says something else than `stop`, or the prompt was cut.
        """
        if self.end is None:
            if self._loops():
                raise ReplyIncomplete(
                    f"Ollama broke the reply off after {len(self.text)} parts: the model wrote"
                    f" {self.said[-1]!r} over and over.",
                    remedy=_LOOP,
                )
            raise self.broken("the stream ended")
        usage = _usage(self.end, latency_s)
        self._refuse_cut_prompt(usage)
        reason = self.end.get("done_reason")
        if reason == "length":
            raise ReplyIncomplete(
                f"The reply was cut after {usage.output_tokens} tokens (limit"
                f" {self.request.max_output_tokens}, prompt {usage.prompt_tokens}, context {self.num_ctx}).",
                remedy="Raise MAX_OUTPUT_TOKENS, or NUM_CTX if prompt and reply fill the context.",
                prompt_tokens=usage.prompt_tokens,
                output_tokens=usage.output_tokens,
            )
        if reason != "stop":
            raise ReplyInvalid(f"Ollama ended the reply with done_reason {reason!r}.", remedy=NOT_OLLAMA)
        text = "".join(self.text)
        if not text and not self.requests:
            raise ReplyInvalid("Ollama ended the reply without a word.", remedy=_EMPTY)
        whole = "".join(token.text for token in self.tokens) == text
        return LLMReply(
            text=text,
            usage=usage,
            tool_requests=tuple(self.requests),
            tokens=tuple(self.tokens) if whole else (),
            timing=_timing(self.end),
        )

    def broken(self, how: str) -> ReplyBroken:
        """Make the error for a reply without its end mark."""
        return ReplyBroken(
            f"Ollama's reply has no end mark: {how} after {len(self.text)} parts.",
            remedy="Try again; if it stays, look at Ollama's log.",
        )

    def _loops(self) -> bool:
        last = [part.strip() for part in self.said[-REPEATS:]]
        return len(last) == REPEATS and len({*last}) == 1

    def _add(self, part: Object) -> None:
        message = cast("Object", part["message"])
        content = message.get("content", "") if message.get("tool_calls") else message["content"]
        thought = message.get("thinking") or ""
        if not isinstance(content, str) or not isinstance(thought, str) or not isinstance(part["done"], bool):
            raise TypeError(content)
        self.text.append(content)
        self.said += [thought + content] if thought + content else []
        calls = message.get("tool_calls") or ()
        self.requests += read_requests(calls, self.request.tools, before=len(self.requests))
        self.tokens += map(read_token, cast("Sequence[Object]", part.get("logprobs") or ()))
        if part["done"]:
            _usage(part, 0.0)
            self.end = part

    def _refuse_cut_prompt(self, usage: ModelUsage) -> None:
        words = sum(len(re.findall(r"\S+", message.content)) for message in self.request.messages)
        if 0 < usage.prompt_tokens < words or usage.prompt_tokens > self.num_ctx:
            raise ReplyInvalid(
                f"Ollama cut the prompt: it read {usage.prompt_tokens} tokens of at least {words}"
                f" (context {self.num_ctx}).",
                remedy="Update Ollama: this one ignores `truncate: false`. Or raise NUM_CTX.",
            )


def _shown(line: bytes) -> str:
    return repr(line[:80].decode("utf-8", "replace"))


def _usage(end: Object, latency_s: float) -> ModelUsage:
    return ModelUsage(
        prompt_tokens=cast("int", end.get("prompt_eval_count", 0)),
        output_tokens=cast("int", end.get("eval_count", 0)),
        latency_s=latency_s,
    )


def _timing(end: Object) -> ReplyTiming | None:
    """Read the durations, which the server gives in nanoseconds."""
    durations = [end.get(f"{part}_duration") for part in ("load", "prompt_eval", "eval")]
    load, prompt, output = (each / 1e9 if isinstance(each, int) else None for each in durations)
    if load is None or prompt is None or output is None:
        return None
    return ReplyTiming(load_s=load, prompt_s=prompt, output_s=output)
