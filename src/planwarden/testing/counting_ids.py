"""Identifiers that repeat from one test run to the next."""

from __future__ import annotations


class CountingIds:
    """Run ids `r1`, `r2`, …; nonces counted in 32 hexadecimal digits."""

    def __init__(self) -> None:
        self._runs = 0
        self._nonces = 0

    def run_id(self) -> str:
        """Give the next run id."""
        self._runs += 1
        return f"r{self._runs}"

    def nonce(self) -> str:
        """Give the next nonce: unique, and not unpredictable."""
        self._nonces += 1
        return f"{self._nonces:032x}"
