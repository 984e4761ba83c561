"""Everything that can go wrong with a model server: a closed set, each a way of (not) answering a chat."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from planwarden.testing.model_server.dialects import JSON_KIND, Dialect, EndReason, Saying
from planwarden.testing.model_server.loopback import Wire

Fault = Literal[
    "refused", "hang_up", "reset", "reset_mid_stream", "cut_connection", "broken_chunks",
    "silent", "stalled", "slow", "endless_headers", "no_end_mark", "two_end_marks",
    "html_200", "wrong_content_type", "redirect", "gzip_garbage", "gzip_bomb",
    "broken_json", "deep_json", "not_utf8", "lone_surrogate", "wrong_types", "empty_choices", "empty_reply",
    "wrong_schema", "cut_at_limit", "flood", "endless_line", "endless_error", "error_in_stream",
    "status_401", "status_429", "status_500", "status_503", "model_missing", "prompt_too_long",
]  # fmt: skip
FAULTS: tuple[Fault, ...] = get_args(Fault)

HTML = b"<html><body>Please log in to the guest network</body></html>"
FLOOD_BYTES = 100 * 1024 * 1024
_BLOCK = 64 * 1024
_DRIP_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One chat that is to go wrong."""

    wire: Wire
    dialect: Dialect
    saying: Saying
    streamed: bool
    retry_after: str | None

    @property
    def kind(self) -> str:
        """Give the content type of a reply that is not wrong in that respect."""
        return self.dialect.stream_kind if self.streamed else JSON_KIND

    def pieces(self) -> tuple[bytes, ...]:
        """Give a whole reply, cut where a fault may come in between."""
        if not self.streamed:
            whole = self.dialect.whole(self.saying, "".join(self.saying.parts))
            return whole[: len(whole) // 2], whole[len(whole) // 2 :]
        parts = (self.dialect.part(self.saying.model, text) for text in self.saying.parts)
        return (*parts, *self.dialect.end(self.saying))

    def saying_so(self, content: object, *, reason: EndReason = "stop") -> tuple[bytes, ...]:
        """Give a reply that is whole in form and says this."""
        saying = replace(self.saying, parts=(), reason=reason)
        if not self.streamed:
            return (self.dialect.whole(saying, content),)
        return self.dialect.part(saying.model, content), *self.dialect.end(saying)

    async def reply(self, *pieces: bytes, kind: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Answer with these pieces, as if nothing were wrong."""
        await self.wire.start(kind=kind or self.kind, headers=headers)
        for piece in pieces:
            await self.wire.chunk(piece)
        await self.wire.finish()

    async def begin(self) -> None:
        """Start the reply and send its first piece."""
        await self.wire.start(kind=self.kind)
        await self.wire.chunk(self.pieces()[0])

    async def status(self, status: int, message: str, *, kind: str = "server_error") -> None:
        """Answer with an error."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        body = self.dialect.error(message, kind=kind)
        await self.wire.send(status, body, kind=JSON_KIND, headers=headers)

    async def instead(self, line: str) -> None:
        """Say something, then this line where more of the reply would stand."""
        await self.reply(self.pieces()[0], self.dialect.line(line))


async def answer_well(strike: Strike) -> None:
    """Answer as a server that works does."""
    await strike.reply(*strike.pieces())


async def _hang_up(strike: Strike) -> None:
    strike.wire.writer.close()


async def _reset(strike: Strike) -> None:
    strike.wire.reset()


async def _reset_mid_stream(strike: Strike) -> None:
    await strike.begin()
    await asyncio.sleep(_DRIP_S)  # else the reset overtakes what was said
    strike.wire.reset()


async def _broken_chunks(strike: Strike) -> None:
    await strike.begin()
    await strike.wire.raw(b"zz\r\nnot a chunk\r\n")


async def _silent(_: Strike) -> None:
    await asyncio.Event().wait()


async def _stalled(strike: Strike) -> None:
    await strike.begin()
    await asyncio.Event().wait()


async def _slow(strike: Strike) -> None:
    await strike.wire.start(kind=strike.kind)
    while True:
        await strike.wire.chunk(strike.dialect.part(strike.saying.model, "a"))
        await asyncio.sleep(_DRIP_S)


async def _endless_headers(strike: Strike) -> None:
    await strike.wire.raw(b"HTTP/1.1 200 OK\r\n")
    while True:
        await strike.wire.raw(b"X-Again: and again\r\n" * 1000)


async def _no_end_mark(strike: Strike) -> None:
    await strike.reply(strike.pieces()[0])


async def _two_end_marks(strike: Strike) -> None:
    pieces = strike.pieces()
    await strike.reply(*pieces, *(pieces[-1:] if strike.streamed else ()))


async def _html_200(strike: Strike) -> None:
    await strike.wire.send(200, HTML, kind="text/html; charset=utf-8")


async def _wrong_content_type(strike: Strike) -> None:
    await strike.reply(*strike.pieces(), kind="text/plain")


async def _redirect(strike: Strike) -> None:
    to = {"Location": "/elsewhere"}
    await strike.wire.send(302, HTML, kind="text/html", headers=to)


async def _gzip_garbage(strike: Strike) -> None:
    await strike.reply(*strike.pieces(), headers={"Content-Encoding": "gzip"})


async def _gzip_bomb(strike: Strike) -> None:
    part = strike.dialect.part(strike.saying.model, "a" * _BLOCK)
    squeeze = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    await strike.wire.start(kind=strike.kind, headers={"Content-Encoding": "gzip"})
    for _ in range(FLOOD_BYTES // _BLOCK):
        if squeezed := squeeze.compress(part):
            await strike.wire.chunk(squeezed)
        await asyncio.sleep(0)  # squeezing takes long and sends little
    await strike.wire.chunk(squeeze.flush())
    await strike.wire.finish()


async def _broken_json(strike: Strike) -> None:
    await strike.instead('{"mess')


async def _deep_json(strike: Strike) -> None:
    await strike.instead("[" * 100_000)


async def _not_utf8(strike: Strike) -> None:
    first, *rest = strike.saying_so("caf-")
    await strike.reply(first.replace(b"caf-", b"caf\xe9"), *rest)


async def _lone_surrogate(strike: Strike) -> None:
    await strike.reply(*strike.saying_so("half a pair: \ud83d"))


async def _wrong_types(strike: Strike) -> None:
    await strike.reply(*strike.saying_so({"not": ["a", "text"]}))


async def _empty_choices(strike: Strike) -> None:
    await strike.reply(strike.dialect.without_choices(strike.saying.model, streamed=strike.streamed))


async def _empty_reply(strike: Strike) -> None:
    await strike.reply(*strike.saying_so(""))


async def _wrong_schema(strike: Strike) -> None:
    await strike.reply(*strike.saying_so('["JSON", "of another shape"]'))


async def _cut_at_limit(strike: Strike) -> None:
    await strike.reply(*strike.saying_so("It is s", reason="length"))


async def _flood(strike: Strike) -> None:
    part = strike.dialect.part(strike.saying.model, "a" * _BLOCK)
    await strike.reply(*[part] * (FLOOD_BYTES // _BLOCK))


async def _endless_line(strike: Strike) -> None:
    begun = strike.dialect.line("a").rstrip(b"\n")
    await strike.reply(begun, *[b"a" * _BLOCK] * (FLOOD_BYTES // _BLOCK))


async def _endless_error(strike: Strike) -> None:
    await strike.wire.start(kind=JSON_KIND, status=500)
    while True:
        await strike.wire.chunk(b"a" * _BLOCK)


async def _error_in_stream(strike: Strike) -> None:
    await strike.instead(strike.dialect.error("out of memory").decode())


async def _status_401(strike: Strike) -> None:
    await strike.status(401, "no such key", kind="invalid_api_key")


async def _status_429(strike: Strike) -> None:
    await strike.status(429, "too many requests", kind="rate_limit_exceeded")


async def _status_500(strike: Strike) -> None:
    await strike.status(500, "the model runner has unexpectedly stopped")


async def _status_503(strike: Strike) -> None:
    await strike.status(503, "server busy, please try again")


async def _model_missing(strike: Strike) -> None:
    message = f"model '{strike.saying.model}' not found"
    await strike.status(404, message, kind="model_not_found")


async def _prompt_too_long(strike: Strike) -> None:
    message = "request (9000 tokens) exceeds the available context size (4096 tokens)"
    await strike.status(400, message, kind="exceed_context_size_error")


STRIKES: Mapping[Fault, Callable[[Strike], Awaitable[None]]] = {
    "refused": _reset,  # for those that were connected before; the server stops listening
    "hang_up": _hang_up,
    "reset": _reset,
    "reset_mid_stream": _reset_mid_stream,
    "cut_connection": Strike.begin,
    "broken_chunks": _broken_chunks,
    "silent": _silent,
    "stalled": _stalled,
    "slow": _slow,
    "endless_headers": _endless_headers,
    "no_end_mark": _no_end_mark,
    "two_end_marks": _two_end_marks,
    "html_200": _html_200,
    "wrong_content_type": _wrong_content_type,
    "redirect": _redirect,
    "gzip_garbage": _gzip_garbage,
    "gzip_bomb": _gzip_bomb,
    "broken_json": _broken_json,
    "deep_json": _deep_json,
    "not_utf8": _not_utf8,
    "lone_surrogate": _lone_surrogate,
    "wrong_types": _wrong_types,
    "empty_choices": _empty_choices,
    "empty_reply": _empty_reply,
    "wrong_schema": _wrong_schema,
    "cut_at_limit": _cut_at_limit,
    "flood": _flood,
    "endless_line": _endless_line,
    "endless_error": _endless_error,
    "error_in_stream": _error_in_stream,
    "status_401": _status_401,
    "status_429": _status_429,
    "status_500": _status_500,
    "status_503": _status_503,
    "model_missing": _model_missing,
    "prompt_too_long": _prompt_too_long,
}
