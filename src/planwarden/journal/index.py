"""The index over all runs: their summaries, and which runs have what. Derived, never the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from planwarden.contracts.run import RunStatus
from planwarden.contracts.summary import RunSummary

Facet = tuple[str, str]
"""A kind and a value that a run is found by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs are wanted; all conditions have to hold, and None sets none."""

    tenant: str | None = None
    agent: str | None = None
    """That the plan names."""
    tool: str | None = None
    """That was planned or wanted."""
    deviation: str | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    """Begun at this moment or later."""
    until: datetime | None = None
    """Begun before this moment."""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Stands for the summary of a run whose record cannot be read back."""

    run_id: str
    seq: int
    """Of its last event when that was found."""


class RunIndex(Protocol):
    """What is kept of every run beside its record, to search and to count by."""

    async def due(self, place: int, *, limit: int) -> tuple[tuple[int, str, int], ...]:
        """Give runs after a place whose kept summary does not cover their last event, oldest first.

        Each as (its place, its id, its last `seq`); see `Journal.runs_after`.
        """
        ...

    async def put(self, summaries: Sequence[RunSummary | Unreadable]) -> None:
        """Keep summaries, in one transaction, in place of earlier ones of the same runs.

        One that covers less than what is kept is dropped, as is one of a run that is not there.
        """
        ...

    async def search(self, query: RunQuery) -> tuple[RunSummary, ...]:
        """Give the newest runs first, of those that have a summary; unreadable ones are left out.

        Raises:
            StoreCorrupt: a summary cannot be read back.
        """
        ...

    async def after(self, place: int, *, limit: int) -> tuple[tuple[int, RunSummary | Unreadable], ...]:
        """Give kept summaries after a place, oldest run first, each with its place; see `Journal.runs_after`.

        Raises:
            StoreCorrupt: a summary cannot be read back.
        """
        ...

    async def of(self, run_ids: Sequence[str]) -> tuple[RunSummary | Unreadable, ...]:
        """Give the kept summaries of these runs, in any order; nothing for one that has none yet.

        Raises:
            StoreCorrupt: a summary cannot be read back.
        """
        ...

    async def forget(self) -> None:
        """Drop all summaries but those of erased runs that can be read: nothing else makes them again."""
        ...


def facets_of(summary: RunSummary) -> tuple[Facet, ...]:
    """Give everything that a run is found by, each once."""
    return tuple(
        dict.fromkeys(
            (
                ("tenant", summary.tenant),
                ("status", summary.status),
                *(("agent", agent) for agent in summary.agents),
                *(("tool", tool) for tool in summary.tools),
                *(("deviation", kind) for kind in summary.deviations),
            )
        )
    )


def facets_wanted(query: RunQuery) -> tuple[Facet, ...]:
    """Give what a run has to have."""
    wanted = {
        "tenant": query.tenant,
        "status": query.status,
        "agent": query.agent,
        "tool": query.tool,
        "deviation": query.deviation,
    }
    return tuple((kind, value) for kind, value in wanted.items() if value is not None)
