"""`Tracing`: where a process's spans go, opened as configured, closed within seconds whatever happens."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from planwarden.contracts.tracing import NO_TRACES, Tracer
from planwarden.errors import SettingsRejected, installing

if TYPE_CHECKING:  # an optional dependency, and a tenth of a second of imports
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    from planwarden.telemetry.exporters import CountedExporter
    from planwarden.telemetry.spool import Spool

Destination = Literal["off", "otlp", "console", "file"]
NAME = "planwarden"
CLOSE_S = 2.0
"""How long closing waits for a receiver; what it has not taken by then stays in the spool."""
REMEDY = f"Run {installing('telemetry')}, or set TELEMETRY__TRACES=off."


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the spans of this process."""

    delivered: int = 0
    failed: int = 0
    """Spans in attempts that failed; a span can be in several, and may have been delivered in the end."""
    not_kept: int = 0
    """Spans that the spool did not take: they were in memory only; and those of which nothing can be sent."""


@dataclass(slots=True, kw_only=True)
class Tracing:
    """The tracer, and what has to be closed behind it."""

    tracer: Tracer = NO_TRACES
    content: bool = False
    """Whether prompts, replies, arguments and results are in the spans."""
    propagate: bool = False
    """Whether model servers are told the trace."""
    provider: TracerProvider | None = None
    exporter: CountedExporter | None = None
    spool: Spool | None = None

    @property
    def on(self) -> bool:
        """Say whether anything is traced."""
        return self.provider is not None

    @property
    def counts(self) -> Counts:
        """Say what became of the spans so far."""
        return Counts(
            delivered=self.exporter.delivered if self.exporter else 0,
            failed=self.exporter.failed if self.exporter else 0,
            not_kept=(self.spool.not_kept if self.spool else 0)
            + (self.exporter.not_shown if self.exporter else 0),
        )

    def close(self) -> None:
        """Deliver what is finished, for at most a few seconds, and let go of everything. Blocks."""
        if self.provider is None:
            return
        ending = threading.Thread(target=self.provider.shutdown, name="planwarden-traces-end", daemon=True)
        ending.start()
        ending.join(CLOSE_S)
        if ending.is_alive() and self.exporter is not None:
            self.exporter.shutdown()  # wakes an exporter that waits before it tries again
            ending.join(CLOSE_S / 4)
        if self.spool is not None:
            self.spool.close()
        self.provider = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingSettings:
    """What is traced, and where it goes."""

    destination: Destination
    version: str
    content: bool = False
    propagate: bool = False
    file: Path
    """For `file`."""
    spool: Path
    """The folder of the spool, for `otlp`."""
    process: str
    """A name that no other process has."""
    stream: TextIO | None = None
    """For `console`."""
    protocol: str = "http/protobuf"
    """Of OTLP."""
    ids: IdGenerator | None = field(default=None)
    """None: random ones."""


def open_tracing(settings: TracingSettings) -> Tracing:
    """Open what the settings name.

    Raises:
        SettingsRejected: what it needs is not installed, or the file cannot be written.
    """
    if settings.destination == "off":
        return Tracing()
    try:
        from planwarden.telemetry import pipeline  # noqa: PLC0415 - see above
    except ImportError as error:
        raise SettingsRejected(
            f"TELEMETRY__TRACES is {settings.destination}, but a library for it is not installed ({error}).",
            remedy=REMEDY,
        ) from error
    return pipeline.assemble(settings)
