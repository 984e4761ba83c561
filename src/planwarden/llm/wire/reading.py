"""Reading a server's answer within bounds: what it sends is never held without a limit."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Protocol, cast

from planwarden.errors import ReplyInvalid
from planwarden.llm.service import LLMRequest

_REMEDY = "Check that the base URL is the model server's own, without a proxy or another service in between."
_ERROR_BYTES = 64 * 1024
"""Of an error answer; what comes after is not read."""


class RawAnswer(Protocol):
    """The part of an HTTP client's response that is read; two client libraries have it."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Give the headers; names in any case."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """Give the body as it arrives, not unpacked."""
        ...


def most_bytes(request: LLMRequest) -> int:
    """Say how many bytes a whole reply can take: 16 KiB a token, with 20 alternatives each."""
    return 1024 * 1024 + 16 * 1024 * request.max_output_tokens


async def read_lines(answer: RawAnswer, *, most: int) -> AsyncGenerator[bytes]:
    """Give the lines of a streamed answer that are not empty, without their ends; close it when done.

    Raises:
        ReplyInvalid: it is packed, or longer than `most` bytes, be it in one line.
    """
    _refuse_packed(answer)
    read, begun = 0, bytearray()
    async with _data(answer) as parts:
        async for data in parts:
            read += len(data)
            if read > most:
                raise ReplyInvalid(f"The server sent more than {most} bytes for a reply.", remedy=_REMEDY)
            begun += data
            if b"\n" in data:
                *lines, begun = begun.split(b"\n")
                for line in lines:
                    if line.strip():
                        yield bytes(line)
    if begun.strip():
        yield bytes(begun)


async def read_error(answer: RawAnswer) -> str:
    """Give the beginning of an error answer's body; empty where it is packed."""
    if _packed(answer):
        return ""
    read = bytearray()
    async with _data(answer) as parts:
        async for data in parts:
            read += data
            if len(read) >= _ERROR_BYTES:
                break
    return read[:_ERROR_BYTES].decode("utf-8", "replace")


def _data(answer: RawAnswer) -> aclosing[AsyncGenerator[bytes]]:
    """Give what arrives; left alone half read, it would be closed some time later, by a task of nobody's."""
    return aclosing(cast("AsyncGenerator[bytes]", answer.aiter_raw()))


def _packed(answer: RawAnswer) -> bool:
    return answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


def _refuse_packed(answer: RawAnswer) -> None:
    if _packed(answer):
        how = answer.headers["content-encoding"]
        raise ReplyInvalid(f"The server packed its reply ({how}), which nobody asked for.", remedy=_REMEDY)
