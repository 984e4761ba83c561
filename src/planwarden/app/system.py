"""The machine's own clock, identifiers and processors: the only place that has the real ones."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

VERSION = version("planwarden")


def made_by(at: datetime) -> str:
    """Say when something was made, and by what."""
    return f"Made on {at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC by Planwarden {VERSION}."


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the wall time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds since some fixed moment."""
        return time.monotonic()


class SystemIds:
    """The machine's randomness."""

    def run_id(self) -> str:
        """Give a run id that sorts by time."""
        return f"r{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    def nonce(self) -> str:
        """Give 32 unpredictable hexadecimal digits."""
        return secrets.token_hex(16)


def processors() -> int:
    """Give how many processors this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 2
