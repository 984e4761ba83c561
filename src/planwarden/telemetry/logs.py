"""The structured log: one event per line, ids bound to every line, no secret in any.

Goes to the standard logger `planwarden`, which is silent until a program gives it a handler.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from planwarden.telemetry.redaction import Redaction

LOGGER = "planwarden"
logging.getLogger(LOGGER).addHandler(logging.NullHandler())

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
    """Write one line."""
    written = _lines.warning if level == "warning" else _lines.info
    written(event, **fields)


def write_log(form: Form, stream: TextIO) -> None:
    """Send the log to a stream: one JSON object a line, or lines for a person to read."""
    logger = logging.getLogger(LOGGER)
    if form == "off" or any(isinstance(handler, _Lines) for handler in logger.handlers):
        return
    handler = _Lines(stream)
    handler.setFormatter(_ForPeople(colors=stream.isatty()) if form == "console" else _Json())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _Lines(logging.StreamHandler[TextIO]):
    """Our handler, told apart from those that a program adds."""


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


def _with_trace(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Add the ids of the span that is open here, whoever opened it; nothing where no program traces."""
    tracing = sys.modules.get("opentelemetry.trace")
    if tracing is not None:
        at = tracing.get_current_span().get_span_context()
        if at.is_valid:
            event["trace_id"] = f"{at.trace_id:032x}"
            event["span_id"] = f"{at.span_id:016x}"
    return event


def _in_order(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Put what every line has before what only some have."""
    first = {name: event.pop(name, None) for name in ("timestamp", "level", "event", "run_id", "step_id")}
    return {**first, **event}


def _without_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    return {key: SECRETS.value(value, key) for key, value in event.items()}


def _written(_logger: WrappedLogger, _name: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    """Write the line; one that would hold a secret all the same is left out, and says so."""
    line = json.dumps(event)
    if SECRETS.betrayed(line):
        return (_NOT_SHOWN,), {}
    return (line,), {"extra": {LOGGER: event}}


_STEPS: list[Processor] = [
    structlog.stdlib.filter_by_level,
    merge_contextvars,
    _with_trace,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    _in_order,
    structlog.processors.format_exc_info,
    _without_secrets,
    _written,
]
_lines: Any = structlog.wrap_logger(
    logging.getLogger(LOGGER), processors=_STEPS, wrapper_class=structlog.stdlib.BoundLogger
).bind()
