"""A server on loopback that answers as it is told, byte for byte, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


def said(
    body: str | bytes, *, kind: str = "application/json", status: str = "200 OK", more: tuple[str, ...] = ()
) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(data)}", *more]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + data


@dataclass(slots=True, kw_only=True)
class Loopback:
    """What it answers, in turn, the last one again and again; None never answers."""

    answers: list[bytes | None]
    asked: list[str] = field(default_factory=list[str])
    """Each request's head as it came."""
    url: str = ""

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[Loopback]:
        tasks: set[asyncio.Task[None] | None] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.current_task())
            try:
                self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    await asyncio.Event().wait()
                else:
                    writer.write(answer)
                    await writer.drain()
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the client left, or the server is being stopped
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                if task is not None:
                    task.cancel()
            await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
