"""The official client, held to what was configured: one key, one host, no retries, no ambient settings.

The client by itself reads OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_ADMIN_KEY and OPENAI_CUSTOM_HEADERS,
describes the machine in X-Stainless headers, follows redirects and retries twice.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Protocol

import httpx
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from planwarden.llm.endpoint import is_loopback

_SENT = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding"}
)


class _Request(Protocol):
    @property
    def headers(self) -> MutableMapping[str, str]: ...


def normal_base_url(base_url: str) -> str:
    """Give the address as the client takes it: a bare host stands for its `/v1`."""
    plain = base_url.rstrip("/")
    return f"{plain}/v1" if httpx.URL(plain).path in ("", "/") else plain


def open_client(base_url: str, api_key: str) -> AsyncOpenAI:
    """Open a client that sends `api_key` to this host and to no other; no key when it is empty."""

    async def only_what_was_configured(request: _Request) -> None:
        for name in list(request.headers):
            if name.lower() not in _SENT:
                del request.headers[name]
        if api_key:
            request.headers["Authorization"] = f"Bearer {api_key}"

    http = DefaultAsyncHttpxClient(
        timeout=None,  # each exchange has one deadline over everything
        follow_redirects=False,
        trust_env=not is_loopback(base_url),
        event_hooks={"request": [only_what_was_configured]},
    )
    return AsyncOpenAI(base_url=base_url, api_key="unused", max_retries=0, timeout=None, http_client=http)
