"""Ollama as an LLMService, over its own HTTP interface, which carries what its client library cannot send."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import cast

import httpx

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelError, ModelUnavailable, ReplyInvalid
from planwarden.llm.footprint import ModelFootprint
from planwarden.llm.ollama.facts import adapter_digest, footprint, listed_model, longest_context
from planwarden.llm.ollama.stream import NOT_OLLAMA, ChatStream, error_text, raise_for_answer
from planwarden.llm.ollama.tools import takes_tools, wire_message
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth, ModelNotReady
from planwarden.llm.wire.endpoint import HeaderSource, is_loopback, no_headers, why_unreached, within
from planwarden.llm.wire.json_format import servable_schema
from planwarden.llm.wire.reading import most_bytes, read_error, read_lines
from planwarden.llm.wire.retry_after import retry_after_s
from planwarden.llm.wire.tools import wire_tools

Object = Mapping[str, object]

OLDEST_VERSION = (0, 12, 11)
"""The first with `truncate`, `shift` and `logprobs`; an older one would cut a prompt and say nothing."""
MOST_LOGPROBS = 20
CONNECTIONS = 8
NO_PENALTIES = {"repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
"""Names, numbers and arguments are copied from the prompt. A penalty, be it a Modelfile's or Ollama's own
(1.1 up to 0.32.9), would have the model write another name than the one that it finds most likely."""


class OllamaLLM:
    """One model on one Ollama server; open it with `connect`."""

    def __init__(
        self, http: httpx.AsyncClient, *, identity: ModelIdentity, clock: Clock, num_ctx: int, keep_alive: str
    ) -> None:
        """Take a client whose base URL is the server's; it is closed with this service."""
        self._http = http
        self._identity = identity
        self._clock = clock
        self._num_ctx = num_ctx
        self._keep_alive = keep_alive

    @classmethod
    async def connect(
        cls,
        *,
        base_url: str,
        model: str,
        clock: Clock,
        num_ctx: int = 4096,
        keep_alive: str = "5m",
        probe_timeout_s: float = 5.0,
        headers: HeaderSource = no_headers,
    ) -> OllamaLLM:
        """Find the server and the model within `probe_timeout_s`; `headers` go with every request.

        Raises:
            ModelUnavailable: nothing answers, the server is too old, or it does not have the model.
            ReplyInvalid: something answers that is not Ollama.
        """

        async def add_headers(request: httpx.Request) -> None:
            request.headers.update(headers())

        http = httpx.AsyncClient(
            base_url=base_url,
            event_hooks={"request": [add_headers]},
            timeout=None,  # noqa: S113 - the whole exchange has a deadline, see complete()
            limits=httpx.Limits(max_connections=CONNECTIONS),
            headers={"Accept-Encoding": "identity"},  # nothing that unpacks to more than was sent
            trust_env=not is_loopback(base_url),
        )
        try:
            identity = await probe(http, model=model, timeout_s=probe_timeout_s)
        except BaseException:
            await http.aclose()
            raise
        return cls(http, identity=identity, clock=clock, num_ctx=num_ctx, keep_alive=keep_alive)

    @property
    def identity(self) -> ModelIdentity:
        """Say which model, by the digest that the server names."""
        return self._identity

    def because(self, reason: str) -> OllamaLLM:
        """Give the same service with the reason for which it was chosen."""
        self._identity = self._identity.model_copy(update={"chosen_because": reason})
        return self

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask once, streamed, so that a stall or a missing end is seen. Errors: see `LLMService.complete`."""
        started = self._clock.monotonic()
        stream = ChatStream(request=request, model=self._identity.model, num_ctx=self._num_ctx)
        async with within(request.timeout_s, f"Ollama gave no whole reply from {self._identity.model}"):
            await self._read(self._body(request), stream)
        return stream.reply(latency_s=max(0.0, self._clock.monotonic() - started))

    async def health(self) -> ModelHealth:
        """Ask the server for version, model and context length."""
        try:
            await probe(self._http, model=self._identity.model, timeout_s=5.0)
            shown, size = await _looked_up(self._http, self._identity.model)
        except ModelError as error:
            reachable = not isinstance(error, ModelNotReady)
            return ModelHealth(
                reachable=reachable,
                present=False,
                context_tokens=None,
                detail=error.message,
                remedy=error.remedy,
            )
        in_force = min(self._num_ctx, longest_context(shown) or self._num_ctx)
        detail = f"{self._identity.model} at {self._identity.endpoint}, context {in_force} tokens"
        return ModelHealth(
            reachable=True, present=True, context_tokens=in_force, detail=detail, footprint=size
        )

    async def aclose(self) -> None:
        """Close the connections; the server keeps the model as long as `keep_alive` says."""
        await self._http.aclose()

    def _body(self, request: LLMRequest) -> dict[str, object]:
        body: dict[str, object] = {
            "model": self._identity.model,
            "messages": [wire_message(each, request.tools) for each in request.messages],
            "options": {
                "num_ctx": self._num_ctx,
                "seed": request.seed,
                "temperature": request.temperature,
                "num_predict": request.max_output_tokens,
                **NO_PENALTIES,
            },
            "stream": True,
            "truncate": False,
            "shift": False,
            "think": False,
            "keep_alive": self._keep_alive,
        }
        if request.tools:
            body["tools"] = wire_tools(request.tools)
        elif request.output_schema is not None:
            body["format"] = servable_schema(request.output_schema)
        if request.top_logprobs:
            body["logprobs"] = True
            body["top_logprobs"] = min(request.top_logprobs, MOST_LOGPROBS)
        return body

    async def _read(self, body: Object, stream: ChatStream) -> None:
        most = most_bytes(stream.request)
        try:
            async with self._http.stream("POST", "/api/chat", json=body) as answer:
                if answer.status_code != 200:
                    said = await read_error(answer)
                    wait = retry_after_s(answer.headers.get("retry-after"), self._clock.now())
                    raise_for_answer(
                        answer.status_code,
                        said,
                        model=self._identity.model,
                        num_ctx=self._num_ctx,
                        retry_after_s=wait,
                    )
                _refuse_other_than_json(answer)
                async with aclosing(read_lines(answer, most=most)) as lines:
                    async for line in lines:
                        stream.take(line)
                        if stream.end is not None:
                            return
        except httpx.TransportError as error:
            if isinstance(error, httpx.ConnectError) or not stream.text:
                raise _not_reached(self._http, error) from error
            raise stream.broken(f"the connection broke ({error or type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise ReplyInvalid(f"The exchange with Ollama failed: {error}", remedy=NOT_OLLAMA) from error


async def probe(http: httpx.AsyncClient, *, model: str, timeout_s: float) -> ModelIdentity:
    """Look for the server, its version and the model. Errors: see `OllamaLLM.connect`."""
    began = asyncio.get_running_loop().time()
    async with within(timeout_s, f"Ollama at {_endpoint(http)} did not answer"):
        version = str((await _get(http, "/api/version")).get("version"))
        _refuse_too_old(version)
        found = listed_model(await _get(http, "/api/tags"), model)
    left_s = timeout_s - (asyncio.get_running_loop().time() - began)
    if found is None:
        raise ModelUnavailable(
            f"Ollama {version} at {_endpoint(http)} does not have the model {model}.",
            remedy=f"Run `ollama pull {model}`.",
        )
    digest = f"sha256:{str(found.get('digest')).removeprefix('sha256:')}"
    shown = await _shown_in_time(http, model, left_s)
    return ModelIdentity(
        provider="ollama",
        model=model,
        digest=digest if re.fullmatch(r"sha256:[0-9a-f]{64}", digest) else None,
        adapter=adapter_digest(shown),
        endpoint=_endpoint(http),
        calls_tools=bool(takes_tools({**shown, **found})),
    )


async def _looked_up(http: httpx.AsyncClient, model: str) -> tuple[Object, ModelFootprint]:
    """Give what the server shows of the model, and how much memory it takes."""
    shown = await _shown(http, model, 5.0)
    async with within(5.0, "Ollama did not answer"):
        tags = await _get(http, "/api/tags")
        loaded = await _get(http, "/api/ps")
    return shown, footprint(model, tags=tags, shown=shown, loaded=loaded)


async def _shown_in_time(http: httpx.AsyncClient, model: str, timeout_s: float) -> Object:
    """Give what the server shows of a model, in the time left.

    A server that does not say it in time has a usable model all the same, only not one known to take tools
    (which 0.32 says in its list, too) or to have an adapter on.
    """
    try:
        return await _shown(http, model, timeout_s)
    except ModelError:
        return {}


async def _shown(http: httpx.AsyncClient, model: str, timeout_s: float) -> Object:
    async with within(timeout_s, "Ollama did not answer"):
        return await _get(http, "/api/show", json={"model": model})


async def _get(http: httpx.AsyncClient, path: str, *, json: object = None) -> Object:
    try:
        answer = await http.request("GET" if json is None else "POST", path, json=json)
        if answer.status_code != 200:
            raise ReplyInvalid(
                f"{path} answered HTTP {answer.status_code}: {error_text(answer.text)}", remedy=NOT_OLLAMA
            )
        _refuse_other_than_json(answer)
        known: object = answer.json()
    except httpx.HTTPError as error:
        raise _not_reached(http, error) from error
    except (ValueError, RecursionError) as error:
        raise ReplyInvalid(f"{path} answered something that is not JSON.", remedy=NOT_OLLAMA) from error
    if not isinstance(known, dict):
        raise ReplyInvalid(f"{path} answered something that is not a JSON object.", remedy=NOT_OLLAMA)
    return cast("Object", known)


def _refuse_other_than_json(answer: httpx.Response) -> None:
    kind = answer.headers.get("content-type", "")
    if "json" not in kind:
        raise ReplyInvalid(
            f"{answer.request.url} answered with {kind or 'no content type'} where JSON is promised.",
            remedy=NOT_OLLAMA,
        )


def _refuse_too_old(version: str) -> None:
    numbers = tuple(int(each) for each in re.findall(r"\d+", version)[:3])
    if (0, 0, 0) < numbers < OLDEST_VERSION:  # 0.0.0 is a build of one's own
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise ModelUnavailable(
            f"Ollama {version} is too old: it would cut a long prompt silently.",
            remedy=f"Update Ollama to {oldest} or later.",
        )


def _endpoint(http: httpx.AsyncClient) -> str:
    return str(http.base_url).rstrip("/")


def _not_reached(http: httpx.AsyncClient, error: httpx.HTTPError) -> ModelNotReady:
    return ModelNotReady(
        f"No Ollama at {_endpoint(http)} ({why_unreached(error)}).", remedy="Start it with `ollama serve`."
    )
