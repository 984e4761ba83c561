"""Spans as lines of OTLP in JSON, the format in which a Collector reads files, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

Object = Mapping[str, Any]

_SEPARATORS = (",", ":")
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
        return f"{self._before}{json.dumps(_span(span), separators=_SEPARATORS)}]}}]}}]}}"


def place_of(span: ReadableSpan) -> SpanContext:
    """Give a span's place in its trace."""
    return span.context or INVALID_SPAN_CONTEXT


def _before(resource: Resource, scope: InstrumentationScope | None) -> str:
    held = json.dumps({"attributes": _attributes(resource.attributes)}, separators=_SEPARATORS)
    by = {"name": scope.name, "version": scope.version or ""} if scope else {}
    named = json.dumps(by, separators=_SEPARATORS)
    return f'{{"resourceSpans":[{{"resource":{held},"scopeSpans":[{{"scope":{named},"spans":['


def _span(span: ReadableSpan) -> dict[str, object]:
    context, parent = place_of(span), span.parent
    flags = int(context.trace_flags) | _REMOTE_UNKNOWN
    written: dict[str, object] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time or 0),
        "endTimeUnixNano": str(span.end_time or 0),
        "attributes": _attributes(span.attributes or {}),
        "flags": flags | _REMOTE if parent is not None and parent.is_remote else flags,
        "status": _status(span.status),
    }
    if parent is not None:
        written["parentSpanId"] = f"{parent.span_id:016x}"
    if span.links:
        written["links"] = [_link(link) for link in span.links]
    return written


def _status(status: Status) -> dict[str, object]:
    if status.status_code is StatusCode.UNSET:
        return {}
    message = {"message": status.description} if status.description else {}
    return {"code": status.status_code.value, **message}


def _link(link: Link) -> dict[str, str]:
    return {"traceId": f"{link.context.trace_id:032x}", "spanId": f"{link.context.span_id:016x}"}


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, object]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: object) -> dict[str, object]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case Sequence():
            values = [_value(each) for each in cast("Sequence[object]", value)]
            return {"arrayValue": {"values": values}}
        case _:
            return {"stringValue": str(value)}


def read_spans(lines: Iterable[str]) -> list[ReadableSpan]:
    """Read back what `OtlpLines` wrote; a line that is torn or somebody else's is passed over."""
    found: list[ReadableSpan] = []
    for line in lines:
        try:
            (resource_spans,) = json.loads(line)["resourceSpans"]
            (scope_spans,) = resource_spans["scopeSpans"]
            (span,) = scope_spans["spans"]
            found.append(_read(span, resource_spans["resource"], scope_spans["scope"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _read(span: Object, resource: Object, scope: Object) -> ReadableSpan:
    trace_id, flags = int(span["traceId"], 16), int(span["flags"])
    parent = span.get("parentSpanId")
    return ReadableSpan(
        name=span["name"],
        context=_place(trace_id, span["spanId"], flags),
        parent=_place(trace_id, parent, flags) if parent else None,
        resource=Resource(_read_attributes(resource["attributes"])),
        attributes=_read_attributes(span["attributes"]),
        links=[
            Link(_place(int(link["traceId"], 16), link["spanId"], _REMOTE | 1))
            for link in span.get("links", ())
        ],
        kind=SpanKind(span["kind"] - 1),
        status=Status(StatusCode(span["status"].get("code", 0)), span["status"].get("message")),
        start_time=int(span["startTimeUnixNano"]),
        end_time=int(span["endTimeUnixNano"]),
        instrumentation_scope=InstrumentationScope(scope["name"], scope["version"]) if scope else None,
    )


def _place(trace_id: int, span_id: str, flags: int) -> SpanContext:
    return SpanContext(
        trace_id=trace_id,
        span_id=int(span_id, 16),
        is_remote=bool(flags & _REMOTE),
        trace_flags=TraceFlags(flags & 0xFF),
    )


def _read_attributes(attributes: Sequence[Object]) -> dict[str, Any]:
    return {each["key"]: _read_value(each["value"]) for each in attributes}


def _read_value(value: Object) -> Any:  # noqa: ANN401 - whatever an attribute holds
    ((kind, held),) = value.items()
    match kind:
        case "intValue":
            return int(held)
        case "arrayValue":
            return [_read_value(each) for each in held["values"]]
        case _:
            return held
