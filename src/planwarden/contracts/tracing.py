"""The port to a trace: spans around what a run does, and the context that other processes continue.

A span carries names, numbers and codes, never what somebody asked or a tool said. Off is `NO_TRACES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Literal, Protocol

from pydantic import Field

Attribute = str | bool | int | float | Sequence[str] | None
"""None leaves an attribute out."""
Attributes = Mapping[str, Attribute]
SpanKind = Literal["internal", "client"]

_TRACEPARENT = r"^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$(?!\n)"
Traceparent = Annotated[str, Field(max_length=256, pattern=re.compile(_TRACEPARENT))]
"""The place in a trace, as W3C Trace Context writes it: version, trace id, span id, flags."""


def is_traceparent(text: str) -> bool:
    """Say whether a text is a place in a trace."""
    return len(text) <= 256 and re.match(_TRACEPARENT, text) is not None


class Span(Protocol):
    """A piece of work being traced."""

    @property
    def traceparent(self) -> str | None:
        """Give its place in the trace, for whoever continues it; None where nothing is traced."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        ...

    def fail(self, error_type: str) -> None:
        """Say that the work failed, by a stable code; never by a message, which may quote anything."""
        ...


class Tracer(Protocol):
    """Opens spans; a span opened inside another one is its child."""

    def span(
        self,
        name: str,
        attributes: Attributes,
        *,
        kind: SpanKind = "internal",
        parent: str | None = None,
        links: Sequence[str] = (),
    ) -> AbstractContextManager[Span]:
        """Open a span around a `with` block; an exception that leaves the block fails it.

        Args:
            name: the operation, and on what.
            attributes: what is known beforehand.
            kind: `client` for a question to another process.
            parent: a traceparent; the span is a child of that and not of the one that is open here, to
                which it only links.
            links: traceparents of what it goes on from.
        """
        ...

    def current(self) -> Span:
        """Give the innermost span that is open here; one that drops everything where none is."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Give the HTTP headers by which another process continues the span that is open here."""
        ...


class _NoSpan:
    @property
    def traceparent(self) -> str | None:
        return None

    def note(self, attributes: Attributes) -> None:
        """Drop them."""

    def fail(self, error_type: str) -> None:
        """Drop it."""


class NoTraces:
    """Traces nothing."""

    def span(
        self,
        name: str,  # noqa: ARG002 - the port's signature
        attributes: Attributes,  # noqa: ARG002 - the port's signature
        *,
        kind: SpanKind = "internal",  # noqa: ARG002 - the port's signature
        parent: str | None = None,  # noqa: ARG002 - the port's signature
        links: Sequence[str] = (),  # noqa: ARG002 - the port's signature
    ) -> AbstractContextManager[Span]:
        """Open nothing."""
        return _NOTHING

    def current(self) -> Span:
        """Give one that drops everything."""
        return NO_SPAN

    def headers(self) -> Mapping[str, str]:
        """Give none."""
        return {}


NO_SPAN: Span = _NoSpan()
_NOTHING: AbstractContextManager[Span] = nullcontext(NO_SPAN)
NO_TRACES: Tracer = NoTraces()
"""Off."""


def failure_code(error: BaseException) -> str:
    """Name an error by a stable, bounded code: ours by their own, others by their class."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and code.isidentifier() else type(error).__qualname__
