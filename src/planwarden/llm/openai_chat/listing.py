"""What a server says about its models: which it has, and how long their context is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import httpx2
import openai
from openai import AsyncOpenAI

from planwarden.contracts.clock import Clock
from planwarden.errors import ModelUnavailable, ReplyInvalid
from planwarden.llm.openai_chat.client import AnswerRefused, ask
from planwarden.llm.openai_chat.refusals import CHECK_ADDRESS, Server, refusal
from planwarden.llm.wire.endpoint import within
from planwarden.llm.wire.reading import read_lines

Object = Mapping[str, object]

MOST_BYTES = 16 * 1024 * 1024
"""Of a list of models; some clouds have hundreds, with descriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The model as its server lists it."""

    told: bool
    """Whether the server lists its models at all; some clouds and gateways do not."""
    context_tokens: int | None = None


async def look_up(client: AsyncOpenAI, server: Server, clock: Clock, *, timeout_s: float) -> Listed:
    """Find the model in the server's list, with its context length where the server tells.

    Raises:
        ModelUnavailable, ModelTimedOut: nothing answers, the key is refused, or the model is not listed.
        ReplyInvalid: something answers that is no such server.
    """
    async with within(timeout_s, f"{server.endpoint} did not answer"):
        listed = await _get(client, "/models", server, clock)
        if listed is None:
            return Listed(told=False)
        models = _models(listed, server)
        entry = next((each for each in models if server.model in _names(each)), None)
        if entry is None:
            raise _not_listed(models, server)
        context = _context(entry)
        if entry.get("owned_by") == "llamacpp":
            root = server.endpoint.removesuffix("/v1")
            context = _slot_context(await _get(client, f"{root}/props", server, clock)) or context
    return Listed(told=True, context_tokens=context)


async def _get(client: AsyncOpenAI, path: str, server: Server, clock: Clock) -> object | None:
    """Ask for a JSON document; None where the server has no such path."""
    try:
        async with aclosing(await ask(client, path)) as stream:
            lines = [line async for line in read_lines(stream.response, most=MOST_BYTES)]
        return cast("object", json.loads(b"\n".join(lines)))
    except AnswerRefused as error:
        if error.status in (404, 405, 501):
            return None
        raise refusal(error, server, clock) from error
    except (openai.OpenAIError, httpx2.RequestError) as error:
        raise refusal(error, server, clock) from error
    except (ValueError, RecursionError) as error:
        raise ReplyInvalid(
            f"{server.endpoint} answered {path} with something that is not JSON.", remedy=CHECK_ADDRESS
        ) from error


def _models(listed: object, server: Server) -> Sequence[Object]:
    data = cast("Object", listed).get("data") if isinstance(listed, dict) else None
    if not isinstance(data, list):
        said = server.said(cast("object", listed))
        raise ReplyInvalid(
            f"{server.endpoint}/models answered no list of models: {said[:80]}",
            remedy=CHECK_ADDRESS,
        )
    return [cast("Object", each) for each in cast("list[object]", data) if isinstance(each, Mapping)]


def _names(entry: Object) -> tuple[str, ...]:
    aliases = entry.get("aliases")
    more = cast("list[object]", aliases) if isinstance(aliases, list) else []
    return tuple(str(each) for each in (entry.get("id"), *more))


def _not_listed(models: Sequence[Object], server: Server) -> ModelUnavailable:
    names = [str(each.get("id")) for each in models]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return ModelUnavailable(
        f"{server.endpoint} does not list the model {server.model}; it has: {server.said(shown) or 'none'}.",
        remedy=f"Set MODEL={names[0]}." if len(names) == 1 else "Set MODEL to one of them.",
    )


def _context(entry: Object) -> int | None:
    meta = entry.get("meta")
    known = {**entry, **(cast("Object", meta) if isinstance(meta, Mapping) else {})}
    for key in ("n_ctx", "max_model_len", "loaded_context_length", "context_length", "context_window"):
        length = known.get(key)
        if isinstance(length, int) and length > 0:
            return length
    return None


def _slot_context(props: object | None) -> int | None:
    """Give the context of one request: llama.cpp divides the whole of it among its parallel slots."""
    match props:
        case {"default_generation_settings": {"n_ctx": int(length)}} if length > 0:
            return length
        case _:
            return None
