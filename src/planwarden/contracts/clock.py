"""Time and identifiers, always passed in; only `app.py` has the real ones."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """Give the wall time, in UTC, with its zone."""
        ...

    def monotonic(self) -> float:
        """Give seconds since some fixed moment; never goes back."""
        ...


class Ids(Protocol):
    """A source of identifiers and randomness."""

    def run_id(self) -> str:
        """Give a new run id: short, unique, safe in a file name."""
        ...

    def nonce(self) -> str:
        """Give 32 unpredictable hexadecimal digits."""
        ...
