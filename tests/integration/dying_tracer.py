"""A process that traces and ends in the way that it is told: run as a script, with a folder and the way."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from planwarden.telemetry.tracing import open_tracing
from planwarden.testing.failing_journal import kill_nine
from traces_kit import otlp

PAUSE = threading.Event()
"""Never set."""


def kept(folder: Path, name: str) -> bool:
    """Say whether a span is on disk."""
    return any(f'"{name}"' in path.read_text("utf-8") for path in folder.glob("spool/*"))


if __name__ == "__main__":
    folder, way = Path(sys.argv[1]), sys.argv[2]
    tracing = open_tracing(otlp(folder, process="dying"))
    with tracing.tracer.span("unfinished", {}):
        with tracing.tracer.span("finished", {"planwarden.run.id": "r1"}):
            pass
        if way == "kill -9":
            while not kept(folder, "finished"):  # it gets there by itself, with time
                PAUSE.wait(0.01)
        with tracing.tracer.span("last", {"planwarden.run.id": "r1"}):
            pass
        match way:
            case "kill -9":
                kill_nine()
            case "SIGTERM":
                os.kill(os.getpid(), signal.SIGTERM)
                PAUSE.wait()
            case "exception":
                raise RuntimeError(way)
            case _:
                sys.exit(3)
