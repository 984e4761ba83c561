"""From a run to the spool and the exporter: a run's thread leaves a finished span here and goes on.

Another thread takes what was left, in pieces: to the spool with one `write`, then to the exporter. It looks
every `DELAY_S`, and once more before the process ends (see `ending.py`), but for a `kill -9`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import cast

from opentelemetry.sdk.trace import SpanProcessor

from planwarden.telemetry.ending import before_the_end, no_longer
from planwarden.telemetry.readable import Finished, Origin
from planwarden.telemetry.span import SpanRow
from planwarden.telemetry.spool import Spool

DELAY_S = 0.1
"""How long a span waits in memory before it is put into the spool."""
PIECE = 64
"""Spans that are put there at a time."""


class Handover(SpanProcessor):
    """Takes finished spans; a provider flushes and ends it, and with it the processor behind it."""

    def __init__(
        self, spool: Spool, origin: Origin, behind: SpanProcessor, *, delay_s: float = DELAY_S
    ) -> None:
        self._spool = spool
        self._origin = origin
        self._behind = behind
        self._delay_s = delay_s
        self._waiting: deque[SpanRow] = deque()
        self._start()
        before_the_end(self.hand_over)
        if hasattr(os, "register_at_fork"):
            forked = weakref.WeakMethod(self._forked)
            os.register_at_fork(after_in_child=lambda: (again := forked()) and again())

    def add(self, row: SpanRow) -> None:
        """Take a finished span. Costs next to nothing: it stands in the middle of a run."""
        self._waiting.append(row)
        if self._idle:
            self._wake()

    def send(self, span: Finished) -> None:
        """Give the exporter a span that is in the spool already."""
        cast("Callable[[Finished], None]", self._behind.on_end)(span)

    def hand_over(self) -> bool:
        """Put what waits into the spool, and give it to the exporter; say whether anything did."""
        found = False
        with self._turn:
            while self._waiting:
                found = True
                rows = [self._waiting.popleft() for _ in range(min(PIECE, len(self._waiting)))]
                self._spool.add(rows)
                for row in rows:
                    self.send(Finished(self._origin, row))
        return found

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Hand over and send what is finished. Blocks."""
        self.hand_over()
        return self._behind.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Hand over and send what is finished, and end. What comes later is put into the spool. Blocks."""
        self._over.set()
        self._called.set()
        self._thread.join()
        self._idle = True
        self.hand_over()
        no_longer(self.hand_over)
        self._behind.shutdown()

    # ---- the thread ----------------------------------------------------------------------------------

    def _start(self) -> None:
        self._turn = threading.Lock()
        self._called, self._over = threading.Event(), threading.Event()
        self._idle = True
        """Whether the thread waits to be called; else it looks by itself, every so often."""
        self._thread = threading.Thread(target=self._work, name="planwarden-spans", daemon=True)
        self._thread.start()

    def _wake(self) -> None:
        self._idle = False  # first: whoever ends it meanwhile sets it again
        self._called.set()
        if self._over.is_set():
            self._idle = True
            self.hand_over()

    def _work(self) -> None:
        while not self._over.is_set():
            self._called.wait()
            self._called.clear()
            while not self._over.wait(self._delay_s):
                if self.hand_over():
                    continue
                self._idle = True
                if not self._waiting:  # else one came in between, which may have seen that it was not
                    break

    def _forked(self) -> None:
        """Begin anew in a child, which has no threads, and whose parent hands over what waits."""
        self._waiting.clear()
        self._turn = threading.Lock()
        self._idle = True
        self._spool.forked()
        if not self._over.is_set():
            self._start()
