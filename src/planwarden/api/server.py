"""Serves an ASGI application over plain HTTP/1.1, within bounds: for a scraper, not for the open net.

h11 reads and writes the protocol; each connection carries one request, and is closed after its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import h11

from planwarden.api.asgi import Answer, Application, Message
from planwarden.api.listen import Address
from planwarden.errors import AddressUnusable

_READ = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a client may take."""

    request_s: float = 10.0
    """From connecting to the end of its request."""
    answer_s: float = 30.0
    """To make its answer and to have it read."""
    head_bytes: int = 16_384
    """Of the request line and the headers."""
    body_bytes: int = 65_536
    """Of a request's body, which is read and dropped."""
    connections: int = 32
    """At a time; one more is told to come again."""
    finish_s: float = 5.0
    """What is being answered when the server stops has this long to end."""


class _Rejected(Exception):
    """A request that is not answered by the application."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.answer = Answer(status=status, body=f"{why}\n".encode())


@dataclass(slots=True, kw_only=True)
class Server:
    """One application on one address."""

    app: Application
    bounds: Bounds = field(default_factory=Bounds)
    _busy: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @asynccontextmanager
    async def serve(self, address: Address) -> AsyncGenerator[Address]:
        """Listen for as long as the context lasts; gives the address with its real port.

        Raises:
            AddressUnusable: nothing can listen there.
        """
        try:
            listening = await asyncio.start_server(self._connected, address.host, address.port)
        except (OSError, UnicodeError) as error:
            raise AddressUnusable(
                f"Cannot listen on {address}: {_reason(error)}.",
                remedy="Stop what listens there, or name another address with --listen.",
            ) from error
        try:
            yield Address(host=address.host, port=listening.sockets[0].getsockname()[1])
        finally:
            listening.close()
            await self._finish()

    async def _finish(self) -> None:
        """Let what is being answered end, then break the rest off."""
        if self._busy:
            await asyncio.wait(self._busy, timeout=self.bounds.finish_s)
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(app=self.app, bounds=self.bounds, reader=reader, writer=writer)
        crowded = len(self._busy) >= self.bounds.connections
        task = asyncio.create_task(client.turn_away() if crowded else client.answer())
        self._busy.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Forget a connection; what went wrong in the application is said on the event loop's log."""
        self._busy.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            told = {"message": "a request could not be answered", "exception": error, "task": task}
            task.get_loop().call_exception_handler(told)


@dataclass(slots=True, kw_only=True)
class _Client:
    """One connection, one request."""

    app: Application
    bounds: Bounds
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    wire: h11.Connection = field(init=False)
    answered: bool = False

    def __post_init__(self) -> None:
        """Begin the protocol."""
        self.wire = h11.Connection(h11.SERVER, max_incomplete_event_size=self.bounds.head_bytes)

    async def turn_away(self) -> None:
        """Say that there are too many."""
        await self._closing(Answer(status=503, body=b"too many connections\n").send(self._send))

    async def answer(self) -> None:
        """Read the request, have it answered, close."""
        await self._closing(self._exchange())

    async def _closing(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work and close, within the time for both; a client that is gone or too slow is cut off."""
        try:
            async with asyncio.timeout(self.bounds.request_s + self.bounds.answer_s):
                await work
                self.writer.close()
                await self.writer.wait_closed()
        except (ConnectionError, TimeoutError):
            self.writer.transport.abort()
        except BaseException:
            self.writer.transport.abort()
            raise

    async def _exchange(self) -> None:
        try:
            async with asyncio.timeout(self.bounds.request_s):
                request = await self._request()
        except _Rejected as rejected:
            await rejected.answer.send(self._send)
            return
        except TimeoutError:
            await Answer(status=408, body=b"too slow\n").send(self._send)
            return
        if request is None:
            return
        try:
            async with asyncio.timeout(self.bounds.answer_s):
                await self.app(_scope(request), _no_body, self._send)
        except Exception:
            if not self.answered:
                await Answer(status=500, body=b"the log says more\n").send(self._send)
            raise

    async def _request(self) -> h11.Request | None:
        """Read a whole request; None when the client says nothing.

        Raises:
            _Rejected: it is no HTTP, or too large.
        """
        request, body = None, 0
        while True:
            event = self._next_event()
            if event is h11.NEED_DATA:
                data = await self.reader.read(_READ)
                self.wire.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += len(event.data)
                if body > self.bounds.body_bytes:
                    raise _Rejected(413, "no body is wanted")
            else:
                return request

    def _next_event(self) -> Any:  # noqa: ANN401 - h11's events and marks have no common type
        try:
            return self.wire.next_event()
        except h11.RemoteProtocolError as error:
            raise _Rejected(error.error_status_hint or 400, "no HTTP request") from error

    async def _send(self, message: Message) -> None:
        """Write what the application says."""
        if message["type"] == "http.response.start":
            self.answered = True
            headers = [*message["headers"], (b"connection", b"close")]
            status = HTTPStatus(message["status"])
            event = h11.Response(status_code=status, reason=status.phrase, headers=headers)
            self.writer.write(self.wire.send(event) or b"")
            return
        if message["body"]:
            self.writer.write(self.wire.send(h11.Data(data=message["body"])) or b"")
        if not message.get("more_body", False):
            self.writer.write(self.wire.send(h11.EndOfMessage()) or b"")
        await self.writer.drain()


def _reason(error: OSError | UnicodeError) -> str:
    said = error.strerror if isinstance(error, OSError) else None
    return (said or str(error)).lower()


def _scope(request: h11.Request) -> Message:
    """Put a request as ASGI has it."""
    target = request.target.decode("ascii")
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": list(request.headers),
    }


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
