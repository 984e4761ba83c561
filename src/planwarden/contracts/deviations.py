"""Planned ≠ done: the closed set of ways in which a run departs from its plan."""

from __future__ import annotations

from typing import Literal, get_args

from planwarden.contracts.calls import RefusalKind
from planwarden.contracts.value import Contract

DeviationKind = Literal[
    RefusalKind,
    "tool_failed",
    "fallback_used",
    "tool_skipped",
    "tool_first_violation",
    "answered_without_tools",
    "step_not_run",
    "step_replanned",
    "fallback_plan_used",
    "confidence_gated",
    "outcome_in_doubt",
]
"""Every refusal is a deviation too."""


def _flat(kind: object) -> tuple[str, ...]:
    return (kind,) if isinstance(kind, str) else tuple(name for arg in get_args(kind) for name in _flat(arg))


DEVIATION_KINDS: tuple[str, ...] = tuple(dict.fromkeys(_flat(DeviationKind)))


class Deviation(Contract):
    """One departure from the plan, with its place in the record."""

    kind: DeviationKind
    seq: int
    step: str | None = None
    tool: str | None = None
    detail: str = ""
