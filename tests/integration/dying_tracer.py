"""A process that traces and is killed: run as a script, it ends a span, is inside another, and dies."""

from __future__ import annotations

import sys
from pathlib import Path

from planwarden.telemetry.tracing import open_tracing
from planwarden.testing.failing_journal import kill_nine
from traces_kit import otlp

if __name__ == "__main__":
    tracing = open_tracing(otlp(Path(sys.argv[1]), process="dying"))
    with tracing.tracer.span("unfinished", {}):
        with tracing.tracer.span("finished", {"planwarden.run.id": "r1"}):
            pass
        kill_nine()
