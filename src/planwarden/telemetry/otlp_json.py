"""Spans as lines of OTLP in JSON, the format in which a Collector reads files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    SpanContext,
    Status,
    StatusCode,
)

_text = json.encoder.encode_basestring_ascii
SHORT = 100
"""Longer texts are content, which does not come again."""
_REMOTE_UNKNOWN = 0x100
_REMOTE = 0x200
"""Bits of a span's flags that say whether its parent is in another process."""


class OtlpLines:
    """Writes spans; resource and scope, the same in all of a process's spans, are put together once."""

    def __init__(self) -> None:
        self._of: tuple[Resource, InstrumentationScope | None] | None = None
        self._before = ""

    def line(self, span: ReadableSpan) -> str:
        """Give a finished span as one line, without its end."""
        of = (span.resource, span.instrumentation_scope)
        if self._of is None or self._of[0] is not of[0] or self._of[1] is not of[1]:
            self._of, self._before = of, _before(*of)
        return f"{self._before}{_span(span)}]}}]}}]}}"


def context_of(span: ReadableSpan) -> SpanContext:
    """Give where a span is, as OpenTelemetry holds it."""
    return span.context or INVALID_SPAN_CONTEXT


def _before(resource: Resource, scope: InstrumentationScope | None) -> str:
    by = json.dumps({"name": scope.name, "version": scope.version or ""} if scope else {})
    held = f'{{"attributes":{_attributes(resource.attributes)}}}'
    return f'{{"resourceSpans":[{{"resource":{held},"scopeSpans":[{{"scope":{by},"spans":['


def _span(span: ReadableSpan) -> str:
    """Write a span. By hand: it is done for every span while a run goes on, and takes a third of the time."""
    at, parent = context_of(span), span.parent
    flags = int(at.trace_flags) | _REMOTE_UNKNOWN
    under = ""
    if parent is not None:
        flags |= _REMOTE if parent.is_remote else 0
        under = f'"parentSpanId":"{parent.span_id:016x}",'
    if at.trace_state:
        under += f'"traceState":{_text(at.trace_state.to_header())},'
    events = ",".join(map(_event, span.events)) if span.events else ""
    links = ",".join(
        f'{{"traceId":"{link.context.trace_id:032x}","spanId":"{link.context.span_id:016x}"}}'
        for link in span.links
    )
    return (
        f'{{"traceId":"{at.trace_id:032x}","spanId":"{at.span_id:016x}",{under}"name":{_text(span.name)},'
        f'"kind":{span.kind.value + 1},"startTimeUnixNano":"{span.start_time or 0}",'
        f'"endTimeUnixNano":"{span.end_time or 0}","flags":{flags},"links":[{links}],"events":[{events}],'
        f'"attributes":{_attributes(span.attributes or {})},"status":{_status(span.status)}}}'
    )


def _event(event: Event) -> str:
    return (
        f'{{"timeUnixNano":"{event.timestamp}","name":{_text(event.name)},'
        f'"attributes":{_attributes(event.attributes or {})}}}'
    )


def _status(status: Status) -> str:
    if status.status_code is StatusCode.UNSET:
        return "{}"
    message = f',"message":{_text(status.description)}' if status.description else ""
    return f'{{"code":{status.status_code.value}{message}}}'


def _attributes(attributes: Mapping[str, Any]) -> str:
    return f"[{','.join([_attribute(key, value) for key, value in attributes.items()])}]"


def _attribute(key: str, value: object) -> str:
    if isinstance(value, str) and len(value) > SHORT:
        return _written(key, value)
    return _remembered(key, value)


def _written(key: str, value: object) -> str:
    return f'{{"key":{_text(key)},"value":{_value(value)}}}'


_remembered = lru_cache(maxsize=2048, typed=True)(_written)
"""Names, models, digests and codes come again with every span."""


def _value(value: object) -> str:
    match value:
        case str():
            return f'{{"stringValue":{_text(value)}}}'
        case bool():
            return f'{{"boolValue":{"true" if value else "false"}}}'
        case int():
            return f'{{"intValue":"{value}"}}'
        case float():
            said = json.dumps(value)
            return f'{{"doubleValue":{said if isfinite(value) else _text(said)}}}'
        case Sequence():
            values = ",".join(map(_value, cast("Sequence[object]", value)))
            return f'{{"arrayValue":{{"values":[{values}]}}}}'
        case _:
            return f'{{"stringValue":{_text(str(value))}}}'
