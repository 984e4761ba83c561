"""The official client, held to what was configured: one key, one host, no retries, no ambient settings.

The client by itself reads OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_ADMIN_KEY and OPENAI_CUSTOM_HEADERS,
describes the machine in X-Stainless headers, follows redirects, retries twice, reads answers unbounded.
"""

from __future__ import annotations

import httpx
import httpx2
from openai import AsyncOpenAI, AsyncStream

from planwarden.llm.wire.endpoint import HeaderSource, is_loopback, no_headers
from planwarden.llm.wire.reading import read_error

CONNECTIONS = 8
_SENT = frozenset({"accept", "connection", "content-length", "content-type", "host", "transfer-encoding"})


class AnswerRefused(Exception):
    """The server answered with another status than success; nothing else of the answer is kept."""

    def __init__(self, status: int, body: str, retry_after: str | None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.retry_after = retry_after


def normal_base_url(base_url: str) -> str:
    """Give the address as the client takes it: a bare host stands for its `/v1`."""
    plain = base_url.rstrip("/")
    return f"{plain}/v1" if httpx.URL(plain).path in ("", "/") else plain


def open_client(base_url: str, api_key: str, headers: HeaderSource = no_headers) -> AsyncOpenAI:
    """Open a client that sends `api_key` to this host and to no other; no key when it is empty."""

    async def send_only_what_was_configured(request: httpx2.Request) -> None:
        for name in list(request.headers):
            if name.lower() not in _SENT:
                del request.headers[name]
        request.headers["Accept-Encoding"] = "identity"
        if api_key:
            request.headers["Authorization"] = f"Bearer {api_key}"
        request.headers.update(headers())

    http = httpx2.AsyncClient(
        timeout=None,
        follow_redirects=False,
        trust_env=not is_loopback(base_url),
        limits=httpx2.Limits(max_connections=CONNECTIONS),
        event_hooks={"request": [send_only_what_was_configured], "response": [_refuse_other_than_success]},
    )
    return AsyncOpenAI(base_url=base_url, api_key="unused", max_retries=0, timeout=None, http_client=http)


async def _refuse_other_than_success(response: httpx2.Response) -> None:
    if not response.is_success:
        body = await read_error(response)
        raise AnswerRefused(response.status_code, body, response.headers.get("retry-after"))


async def ask(client: AsyncOpenAI, path: str, body: object | None = None) -> AsyncStream[object]:
    """Send a request and give the answer unread: the caller reads `response`, within bounds, and closes.

    Raises:
        AnswerRefused: the status is not one of success.
        openai.OpenAIError: nothing came back.
    """
    kind = AsyncStream[object]
    if body is None:
        return await client.get(path, cast_to=object, stream=True, stream_cls=kind)
    return await client.post(path, body=body, cast_to=object, stream=True, stream_cls=kind)
