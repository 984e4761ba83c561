"""The structured log: one event per line, ids bound to every line, no secret in any.

Goes to the standard logger `planwarden`, which is silent until a program gives it a handler.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Literal, TextIO, cast

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars
from structlog.processors import format_exc_info
from structlog.typing import EventDict

from planwarden.telemetry.redaction import Redaction

LOGGER = "planwarden"
_LOGGER = logging.getLogger(LOGGER)
_LOGGER.addHandler(logging.NullHandler())

Form = Literal["off", "json", "console"]
Level = Literal["info", "warning"]
Event = Literal[
    "run_started",
    "run_taken_over",
    "plan_validation_failed",
    "plan_decided",
    "approval_asked",
    "step_started",
    "execution_fell",
    "model_failed",
    "model_not_opened",
    "call_refused",
    "call_failed",
    "call_in_doubt",
    "step_failed",
    "run_ended",
    "memory_not_written",
    "journal_unreadable",
    "traces_not_exported",
    "shadow_failed",
]
"""Everything that is ever logged; docs/guides/logs.md says what each means."""

SECRETS = Redaction()
"""What is secret in this process. One for all: a line must not hold a secret, whoever writes it."""


def hide_secrets(secrets: Iterable[str]) -> None:
    """Keep these values out of every line that this process logs from now on."""
    SECRETS.hide(secrets)


def without_secrets(value: object) -> object:
    """Give a value as a line may hold it: JSON, with every secret hidden."""
    return SECRETS.value(value)


def bound(**ids: str) -> AbstractContextManager[None]:
    """Bind ids to every line that is logged inside a `with` block and the tasks begun in it."""
    return cast("AbstractContextManager[None]", bound_contextvars(**ids))


def log(level: Level, event: Event, **fields: object) -> None:
    """Write a line; of `exc_info`, an exception or True for the one being handled, with its traceback."""
    number = logging.WARNING if level == "warning" else logging.INFO
    if _LOGGER.isEnabledFor(number):
        _send(number, *_line(_in_order(level, event, fields)))


def write_log(form: Form, stream: TextIO) -> None:
    """Send the log to a stream: one JSON object a line, or lines for a person to read."""
    if form == "off" or any(isinstance(handler, _Lines) for handler in _LOGGER.handlers):
        return
    handler = _Lines(stream)
    handler.setFormatter(_ForPeople(colors=stream.isatty()) if form == "console" else _Json())
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False


class _Lines(logging.StreamHandler[TextIO]):
    """Our handler, told apart from those that a program adds."""

    def put(self, line: str) -> None:
        """Write a line as it is; a record of it would cost more than all the rest."""
        with self.lock or nullcontext():
            try:
                self.stream.write(line + self.terminator)
                self.stream.flush()
            except Exception:  # noqa: BLE001 - told as by every handler: a stream that is gone fails no run
                self.handleError(_record(logging.INFO, line, None))


class _Json(logging.Formatter):
    """Writes the JSON line of a record; what a plug-in logs under our name becomes one."""

    def format(self, record: logging.LogRecord) -> str:
        if hasattr(record, LOGGER) or record.msg == _NOT_SHOWN:
            return record.getMessage()
        level, message = record.levelname.lower(), SECRETS.text(super().format(record))
        return json.dumps({"level": level, "event": "message", "logger": record.name, "message": message})


class _ForPeople(logging.Formatter):
    """Writes the JSON line of a record as people read it."""

    def __init__(self, *, colors: bool) -> None:
        super().__init__()
        self._renderer = structlog.dev.ConsoleRenderer(colors=colors)

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, LOGGER, None)
        if not isinstance(fields, dict):
            return SECRETS.text(super().format(record))
        shown = {key: value for key, value in cast("EventDict", fields).items() if value is not None}
        line = self._renderer(None, "", shown)
        return line if not SECRETS.betrayed(line) else _NOT_SHOWN


_NOT_SHOWN = '{"event": "line_with_a_secret_left_out"}'


def _send(number: int, line: str, event: EventDict | None) -> None:
    """Give a line to whoever takes it: as it is to ours, when nobody else listens and it wants JSON."""
    listening = [each for each in _LOGGER.handlers if not isinstance(each, logging.NullHandler)]
    ours = listening[0] if len(listening) == 1 and not _LOGGER.propagate and not _LOGGER.filters else None
    if isinstance(ours, _Lines) and isinstance(ours.formatter, _Json) and not ours.filters:
        if number >= ours.level:
            ours.put(line)
    else:
        _LOGGER.handle(_record(number, line, event))


def _record(number: int, line: str, event: EventDict | None) -> logging.LogRecord:
    extra = None if event is None else {LOGGER: event}
    return _LOGGER.makeRecord(LOGGER, number, "", 0, line, (), None, None, extra)


def _in_order(level: Level, event: Event, fields: EventDict) -> EventDict:
    """Put what every line has before what only some have."""
    ids = get_contextvars()
    written: EventDict = {
        "timestamp": datetime.now(UTC).isoformat()[:-6] + "Z",
        "level": level,
        "event": event,
        "run_id": ids.get("run_id"),
        "step_id": ids.get("step_id"),
        **ids,
        **fields,
    }
    tracing = sys.modules.get("opentelemetry.trace")
    if tracing is not None:  # the span that is open here, whoever opened it; nothing where no program traces
        span = tracing.get_current_span()
        if isinstance(ours := getattr(span, "traceparent", None), str):
            written["trace_id"], written["span_id"] = ours[3:35], ours[36:52]
        elif (at := span.get_span_context()).is_valid:
            written["trace_id"], written["span_id"] = f"{at.trace_id:032x}", f"{at.span_id:016x}"
    return written


def _line(event: EventDict) -> tuple[str, EventDict | None]:
    """Write an event as a line without secrets; one that would hold one all the same says only so."""
    if "exc_info" not in event:
        try:
            line = _as_json(event)
        except (TypeError, ValueError):  # it holds what JSON does not, such as an exception
            line = None
        if line is not None and not SECRETS.suspected(line):
            return line, event
    told = format_exc_info(None, "", event)
    shown = {key: SECRETS.value(value, key) for key, value in told.items()}
    line = _as_json(shown)
    return (_NOT_SHOWN, None) if SECRETS.betrayed(line) else (line, shown)


_as_json = json.JSONEncoder().encode
