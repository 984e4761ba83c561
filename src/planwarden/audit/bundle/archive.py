"""A tar archive in which no byte is free: each header follows from name and size, padding is zero.

What `tar` reads, written in one way only: regular files, no owner, no time, no compression. So the same parts
give the same bytes, a changed byte anywhere is found, and nothing unpacks to more than was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from planwarden.errors import BundleRejected

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
MAX_PART = 256 * 2**20
"""Bytes of one part; it is held in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the content of a part lies in the file."""

    name: str
    offset: int
    size: int


def rejected(reason: str) -> BundleRejected:
    """Say that a file is no bundle that can be looked into."""
    return BundleRejected(
        f"The file is not a bundle of runs that can be read: {reason}.",
        remedy="Have it sent again as `planwarden dossier export` wrote it.",
    )


def header(name: str, size: int) -> bytes:
    """Write the header of a part.

    Raises:
        BundleRejected: the name or the size cannot be written.
    """
    encoded = name.encode()
    if not _NAME.fullmatch(encoded) or len(encoded) > 99 or size > MAX_PART:
        raise rejected(f"a part {name!r} of {size} bytes is not allowed")
    fields = (
        encoded.ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        f"{size:011o}\0".encode() + b"00000000000\0",
        b" " * 8,
        b"0" + bytes(100),
        b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(155 + 12),
    )
    block = b"".join(fields)
    return block[:148] + f"{sum(block):06o}\0 ".encode() + block[156:]


def write_part(file: BinaryIO, name: str, content: bytes) -> None:
    """Add a part at the end."""
    file.write(header(name, len(content)) + content + bytes(-len(content) % _BLOCK))


def write_large_part(file: BinaryIO, name: str, source: BinaryIO, size: int) -> None:
    """Add a part at the end, copied from another file as it is now."""
    file.write(header(name, size))
    while piece := source.read(2**20):
        file.write(piece)
    file.write(bytes(-size % _BLOCK))


def write_end(file: BinaryIO) -> None:
    """Close the archive."""
    file.write(_END)


def places(file: BinaryIO) -> Iterator[Place]:
    """Find the parts from the beginning; their contents are not read.

    Raises:
        BundleRejected: a header is not one of ours, a part is cut short, or more follows the end.
    """
    size = file.seek(0, 2)
    offset = 0
    while True:
        file.seek(offset)
        block = file.read(_BLOCK)
        if not block.strip(b"\0"):
            if block + file.read(len(_END)) != _END:
                raise rejected("it does not end as an archive does")
            return
        place = _place(block, offset + _BLOCK)
        offset = place.offset + place.size + -place.size % _BLOCK
        if offset > size:
            raise rejected(f"its part {place.name} is cut short")
        yield place


def read_part(file: BinaryIO, place: Place) -> bytes:
    """Read the content of a part.

    Raises:
        BundleRejected: what fills up its last block is not zero.
    """
    file.seek(place.offset)
    content = file.read(place.size)
    padding = file.read(-place.size % _BLOCK)
    if len(content) != place.size or padding.strip(b"\0"):
        raise rejected(f"its part {place.name} is not padded with zeros")
    return content


def _place(block: bytes, offset: int) -> Place:
    name = block[:100].rstrip(b"\0")
    digits = block[124:135]
    if len(block) < _BLOCK or not _NAME.fullmatch(name) or not re.fullmatch(rb"[0-7]{11}", digits):
        raise rejected("it has a part whose header is not ours")
    place = Place(name=name.decode(), offset=offset, size=int(digits, 8))
    if header(place.name, place.size) != block:
        raise rejected(f"the header of its part {place.name} is not ours")
    return place
