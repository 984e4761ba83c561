"""A clock that moves only when it is looked at, or told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class TickingClock:
    """Each look at the time moves it on by `tick_s` seconds, so that no two moments are the same."""

    def __init__(self, start: datetime = BEGINNING, *, tick_s: float = 0.001) -> None:
        self._start = start
        self._tick_s = tick_s
        self._passed_s = 0.0

    def now(self) -> datetime:
        """Give the wall time, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Give seconds since the clock began."""
        self._passed_s += self._tick_s
        return self._passed_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds
