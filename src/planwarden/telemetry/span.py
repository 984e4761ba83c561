"""Our span: plain values, cheap to open and to end in the middle of a run.

What OpenTelemetry makes of it (its own classes, attributes cleaned and bounded, bytes for a receiver) is made
of its row, later and elsewhere: see `readable.py`. A program's own OpenTelemetry sees it as the open span.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from typing import Any, NamedTuple, Self

from opentelemetry.context import Context, attach, create_key, detach, get_current, get_value
from opentelemetry.trace import (
    INVALID_SPAN,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import (
    Span as ApiSpan,
)

from planwarden.contracts.tracing import Attributes, Span, failure_code

_OURS = create_key("planwarden-span")
(CURRENT,) = set_span_in_context(INVALID_SPAN, Context())
"""Under what OpenTelemetry keeps the open span. Written beside ours at once: it is done for every span."""
_ERROR = StatusCode.ERROR.value
_WELL = StatusCode.OK.value


class SpanRow(NamedTuple):
    """A finished span, in the order in which the spool holds it; all of it is JSON."""

    trace_id: str
    """Ids as they are written: in hexadecimal."""
    span_id: str
    parent_id: str | None
    parent_elsewhere: bool
    """Whether the parent is in another process."""
    flags: int
    trace_state: str
    name: str
    kind: int
    started: int
    """In nanoseconds since 1970, as its end."""
    ended: int
    status: int
    status_text: str | None
    attributes: Mapping[str, Any]
    links: Sequence[str]
    """Traceparents."""
    events: Sequence[tuple[str, int, Mapping[str, Any]]]
    """What a program added through OpenTelemetry: name, time and attributes."""


class Place(NamedTuple):
    """Where a span begins: its trace, and what it is in."""

    trace_id: str
    parent_id: str | None
    parent_elsewhere: bool
    flags: int
    trace_state: str = ""


class TracedSpan(ApiSpan):
    """A span of ours, opened for a `with` block."""

    __slots__ = (
        "_ended",
        "_events",
        "_finish",
        "_inside",
        "_kind",
        "_links",
        "_name",
        "_noted",
        "_outside",
        "_started",
        "_status",
        "place",
        "span_id",
    )

    def __init__(
        self,
        place: Place,
        span_id: str,
        name: str,
        attributes: dict[str, Any],
        *,
        kind: int,
        links: Sequence[str],
        finish: Callable[[SpanRow], None] | None,
    ) -> None:
        """Begin now; `finish` is told the row in the end, None records nothing."""
        self.place = place
        self.span_id = span_id
        self._name = name
        self._kind = kind
        self._noted = attributes
        self._links = links
        self._finish = finish
        self._events: Sequence[tuple[str, int, Mapping[str, Any]]] = ()
        self._status: tuple[int, str | None] = (0, None)
        self._ended = False
        self._inside: Place | None = None
        self._started = time.time_ns()

    # ---- the port --------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._outside: Token[Context] = attach(Context({**get_current(), CURRENT: self, _OURS: self}))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            self.fail(failure_code(error))
        detach(self._outside)
        self._ended = True
        if self._finish is None:
            return
        place, status = self.place, self._status
        self._finish(
            SpanRow(
                place.trace_id,
                self.span_id,
                place.parent_id,
                place.parent_elsewhere,
                place.flags,
                place.trace_state,
                self._name,
                self._kind,
                self._started,
                time.time_ns(),
                status[0],
                status[1],
                self._noted,
                self._links,
                self._events,
            )
        )

    @property
    def inside(self) -> Place:
        """Give where the spans in it begin."""
        if self._inside is None:
            around = self.place
            self._inside = Place(around.trace_id, self.span_id, False, around.flags, around.trace_state)  # noqa: FBT003 - a row
        return self._inside

    @property
    def traceparent(self) -> str:
        """Give its place in the trace."""
        return f"00-{self.place.trace_id}-{self.span_id}-{self.place.flags:02x}"

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        if not self._ended:
            self._noted.update(given(attributes))

    def fail(self, error_type: str) -> None:
        """Say that the work failed."""
        if not self._ended:
            self._noted["error.type"] = error_type
            self._status = (_ERROR, error_type)

    # ---- what a program's own OpenTelemetry sees ---------------------------------------------------

    def get_span_context(self) -> SpanContext:
        """Give its place in the trace."""
        place = self.place
        return SpanContext(
            int(place.trace_id, 16),
            int(self.span_id, 16),
            is_remote=False,
            trace_flags=TraceFlags(place.flags),
            trace_state=TraceState.from_header([place.trace_state]) if place.trace_state else None,
        )

    def is_recording(self) -> bool:
        """Say whether anything comes of what is added."""
        return self._finish is not None and not self._ended

    def set_attribute(self, key: str, value: Any) -> None:  # noqa: ANN401 - the library's signature
        """Add an attribute."""
        if not self._ended:
            self._noted[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes."""
        if not self._ended:
            self._noted.update(attributes)

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        """Add something that happened."""
        if not self._ended:
            self._events = (*self._events, (name, timestamp or time.time_ns(), dict(attributes or {})))

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - the library's signature
        """Link to another span; our links have no attributes."""
        if context.is_valid and not self._ended:
            self._links = (*self._links, traceparent_of(context))

    def update_name(self, name: str) -> None:
        """Take another name."""
        if not self._ended:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it went; as in the SDK, UNSET changes nothing and nothing changes OK."""
        whole = status if isinstance(status, Status) else Status(status, description)
        if not self._ended and whole.status_code is not StatusCode.UNSET and self._status[0] != _WELL:
            self._status = (whole.status_code.value, whole.description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the library's signature
    ) -> None:
        """Add an exception that a program met."""
        told = {
            "exception.type": type(exception).__qualname__,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", {**told, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: it ends with its block."""


def innermost() -> Span | None:
    """Give the innermost span of ours that is open here."""
    span = get_value(_OURS)
    return span if type(span) is TracedSpan else None


def given(attributes: Attributes) -> dict[str, Any]:
    """Give the attributes that are there."""
    return {name: value for name, value in attributes.items() if value is not None}


def traceparent_of(at: SpanContext) -> str:
    """Write a place in a trace as W3C Trace Context does."""
    return f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}"
