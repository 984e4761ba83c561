"""The ASGI application that a scraper asks: `/metrics`, `/healthz`. Any ASGI server or service mounts it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from planwarden.api.asgi import Answer, Receive, Scope, Send
from planwarden.audit.metrics.exposition import (
    OPENMETRICS_TEXT,
    PROMETHEUS_TEXT,
    openmetrics_text,
    prometheus_text,
    wants_openmetrics,
)
from planwarden.audit.metrics.totals import Totals
from planwarden.errors import StoreError

PATIENCE_S = 8.0
"""How long a scrape waits for a first reading of many runs; Prometheus gives up after 10 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsApp:
    """Answers GET and HEAD; reads no body."""

    totals: Callable[[], Awaitable[Totals | StoreError]]
    """Asked once for each scrape."""
    patience_s: float = PATIENCE_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            ValueError: the server offers something else than HTTP.
        """
        del receive
        if scope["type"] != "http":
            raise ValueError(f"this application answers HTTP, not {scope['type']}")
        answer = await self._answer(scope)
        await answer.send(send, without_body=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope) -> Answer:
        if scope["method"] not in ("GET", "HEAD"):
            return Answer(status=405, body=b"GET or HEAD\n", headers=[("allow", "GET, HEAD")])
        match _path(scope):
            case "/metrics":
                return await self._metrics(wants_openmetrics(_accept(scope["headers"])))
            case "/healthz":
                return Answer(status=200, body=b"ok\n")
            case _:
                return Answer(status=404, body=b"/metrics or /healthz\n")

    async def _metrics(self, openmetrics: bool) -> Answer:  # noqa: FBT001 - which of two forms
        try:
            async with asyncio.timeout(self.patience_s):
                totals = await self.totals()
        except TimeoutError:
            return _unavailable("still_reading: the journal has many new runs, ask again")
        if isinstance(totals, StoreError):
            return _unavailable(f"{totals.code}: the log says more")
        if openmetrics:
            text = await asyncio.to_thread(openmetrics_text, totals)
            return Answer(status=200, body=text.encode(), content_type=OPENMETRICS_TEXT)
        text = await asyncio.to_thread(prometheus_text, totals)
        return Answer(status=200, body=text.encode(), content_type=PROMETHEUS_TEXT)


def _unavailable(why: str) -> Answer:
    return Answer(status=503, body=f"{why}\n".encode(), headers=[("retry-after", "15")])


def _path(scope: Scope) -> str:
    """Give the path below where the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _accept(headers: Iterable[tuple[bytes, bytes]]) -> str:
    return ",".join(value.decode("latin-1") for name, value in headers if name.lower() == b"accept")
