"""The facts at the head of a GGUF model file; its weights are not looked at.

Source: ggml, docs/gguf.md (version 3).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"GGUF"
_SCALARS = ("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?", None, None, "<Q", "<q", "<d")
"""By type number; 8 is text, 9 a list."""
_TEXT, _LIST = 8, 9
_MOST_ENTRIES = 10_000
_MOST_TEXT = 1 << 20


def read_facts(path: Path) -> dict[str, object]:
    """Read the single values up to the tokenizer's, which come last; blocks.

    Raises:
        ValueError: not a GGUF file, or a damaged one.
        OSError: it cannot be read.
    """
    facts: dict[str, object] = {}
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise ValueError(f"{path} is not a GGUF file")
        _, _, entries = struct.unpack("<IQQ", _bytes(file, 20))
        if entries > _MOST_ENTRIES:
            raise ValueError(f"{path} claims {entries} facts")
        for _ in range(entries):
            key = _text(file)
            if key.startswith("tokenizer."):
                break
            facts[key] = _value(file, _number(file, "<I"))
    return facts


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _TEXT:
        return _text(file)
    if kind == _LIST:
        inner, length = _number(file, "<I"), _number(file, "<Q")
        if inner == _LIST or length > _MOST_ENTRIES:
            raise ValueError("a list that is nested or too long")
        return [_value(file, inner) for _ in range(length)]
    form = _SCALARS[kind] if kind < len(_SCALARS) else None
    if form is None:
        raise ValueError(f"a value of the unknown type {kind}")
    return struct.unpack(form, _bytes(file, struct.calcsize(form)))[0]


def _number(file: BinaryIO, form: str) -> int:
    return struct.unpack(form, _bytes(file, struct.calcsize(form)))[0]


def _text(file: BinaryIO) -> str:
    length = _number(file, "<Q")
    if length > _MOST_TEXT:
        raise ValueError(f"a text of {length} bytes")
    return _bytes(file, length).decode("utf-8", "replace")


def _bytes(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise ValueError("the file ends in the middle of its facts")
    return data
