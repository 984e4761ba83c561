"""A bare HTTP server on loopback: requests read, raw bytes out. It knows no protocol above."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it arrived."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Wire:
    """The way back to one client; each connection carries one answer."""

    writer: asyncio.StreamWriter

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are; waits while the client does not read."""
        self.writer.write(data)
        await self.writer.drain()

    async def send(
        self, status: int, body: bytes, *, kind: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        more = {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}
        await self.raw(_head(status, more) + body)

    async def start(self, *, kind: str, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Begin an answer of unknown length."""
        more = {"Content-Type": kind, "Transfer-Encoding": "chunked", **(headers or {})}
        await self.raw(_head(status, more))

    async def chunk(self, data: bytes) -> None:
        """Send one part of an answer that was begun."""
        await self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def finish(self) -> None:
        """End an answer that was begun."""
        await self.raw(b"0\r\n\r\n")

    def reset(self) -> None:
        """Break the connection off with a TCP reset; what is still on its way is lost."""
        sock = cast("socket.socket", self.writer.get_extra_info("socket"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Received, Wire], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Loopback:
    """Answers each request by a function, which is cancelled when the client leaves."""

    handler: Handler
    url: str = ""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _nobody: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[Loopback]:
        """Listen on a free port for as long as the context lasts."""
        self._nobody.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self.stop_listening()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        """Say how many clients have not left."""
        return len(self._tasks)

    def stop_listening(self) -> None:
        """Refuse every connection from now on."""
        if self._server is not None:
            self._server.close()

    async def all_left(self) -> None:
        """Wait until no client is connected."""
        await self._nobody.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        self._nobody.clear()
        try:
            await self._until_left(await _received(reader), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the server is being stopped
        finally:
            writer.close()
            self._tasks.discard(task)
            if not self._tasks:
                self._nobody.set()

    async def _until_left(
        self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answering = asyncio.ensure_future(self.handler(received, Wire(writer)))
        left = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait((answering, left), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            answering.cancel()
            left.cancel()
            await asyncio.gather(answering, left, return_exceptions=True)


async def _received(reader: asyncio.StreamReader) -> Received:
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(path=first.split(" ")[1], headers=headers, body=body)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} -\r\n{lines}Connection: close\r\n\r\n".encode("latin-1")
