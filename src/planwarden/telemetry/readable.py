"""From a row to what OpenTelemetry's exporters read, within the limits that the environment sets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from planwarden.telemetry.span import SpanRow

_KINDS = {kind.value: kind for kind in SpanKind}
_CODES = {code.value: code for code in StatusCode}
_OK = Status()
_LEAST = -(2**63)
"""The smallest whole number of OTLP."""
_SAMPLED = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
T = TypeVar("T")


class OneResource(Resource):
    """A resource that is hashed once: the exporter does it for every span."""

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What all spans of a process have in common."""

    resource: Resource
    scope: InstrumentationScope
    limits: SpanLimits


class Finished(NamedTuple):
    """A finished span, and where it is from."""

    origin: Origin
    row: SpanRow

    context = _SAMPLED
    """All that a processor of OpenTelemetry asks of what it passes on, here to a `CountedExporter`."""


def readable(span: Finished) -> ReadableSpan:
    """Give a finished span as OpenTelemetry's exporters read it."""
    origin, row = span
    limits = origin.limits
    trace_id = int(row.trace_id, 16)
    return ReadableSpan(
        name=_text(row.name),
        context=_place(trace_id, row.span_id, row.flags, row.trace_state),
        parent=_parent(trace_id, row),
        resource=origin.resource,
        attributes=_within(row.attributes, limits.max_span_attributes, limits.max_span_attribute_length),
        events=_events(row, limits) if row.events else (),
        links=_links(row, limits) if row.links else (),
        kind=_KINDS[row.kind],
        status=Status(_CODES[row.status], _text(row.status_text or "") or None) if row.status else _OK,
        start_time=row.started,
        end_time=row.ended,
        instrumentation_scope=origin.scope,
    )


def plain(row: SpanRow) -> SpanRow:
    """Give a row in which whatever a program put there is what a receiver will be told: it is JSON."""
    return row._replace(
        name=_text(row.name),
        status_text=None if row.status_text is None else _text(row.status_text),
        attributes=_within(row.attributes, None, None),
        events=[
            (_text(name), _when(at, row.ended), _within(held, None, None)) for name, at, held in row.events
        ],
    )


def origin_line(origin: Origin) -> bytes:
    """Write where spans are from, as one line."""
    about = {
        "resource": dict(origin.resource.attributes),
        "resource_schema": origin.resource.schema_url,
        "scope": [origin.scope.name, origin.scope.version, origin.scope.schema_url],
    }
    return json.dumps(about, default=repr).encode() + b"\n"


def read_finished(lines: Iterable[bytes]) -> list[Finished]:
    """Read an origin and the rows after it; a line that is torn or somebody else's is passed over."""
    found: list[Finished] = []
    origin = None
    for line in lines:
        try:
            held = json.loads(line)
            if isinstance(held, dict):
                origin = _origin(cast("Mapping[str, Any]", held))
            elif origin is not None:
                span = Finished(origin, SpanRow(*held))
                readable(span)
                found.append(span)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def _origin(held: Mapping[str, Any]) -> Origin:
    name, version, schema = held["scope"]
    return Origin(
        resource=OneResource(held["resource"], held["resource_schema"]),
        scope=InstrumentationScope(name, version, schema),
        limits=SpanLimits(),
    )


def place_of(traceparent: str, *, elsewhere: bool = True) -> SpanContext:
    """Read a traceparent, which is one."""
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    return SpanContext(int(trace_id, 16), int(span_id, 16), elsewhere, TraceFlags(int(flags, 16)))


def _place(trace_id: int, span_id: str, flags: int, state: str) -> SpanContext:
    held = TraceState.from_header([state]) if state else None
    return SpanContext(trace_id, int(span_id, 16), False, TraceFlags(flags), held)  # noqa: FBT003 - theirs


def _parent(trace_id: int, row: SpanRow) -> SpanContext | None:
    if row.parent_id is None:
        return None
    return SpanContext(trace_id, int(row.parent_id, 16), row.parent_elsewhere, TraceFlags(row.flags))


def _links(row: SpanRow, limits: SpanLimits) -> Sequence[Link]:
    return _last([Link(place_of(each)) for each in row.links], limits.max_links)


def _events(row: SpanRow, limits: SpanLimits) -> Sequence[Event]:
    most, longest = limits.max_event_attributes, limits.max_attribute_length
    events = [
        Event(_text(name), _within(held, most, longest), _when(at, row.ended))
        for name, at, held in row.events
    ]
    return _last(events, limits.max_events)


def _last(values: Sequence[T], most: int | None) -> Sequence[T]:
    if most is None or len(values) <= most:
        return values
    kept: BoundedList[T] = BoundedList(most)
    kept.extend(values)
    return kept


def _within(attributes: Mapping[str, Any], most: int | None, longest: int | None) -> Mapping[str, Any]:
    """Give the last `most` attributes, as OTLP can say them, texts cut at `longest`; drops are counted."""
    kept = {_text(name): _said(value, longest) for name, value in attributes.items() if value is not None}
    return kept if most is None or len(kept) <= most else BoundedAttributes(most, kept)


def _said(value: object, longest: int | None) -> Any:  # noqa: ANN401 - whatever an attribute holds
    """Give a value as OTLP can say it; one that cannot even be shown costs itself only."""
    try:
        return _known(value, longest)
    except Exception:  # noqa: BLE001 - whatever a program's value does, such as to hold itself
        return _text(value)[:longest]


def _known(value: object, longest: int | None) -> Any:  # noqa: ANN401 - whatever an attribute holds
    match value:
        case str():
            return _text(value)[:longest]
        case bool() | float():
            return value
        case int() if _LEAST <= value < -_LEAST:
            return value
        case list() | tuple():
            return tuple(
                _known(each, longest) for each in cast("Sequence[object]", value) if each is not None
            )
        case _:
            return _text(repr(value))[:longest]


def _when(at: object, ended: int) -> int:
    """Give when an event was; what is no time is taken for the end of its span."""
    return at if isinstance(at, int) and 0 <= at < -2 * _LEAST else ended


def _text(value: object) -> str:
    """Give a text as UTF-8 can say it: half a surrogate pair would have the whole batch refused."""
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - whatever its `str` does
        text = f"<{type(value).__qualname__}>"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
