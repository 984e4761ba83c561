"""Finished spans as bytes of OTLP, put together from parts that come again in every span.

The classes of protobuf take several times as long, and copy each part once for every message around it.
What is out of the ordinary (events, links, values of a program's own) is left to them, span by span.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple, cast

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits
from opentelemetry.trace import SpanContext, StatusCode

from planwarden.telemetry.readable import Finished, Origin, readable
from planwarden.telemetry.span import SpanRow

SHORT = 100
"""Longer texts are content, which does not come again."""
_KNOWN = 2048
"""Parts that are kept at most, of each sort."""
_REMOTE_UNKNOWN = 0x100
_REMOTE = 0x200
"""Bits of a span's flags that say whether its parent is in another process."""
_LEAST = -(2**63)
"""The smallest whole number of OTLP."""
_UNSET, _ERROR = StatusCode.UNSET.value, StatusCode.ERROR.value
_KINDS = range(5)
_TIMES = Struct("<BQBQ")
_DOUBLE = Struct("<Bd")
_FLAGS = Struct("<HI")
_NOWHERE = SpanContext(1, 1, is_remote=False)


class SpanBytes(NamedTuple):
    """A span as it is sent."""

    origin: Origin
    span: bytes


def span_bytes(finished: Finished) -> SpanBytes:
    """Give a finished span as it is sent.

    Raises:
        Exception: nothing can be made of it, whatever it was that failed.
    """
    origin, row = finished
    attributes = _attributes(row, origin.limits) if _ordinary(row) else None
    return SpanBytes(origin, _by_sdk(finished) if attributes is None else _by_hand(row, attributes))


def request_bytes(spans: Iterable[SpanBytes]) -> bytes:
    """Give what a receiver is sent: the spans, those of one origin together."""
    of: dict[int, tuple[Origin, list[bytes]]] = {}
    for origin, span in spans:
        of.setdefault(id(origin), (origin, []))[1].append(_field(0x12, span))
    return b"".join(_of_origin(origin, b"".join(held)) for origin, held in of.values())


def _of_origin(origin: Origin, spans: bytes) -> bytes:
    nothing = ReadableSpan("", _NOWHERE, resource=origin.resource, instrumentation_scope=origin.scope)
    (whole,) = encode_spans([nothing]).resource_spans
    (scope,) = whole.scope_spans
    del scope.spans[:]
    inner = _field(0x12, scope.SerializeToString() + spans)
    del whole.scope_spans[:]
    return _field(0x0A, whole.SerializeToString() + inner)


# ---- one span ----------------------------------------------------------------------------------------


def _ordinary(row: SpanRow) -> bool:
    """Say whether all but the attributes is as we make it, and nothing has to be cleaned or left out."""
    return (
        not (row.events or row.links or row.trace_state)
        and type(row.name) is str
        and row.kind in _KINDS
        and (row.status == _UNSET or (row.status == _ERROR and type(row.status_text) is str))
    )


def _by_sdk(finished: Finished) -> bytes:
    (whole,) = encode_spans([readable(finished)]).resource_spans
    return whole.scope_spans[0].spans[0].SerializeToString()


def _by_hand(row: SpanRow, attributes: bytes) -> bytes:
    around = row.parent_id
    flags = _REMOTE_UNKNOWN | (_REMOTE if row.parent_elsewhere and around is not None else 0)
    return b"".join((
        b"\x0a\x10", int(row.trace_id, 16).to_bytes(16, "big"),
        b"\x12\x08", int(row.span_id, 16).to_bytes(8, "big"),
        b"" if around is None else b"\x22\x08" + int(around, 16).to_bytes(8, "big"),
        _named(row.name, row.kind),
        _TIMES.pack(0x39, row.started, 0x41, row.ended),
        attributes,
        _status(row.status, row.status_text),
        _FLAGS.pack(0x185, flags),
    ))  # fmt: skip


@lru_cache(_KNOWN)
def _named(name: str, kind: int) -> bytes:
    return _field(0x2A, _utf8(name)) + b"\x30" + _varint(kind + 1)


@lru_cache(_KNOWN)
def _status(status: int, text: str | None) -> bytes:
    return b"\x7a\x00" if status == _UNSET else _field(0x7A, _field(0x12, _utf8(text or "")) + b"\x18\x02")


# ---- attributes --------------------------------------------------------------------------------------


def _attributes(row: SpanRow, limits: SpanLimits) -> bytes | None:
    """Give a span's attributes; None where one has to be cut, left out or shown as another."""
    most, longest = limits.max_span_attributes, limits.max_span_attribute_length
    held = row.attributes
    if longest is not None or (most is not None and len(held) > most):
        return None
    parts = [_attribute(name, value) for name, value in held.items() if value is not None]
    return None if None in parts else b"".join(cast("Sequence[bytes]", parts))


def _attribute(name: str, value: object) -> bytes | None:
    kind = type(value)
    if kind is str:
        text = cast("str", value)
        return _known_text(name, text) if len(text) <= SHORT else _text(name, text)
    if kind is int or kind is bool:
        return _number(name, cast("int", value))
    if kind is float:
        return _pair(name, _DOUBLE.pack(0x21, cast("float", value)))
    if kind is list or kind is tuple:
        several = tuple(cast("Sequence[object]", value))
        if all(type(each) is str for each in several):
            texts = cast("tuple[str, ...]", several)
            return _known_texts(name, texts) if sum(map(len, texts)) <= SHORT else _texts(name, texts)
    return None


def _text(name: str, value: str) -> bytes | None:
    return _pair(name, _field(0x0A, _utf8(value)))


_known_text = lru_cache(_KNOWN)(_text)


@lru_cache(_KNOWN, typed=True)
def _number(name: str, value: int) -> bytes | None:
    if type(value) is bool:
        return _pair(name, b"\x10\x01" if value else b"\x10\x00")
    return _pair(name, b"\x18" + _varint(value % 2**64)) if _LEAST <= value < -_LEAST else None


def _texts(name: str, values: tuple[str, ...]) -> bytes | None:
    inner = b"".join(_field(0x0A, _field(0x0A, _utf8(value))) for value in values)
    return _pair(name, _field(0x2A, inner))


_known_texts = lru_cache(_KNOWN)(_texts)


def _pair(name: str, value: bytes) -> bytes | None:
    """Give a name with the value's message; None for a name that has to be cleaned."""
    if type(name) is not str or not name.isascii():
        return None
    return _field(0x4A, _field(0x0A, name.encode()) + _field(0x12, value))


# ---- protobuf ----------------------------------------------------------------------------------------


def _field(tag: int, value: bytes) -> bytes:
    size = len(value)
    return (bytes((tag, size)) if size < 0x80 else bytes((tag,)) + _varint(size)) + value


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")
