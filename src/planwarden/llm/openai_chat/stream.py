"""The chunks of one streamed chat completion added up, strictly: a reply that did not end is none."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from planwarden.contracts.model import ModelUsage, ToolRequest
from planwarden.errors import ReplyIncomplete, ReplyInvalid
from planwarden.llm.openai_chat.refusals import CHECK_ADDRESS, Server, in_stream
from planwarden.llm.service import LLMReply, LLMRequest, ReplyBroken, TokenChoice
from planwarden.llm.wire.logprobs import read_token
from planwarden.llm.wire.tools import own_name

Object = Mapping[str, object]


@dataclass(slots=True, kw_only=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


@dataclass(slots=True, kw_only=True)
class ChatChunks:
    """Adds up the chunks and knows whether the reply ended."""

    request: LLMRequest
    server: Server
    context_tokens: int | None = None
    """In force on the server, where it tells."""
    parts: int = 0
    finish: str | None = None
    ended: bool = False
    """Whether the end mark of the stream was read."""
    _text: list[str] = field(default_factory=list[str])
    _refused: list[str] = field(default_factory=list[str])
    _tokens: list[TokenChoice] = field(default_factory=list[TokenChoice])
    _calls: dict[int, _Call] = field(default_factory=dict[int, _Call])
    _usage: ModelUsage = field(default_factory=ModelUsage)

    def take(self, line: bytes) -> None:
        """Add one line of the event stream; lines that carry no data say nothing.

        Raises:
            ReplyInvalid: not a chunk of a chat completion.
            ModelUnavailable, PromptTooLong: the chunk reports an error.
        """
        name, _, data = line.partition(b":")
        if name != b"data" or self.ended:
            return
        if data.strip() == b"[DONE]":
            self.ended = True
            return
        try:
            chunk: object = json.loads(data)
            if isinstance(chunk, dict) and "error" in chunk:
                raise in_stream(cast("object", chunk), self.server)
            self._add(cast("Object", chunk))
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            shown = self.server.said(data[:80].decode("utf-8", "replace"))
            raise ReplyInvalid(
                f"{self.server.endpoint} streamed something that is no part of a chat: {shown}.",
                remedy=CHECK_ADDRESS,
            ) from error

    def reply(self, *, latency_s: float) -> LLMReply:
        """Give the reply if it ended as a whole one does.

        Raises:
            ReplyIncomplete: cut at the limit, or (`ReplyBroken`) no end mark.
            ReplyInvalid: nothing was said, it was refused or filtered, or the prompt was cut.
        """
        if self.finish is None:
            raise self.broken("the stream ended")
        usage = self._usage.model_copy(update={"latency_s": latency_s})
        self._refuse_cut_prompt(usage)
        if self.finish == "length":
            raise ReplyIncomplete(
                f"The reply was cut after {usage.output_tokens} tokens (limit"
                f" {self.request.max_output_tokens}, prompt {usage.prompt_tokens}).",
                remedy="Raise MAX_OUTPUT_TOKENS, or the server's context if prompt and reply fill it.",
                prompt_tokens=usage.prompt_tokens,
                output_tokens=usage.output_tokens,
            )
        text, requests = "".join(self._text), self._requests()
        self._refuse_other_ends(text, requests)
        tokens = within_text(self._tokens, text) if self.request.top_logprobs else ()
        return LLMReply(text=text, usage=usage, tool_requests=requests, tokens=tokens)

    def broken(self, how: str) -> ReplyBroken:
        """Make the error for a reply without its end mark."""
        return ReplyBroken(
            f"The reply of {self.server.endpoint} has no end mark: {how} after {self.parts} parts.",
            remedy="Try again; if it stays, look at the server's log.",
        )

    def _add(self, chunk: Object) -> None:
        self.parts += 1
        if chunk.get("usage"):
            self._usage = _usage(cast("Object", chunk["usage"]))
        for choice in cast("Sequence[Object]", chunk["choices"]):
            delta = cast("Object", choice.get("delta") or {})
            self._say(delta.get("content"), self._text)
            self._say(delta.get("refusal"), self._refused)
            for call in cast("Sequence[Object]", delta.get("tool_calls") or ()):
                self._add_call(call)
            logprobs = cast("Object", choice.get("logprobs") or {})
            self._tokens += map(read_token, cast("Sequence[Object]", logprobs.get("content") or ()))
            finish = choice.get("finish_reason")
            self.finish = str(finish) if finish else self.finish

    def _say(self, words: object, where: list[str]) -> None:
        if words is None:
            return
        if not isinstance(words, str):
            raise TypeError(words)
        where.append(words)

    def _add_call(self, delta: Object) -> None:
        function = cast("Object", delta.get("function") or {})
        place = delta.get("index")
        if not isinstance(place, int):  # some servers send each call whole, without an index
            place = len(self._calls)
        call = self._calls.setdefault(place, _Call())
        call.id = call.id or str(delta.get("id") or "")
        call.name = call.name or str(function.get("name") or "")
        self._say(function.get("arguments"), call.arguments)

    def _requests(self) -> tuple[ToolRequest, ...]:
        return tuple(
            ToolRequest(
                id=call.id or f"call_{place}",
                tool=own_name(call.name, self.request.tools),
                arguments="".join(call.arguments) or "{}",
            )
            for place, call in sorted(self._calls.items())
        )

    def _refuse_other_ends(self, text: str, requests: Sequence[ToolRequest]) -> None:
        if self._refused:
            raise ReplyInvalid(
                f"{self.server.model} refused: {self.server.said(''.join(self._refused))}",
                remedy="Put the task differently, or use another model.",
            )
        if self.finish not in ("stop", "tool_calls", "function_call", "eos", "eos_token"):
            raise ReplyInvalid(
                f"{self.server.endpoint} ended the reply with finish_reason {self.finish!r}.",
                remedy="Put the task differently, or use another model.",
            )
        if not text and not requests:
            raise ReplyInvalid(
                f"{self.server.model} at {self.server.endpoint} said nothing.",
                remedy="Try again; if it stays, check the server's chat template.",
            )

    def _refuse_cut_prompt(self, usage: ModelUsage) -> None:
        words = sum(len(re.findall(r"\S+", message.content)) for message in self.request.messages)
        too_many = self.context_tokens is not None and usage.prompt_tokens > self.context_tokens
        if 0 < usage.prompt_tokens < words or too_many:
            raise ReplyInvalid(
                f"{self.server.endpoint} cut the prompt: it read {usage.prompt_tokens} tokens of at least"
                f" {words} (context {self.context_tokens or 'not told'}).",
                remedy="Tell the server to refuse what does not fit (LM Studio: context overflow `stop at"
                " limit`), or give it a longer context.",
            )


def within_text(tokens: Sequence[TokenChoice], text: str) -> tuple[TokenChoice, ...]:
    """Give the tokens that make up the text; none when they do not add up to it.

    llama.cpp reports tokens that it then takes off the front (white space, a "```" before JSON): those are
    left out, and a token that was cut itself has no alternatives, which were for the whole of it.
    """
    joined = "".join(token.text for token in tokens)
    if not joined.rstrip().endswith(text.rstrip()) or text not in joined:
        return ()
    start = joined.rindex(text)
    kept: list[TokenChoice] = []
    offset = 0
    for token in tokens:
        inside = joined[max(offset, start) : min(offset + len(token.text), start + len(text))]
        if inside == token.text:
            kept.append(token)
        elif inside:
            kept.append(TokenChoice(text=inside, logprob=token.logprob))
        offset += len(token.text)
    return tuple(kept)


def _usage(said: Object) -> ModelUsage:
    details = cast("Object", said.get("prompt_tokens_details") or {})
    return ModelUsage(
        prompt_tokens=cast("int", said.get("prompt_tokens") or 0),
        cached_tokens=cast("int", details.get("cached_tokens") or 0),
        output_tokens=cast("int", said.get("completion_tokens") or 0),
    )
