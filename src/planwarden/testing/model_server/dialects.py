"""A reply in each protocol that model servers speak: Ollama's lines, OpenAI's events. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

JSON_KIND = "application/json; charset=utf-8"
DIGEST = "ab" * 32
"""Of the weights that the servers say they have."""

EndReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What is to be said, whichever the protocol."""

    model: str
    parts: Sequence[str]
    reason: EndReason = "stop"
    prompt_tokens: int = 40
    output_tokens: int = 8


class Dialect(Protocol):
    """One protocol."""

    stream_kind: str

    def part(self, model: str, content: object) -> bytes:
        """Give one part of a streamed reply; its content may be anything, to be of a wrong type."""
        ...

    def end(self, saying: Saying) -> tuple[bytes, ...]:
        """Give what ends a streamed reply."""
        ...

    def line(self, text: str) -> bytes:
        """Put any text where a part would stand."""
        ...

    def whole(self, saying: Saying, content: object) -> bytes:
        """Give a reply that is not streamed; its content may be anything."""
        ...

    def without_choices(self, model: str, *, streamed: bool) -> bytes:
        """Give a part, or a whole reply, that holds nothing said."""
        ...

    def error(self, message: str, *, kind: str = "server_error") -> bytes:
        """Give the body of an error answer."""
        ...


def ollama_part(model: str, content: object, **rest: object) -> Mapping[str, object]:
    """Give one line of Ollama's chat; the end has a `done_reason`."""
    message = {"role": "assistant", "content": content}
    return {"model": model, "message": message, "done": "done_reason" in rest, **rest}


class OllamaDialect:
    """`/api/chat`: one JSON object a line, the last with `done`."""

    stream_kind = "application/x-ndjson"

    def part(self, model: str, content: object) -> bytes:
        """Give a line."""
        return self.line(json.dumps(ollama_part(model, content)))

    def end(self, saying: Saying) -> tuple[bytes, ...]:
        """Give the line with `done`."""
        counts = {"prompt_eval_count": saying.prompt_tokens, "eval_count": saying.output_tokens}
        return (self.line(json.dumps(ollama_part(saying.model, "", done_reason=saying.reason, **counts))),)

    def line(self, text: str) -> bytes:
        """Give a line."""
        return text.encode("utf-8", "surrogatepass") + b"\n"

    def whole(self, saying: Saying, content: object) -> bytes:
        """Give one object."""
        counts = {"prompt_eval_count": saying.prompt_tokens, "eval_count": saying.output_tokens}
        return json.dumps(ollama_part(saying.model, content, done_reason=saying.reason, **counts)).encode()

    def without_choices(self, model: str, *, streamed: bool) -> bytes:
        """Give an object without a message."""
        return self.line(json.dumps({"model": model, "done": not streamed}))

    def error(self, message: str, *, kind: str = "server_error") -> bytes:
        """Give Ollama's error; that of its runner stands inside as a string."""
        inner = json.dumps({"error": {"code": 500, "message": message, "type": kind}})
        return json.dumps({"error": inner}).encode()


class OpenAIDialect:
    """`/v1/chat/completions`: server-sent events, `finish_reason` in one of the last, then `[DONE]`."""

    stream_kind = "text/event-stream; charset=utf-8"

    def part(self, model: str, content: object) -> bytes:
        """Give an event."""
        return self._chunk(model, [{"index": 0, "delta": {"content": content}, "finish_reason": None}])

    def end(self, saying: Saying) -> tuple[bytes, ...]:
        """Give the reason, the usage and the end mark."""
        nothing: Mapping[str, object] = {}
        last = {"index": 0, "delta": nothing, "finish_reason": saying.reason}
        usage = self._chunk(saying.model, [], usage=_usage(saying))
        return (self._chunk(saying.model, [last]), usage, self.line("[DONE]"))

    def line(self, text: str) -> bytes:
        """Give an event."""
        return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"

    def whole(self, saying: Saying, content: object) -> bytes:
        """Give one completion."""
        message = {"role": "assistant", "content": content}
        choice = {"index": 0, "message": message, "finish_reason": saying.reason}
        return json.dumps(
            {**_completion(saying.model), "choices": [choice], "usage": _usage(saying)}
        ).encode()

    def without_choices(self, model: str, *, streamed: bool) -> bytes:
        """Give an event, or a completion, with an empty list of choices."""
        if streamed:
            return self._chunk(model, [])
        nothing: Sequence[object] = ()
        return json.dumps({**_completion(model), "choices": nothing}).encode()

    def error(self, message: str, *, kind: str = "server_error") -> bytes:
        """Give OpenAI's error."""
        return json.dumps({"error": {"message": message, "type": kind, "code": kind}}).encode()

    def _chunk(self, model: str, choices: Sequence[object], **rest: object) -> bytes:
        head = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": model}
        return self.line(json.dumps({**head, "choices": choices, **rest}))


def _completion(model: str) -> Mapping[str, object]:
    return {"id": "c1", "object": "chat.completion", "created": 0, "model": model}


def _usage(saying: Saying) -> Mapping[str, int]:
    total = saying.prompt_tokens + saying.output_tokens
    return {
        "prompt_tokens": saying.prompt_tokens,
        "completion_tokens": saying.output_tokens,
        "total_tokens": total,
    }
