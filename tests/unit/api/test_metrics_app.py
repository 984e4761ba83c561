"""The ASGI application: what each path and method answers, whatever is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from planwarden.api.asgi import Answer, Receive, Scope, Send
from planwarden.api.metrics import MetricsApp
from planwarden.audit.metrics.exposition import openmetrics_text, prometheus_text
from planwarden.audit.metrics.totals import Totals
from planwarden.errors import StoreCorrupt, StoreError

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("MET-6")]

SECRET = "/home/erika/journal.db"


async def some() -> Totals | StoreError:
    return Totals().plus_damaged(3)


async def damaged() -> Totals | StoreError:
    return StoreCorrupt(f"{SECRET} is damaged.", remedy="Restore it.")


async def never() -> Totals | StoreError:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def client(
    totals: Callable[[], Awaitable[Totals | StoreError]] = some, *, patience_s: float = 8.0
) -> httpx.AsyncClient:
    app = MetricsApp(totals=totals, patience_s=patience_s)
    transport = httpx.ASGITransport(app=app)  # pyright: ignore[reportArgumentType] - httpx wants any mapping to be mutable
    return httpx.AsyncClient(transport=transport, base_url="http://planwarden")


async def test_metrics_come_as_text_or_as_openmetrics() -> None:
    totals = await some()
    assert isinstance(totals, Totals)
    async with client() as asked:
        plain = await asked.get("/metrics?anything=1")
        assert (plain.status_code, plain.text) == (200, prometheus_text(totals))
        assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        wanted = {"accept": "application/openmetrics-text;version=1.0.0"}
        other = await asked.get("/metrics", headers=wanted)
        assert other.text == openmetrics_text(totals)
        assert other.text.endswith("# EOF\n")
        assert other.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")


async def test_head_is_get_without_the_body() -> None:
    async with client() as asked:
        whole, head = await asked.get("/metrics"), await asked.head("/metrics")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == whole.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
async def test_no_other_method_is_answered(method: str) -> None:
    async with client() as asked:
        answer = await asked.request(method, "/metrics", content=b"x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/healthz/..%2fmetrics", "/../etc/passwd"])
async def test_no_other_path_is_there(path: str) -> None:
    async with client() as asked:
        assert (await asked.get(path)).status_code == 404


async def test_a_journal_that_cannot_be_read_is_503_with_the_code_alone_and_the_process_is_healthy() -> None:
    async with client(damaged) as asked:
        answer = await asked.get("/metrics")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "15")
        assert "store_corrupt" in answer.text
        assert SECRET not in answer.text
        assert (await asked.get("/healthz")).status_code == 200


async def test_a_reading_that_takes_too_long_is_503_and_not_waited_for() -> None:
    async with client(never, patience_s=0) as asked:
        answer = await asked.get("/metrics")
    assert (answer.status_code, answer.text.split(":")[0]) == (503, "still_reading")


async def test_a_service_can_mount_it_below_a_path() -> None:
    inner = MetricsApp(totals=some)

    async def service(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/inner/"):
            await inner({**scope, "root_path": "/inner"}, receive, send)
        else:
            await Answer(status=200, body=b"the service").send(send)

    transport = httpx.ASGITransport(app=service)  # pyright: ignore[reportArgumentType] - see above
    async with httpx.AsyncClient(transport=transport, base_url="http://planwarden") as asked:
        assert (await asked.get("/inner/metrics")).text == (await client().get("/metrics")).text
        assert (await asked.get("/")).text == "the service"


async def test_what_is_not_http_is_refused_so_that_the_server_knows() -> None:
    async def nothing(*_: object) -> dict[str, object]:
        raise AssertionError("not called")

    with pytest.raises(ValueError, match="not lifespan"):
        await MetricsApp(totals=some)({"type": "lifespan"}, nothing, nothing)  # pyright: ignore[reportArgumentType] - never called
