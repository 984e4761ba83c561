"""What an OpenAI-compatible server refuses, turned into the error that names who must react."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import cast

import httpx2
import openai

from planwarden.contracts.clock import Clock
from planwarden.errors import (
    ModelError,
    ModelUnavailable,
    PromptTooLong,
    ReplyInvalid,
    ToolCallingUnsupported,
)
from planwarden.llm.openai_chat.client import AnswerRefused
from planwarden.llm.service import ModelNotReady
from planwarden.llm.wire.endpoint import why_unreached
from planwarden.llm.wire.retry_after import retry_after_s

CHECK_ADDRESS = "Check that the base URL is the server's own API (for most servers it ends in /v1)."
LONGER_CONTEXT = (
    "Start the server with a longer context (llama.cpp: -c, vLLM: --max-model-len) and raise NUM_CTX,"
    " or offer fewer tools or less evidence."
)
_SAID = 300
"""Characters of a server's own words that go into a message."""
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|maximum model length"
    r"|exceeds? the (available |model's )?(maximum )?context"
    r"|context (length|size|window).{0,80}(exceed|overflow|too)"
    r"|prompt is too long|context the overflows",
    re.IGNORECASE | re.DOTALL,
)
_TOOLS = re.compile(r"\btools?\b|tool[_-](call|choice|use)|function[_ -]call", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server that is spoken to, in the words of messages; never printed with its key."""

    endpoint: str
    model: str
    key_variable: str
    """Which variable holds the key."""
    secret: str = ""

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"Server({self.endpoint!r}, {self.model!r})"

    def said(self, words: object) -> str:
        """Shorten what the server said, and blot out the key should the server repeat it."""
        text = re.sub(r"\s+", " ", str(words)).strip()
        return (text.replace(self.secret, "***") if self.secret else text)[:_SAID].rstrip(".")


def refusal(error: Exception, server: Server, clock: Clock, *, tools: bool = False) -> ModelError:
    """Make the typed error for a failed exchange; `tools` says whether any were offered."""
    match error:
        case AnswerRefused():
            return _status(error, server, clock, tools=tools)
        case openai.APIConnectionError() | httpx2.TransportError():
            return unreached(error, server)
        case _:
            return ReplyInvalid(f"The exchange failed: {server.said(error)}.", remedy=CHECK_ADDRESS)


def unreached(error: BaseException, server: Server) -> ModelNotReady:
    """Make the error for a server that nothing came back from."""
    return ModelNotReady(
        f"No answer from {server.endpoint} ({server.said(why_unreached(error.__cause__ or error))}).",
        remedy="Start the server, or correct BASE_URL.",
    )


def in_stream(body: object, server: Server) -> ModelError:
    """Make the error for one that was reported inside a stream that had begun with status 200."""
    code, said = _words(body)
    if is_too_long(f"{code} {said}"):
        return _too_long(server, said)
    return ModelNotReady(
        f"{server.endpoint} broke off: {server.said(said)}.", remedy="Look at the server's log."
    )


def is_too_long(said: str) -> bool:
    """Say whether a refusal is about the length of the prompt."""
    return _TOO_LONG.search(said) is not None


def is_about_tools(said: str) -> bool:
    """Say whether a refusal of a request that offered tools is about them."""
    return _TOOLS.search(said) is not None


def words_of(refused: AnswerRefused) -> str:
    """Give a refusal's code and text in one string, for looking into."""
    return " ".join(_words(refused.body))


def _status(error: AnswerRefused, server: Server, clock: Clock, *, tools: bool) -> ModelError:
    status = error.status
    code, raw = _words(error.body)
    said = server.said(raw)
    if status in (401, 403):
        return ModelUnavailable(
            f"{server.endpoint} refused the key (HTTP {status}): {said}.",
            remedy=f"Set {server.key_variable} to a key that this server takes.",
        )
    if 300 <= status < 400:
        return ModelUnavailable(
            f"{server.endpoint} redirects (HTTP {status}); redirects are not followed, the key stays here.",
            remedy="Set BASE_URL to where the server really is.",
        )
    if is_too_long(f"{code} {raw}"):
        return _too_long(server, raw)
    if tools and status < 502 and status != 429 and is_about_tools(raw):
        return ToolCallingUnsupported(
            f"{server.endpoint} takes no tools for {server.model} (HTTP {status}): {said}.",
            remedy="Use directed execution (`execution: directed`), or start the server with tool calling"
            " (vLLM: --enable-auto-tool-choice --tool-call-parser; llama.cpp: --jinja).",
        )
    if status == 429 and "insufficient_quota" in code:
        return ModelUnavailable(
            f"{server.endpoint} says that the quota is used up: {said}.",
            remedy="Raise it, or use another model.",
        )
    if status in (408, 409, 425, 429) or status >= 500:
        return ModelNotReady(
            f"{server.endpoint} could not run {server.model} (HTTP {status}): {said}.",
            remedy="Wait and try again; if it stays, look at the server's log.",
            retry_after_s=retry_after_s(error.retry_after, clock.now()),
        )
    return _mistaken(status, said, server)


def _mistaken(status: int, said: str, server: Server) -> ModelError:
    if status in (404, 405):
        model = "model" in said.lower()
        what = f"does not have the model {server.model}" if model else "has no chat completions there"
        return ModelUnavailable(
            f"{server.endpoint} {what} (HTTP {status}): {said}.",
            remedy="Set MODEL to one that the server lists under /models." if model else CHECK_ADDRESS,
        )
    if "temperature" in said.lower():
        remedy = "Set TEMPERATURE to what this model takes; it is never left out silently."
    elif "response_format" in said or "json_schema" in said:
        remedy = "Use a server or model with structured output (response_format json_schema)."
    else:
        remedy = "Look at the prompt and the schema in the dossier; the server's log says more."
    return ReplyInvalid(f"{server.endpoint} refused the request (HTTP {status}): {said}.", remedy=remedy)


def _too_long(server: Server, said: str) -> PromptTooLong:
    return PromptTooLong(
        f"The prompt does not fit the server's context: {server.said(said)}.", remedy=LONGER_CONTEXT
    )


def _words(body: object) -> tuple[str, str]:
    """Give code and message of an error body, however it is nested; all of it where its form is another."""
    for _ in range(4):
        if isinstance(body, str) and body.lstrip().startswith("{"):
            try:
                body = json.loads(body)
            except (ValueError, RecursionError):
                break
        if isinstance(body, dict) and cast("dict[str, object]", body).get("error"):
            body = cast("dict[str, object]", body)["error"]
    if not isinstance(body, dict):
        return "", str(body)
    known = cast("dict[str, object]", body)
    code = " ".join(str(known[key]) for key in ("code", "type") if known.get(key))
    parameter = f" (parameter {known['param']})" if known.get("param") else ""
    said = known.get("message") or known.get("detail") or known
    return code, f"{said}{parameter}"
