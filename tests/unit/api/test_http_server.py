"""The small server, over real sockets: what a good client gets, and what a hostile one cannot take."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from planwarden.api.asgi import Answer, Receive, Scope, Send
from planwarden.api.listen import Address
from planwarden.api.server import Bounds, Server
from planwarden.errors import AddressUnusable

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("MET-6")]

LOOPBACK = Address(host="127.0.0.1", port=0)
GET = b"GET /metrics?x=%41 HTTP/1.1\r\nHost: planwarden\r\n\r\n"


class App:
    """Notes what it is asked; answers when it may."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.asked.set()
        await self.may_answer.wait()
        if scope["path"] == "/broken":
            raise ZeroDivisionError("broken on purpose")
        body = b"x" * 20_000_000 if scope["path"] == "/large" else b"hello"
        await Answer(status=200, body=body).send(send, without_body=scope["method"] == "HEAD")


@asynccontextmanager
async def serving(app: App, bounds: Bounds | None = None) -> AsyncGenerator[Address]:
    async with Server(app=app, bounds=bounds or Bounds()).serve(LOOPBACK) as address:
        yield address


async def say(address: Address, data: bytes) -> bytes:
    """Send bytes, and give all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(data)
    said = b""
    try:
        while part := await reader.read(65_536):
            said += part
    except ConnectionError:
        pass  # it had more to say than the server wanted to hear
    writer.close()
    return said


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1])


async def test_a_request_reaches_the_application_and_its_answer_the_client() -> None:
    app = App()
    async with serving(app) as address:
        said = await say(address, GET)
        head = await say(address, GET.replace(b"GET", b"HEAD"))
        large = await say(address, GET.replace(b"/metrics", b"/large"))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(b"\r\n\r\nhello")
    assert b"connection: close" in said
    assert head == said.removesuffix(b"hello")
    assert large.endswith(b"x" * 20_000_000)
    scope = app.scopes[0]
    assert (scope["method"], scope["path"], scope["query_string"]) == ("GET", "/metrics", b"x=%41")
    assert (b"host", b"planwarden") in scope["headers"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),  # TLS
        (b"nonsense\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),  # no host
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n" + b"y" * 99_999, 413),
    ],
)
async def test_what_is_no_request_or_too_large_never_reaches_the_application(
    data: bytes, expected: int
) -> None:
    app = App()
    async with serving(app) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(data[:20_000] if expected == 431 else data)
        said = await reader.read(65_536)
        writer.close()
    assert status(said) == expected
    assert app.scopes == []


@pytest.mark.parametrize("begun", [b"", b"GET /metrics HT", GET[:-2]])
async def test_a_client_that_says_too_little_is_let_go(begun: bytes) -> None:
    app = App()
    async with serving(app, Bounds(request_s=0)) as address:
        assert status(await say(address, begun)) == 408
    assert app.scopes == []


async def test_a_client_that_leaves_in_the_middle_harms_nobody() -> None:
    app = App()
    async with serving(app) as address:
        for begun in (b"", b"GET /met", GET):
            _, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(begun)
            writer.transport.abort()
        assert status(await say(address, GET)) == 200


async def test_a_client_that_reads_nothing_is_let_go() -> None:
    app = App()
    async with serving(app, Bounds(answer_s=0.05, request_s=0.05)) as address:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((address.host, address.port))
        slow.sendall(GET.replace(b"/metrics", b"/large"))
        await app.asked.wait()
        # leaving the context waits for it, and it ends because the server gives up
    got = 0
    with slow, contextlib.suppress(ConnectionResetError):
        while part := slow.recv(65_536):
            got += len(part)
    assert got < 20_000_000


async def test_more_clients_than_are_wanted_are_told_to_come_again() -> None:
    app = App()
    app.may_answer.clear()
    async with serving(app, Bounds(connections=1)) as address:
        first = asyncio.create_task(say(address, GET))
        await app.asked.wait()
        assert status(await say(address, b"")) == 503
        app.may_answer.set()
        assert status(await first) == 200
        assert status(await say(address, GET)) == 200


async def test_what_is_being_answered_ends_before_the_server_does() -> None:
    app = App()
    app.may_answer.clear()
    async with serving(app) as address:
        first = asyncio.create_task(say(address, GET))
        await app.asked.wait()
        asyncio.get_running_loop().call_soon(app.may_answer.set)
    assert status(await first) == 200
    with pytest.raises(ConnectionRefusedError):
        await say(address, GET)


async def test_what_does_not_end_is_broken_off_when_the_server_ends() -> None:
    app = App()
    app.may_answer.clear()
    async with serving(app, Bounds(finish_s=0)) as address:
        first = asyncio.create_task(say(address, GET))
        await app.asked.wait()
    assert await first == b""


async def test_an_application_that_breaks_is_a_500_and_told_to_the_event_loop() -> None:
    app, loop = App(), asyncio.get_running_loop()
    told: list[object] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    try:
        async with serving(app) as address:
            assert status(await say(address, GET.replace(b"/metrics", b"/broken"))) == 500
            assert status(await say(address, GET)) == 200
    finally:
        loop.set_exception_handler(before)
    assert [str(error) for error in told] == ["broken on purpose"]


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid", "x" * 70])
async def test_an_address_that_is_not_ours_is_refused_with_its_reason(host: str) -> None:
    with pytest.raises(AddressUnusable, match=f"Cannot listen on {host}:0: .+"):
        async with Server(app=App()).serve(Address(host=host, port=0)):
            raise AssertionError("unreachable")


async def test_a_port_that_is_taken_is_said_to_be() -> None:
    async with serving(App()) as address:
        with pytest.raises(AddressUnusable, match="in use"):
            async with Server(app=App()).serve(address):
                raise AssertionError("unreachable")
