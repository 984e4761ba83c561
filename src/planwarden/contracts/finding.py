"""What came of looking at one thing: how it stands, the measured figure, and the line that mends it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planwarden.contracts.value import Contract, Json

Status = Literal["ok", "warning", "bad", "skipped"]
"""`warning`: works, with a drawback; `bad`: does not do what is built on it; `skipped`: not looked at."""


class Finding(Contract):
    """The outcome of one check."""

    check: str
    """What was looked at, in a word or two; stable."""
    status: Status
    detail: str
    """What was found, with the measured figure, for a person."""
    remedy: str = ""
    """What to do, the exact line where there is one; empty when there is nothing to do."""
    figures: dict[str, Json] = Field(default_factory=dict)
    """What was measured, for a program."""
