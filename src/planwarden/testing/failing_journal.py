"""A wrapper that strikes at the n-th write of a journal: kills the process, raises, or does as it is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Literal

from planwarden.contracts.event import ChainFault, EventLink, RunEvent
from planwarden.contracts.facts import Fact
from planwarden.journal.port import Journal, Lease, Owner, RunHead

Moment = Literal["before", "after"]


def kill_nine() -> None:
    """End this process as a power cut would: nothing is flushed, nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


class FailingJournal:
    """Counts `create` and `append`; right before or right after write `at` (1, 2, …) calls `strike`."""

    def __init__(self, journal: Journal, *, at: int, when: Moment, strike: Callable[[], None]) -> None:
        self._journal = journal
        self._at = at
        self._when = when
        self._strike = strike
        self.writes = 0

    async def create(
        self, run_id: str, tenant: str, owner: Owner, facts: Sequence[Fact]
    ) -> tuple[Lease, tuple[RunEvent, ...]]:
        """Begin a run; a write."""
        self._count()
        created = await self._journal.create(run_id, tenant, owner, facts)
        self._written()
        return created

    async def append(self, lease: Lease, facts: Sequence[Fact]) -> tuple[RunEvent, ...]:
        """Write facts; a write."""
        self._count()
        events = await self._journal.append(lease, facts)
        self._written()
        return events

    async def acquire(self, run_id: str, owner: Owner) -> Lease:
        """Take a lease."""
        return await self._journal.acquire(run_id, owner)

    async def renew(self, lease: Lease) -> Lease:
        """Extend a lease."""
        return await self._journal.renew(lease)

    async def check(self, lease: Lease) -> None:
        """Make sure of a lease."""
        await self._journal.check(lease)

    async def release(self, lease: Lease) -> None:
        """Give a lease back."""
        await self._journal.release(lease)

    async def post(self, run_id: str, fact: Fact) -> None:
        """Leave a fact for the owner."""
        await self._journal.post(run_id, fact)

    async def absorb(self, lease: Lease) -> tuple[RunEvent, ...]:
        """Append what was posted; not counted."""
        return await self._journal.absorb(lease)

    async def read(self, run_id: str) -> tuple[RunEvent, ...]:
        """Give the events of a run."""
        return await self._journal.read(run_id)

    async def links(self, run_id: str) -> tuple[EventLink, ...]:
        """Give the chain of a run."""
        return await self._journal.links(run_id)

    async def verify(self, run_id: str) -> tuple[ChainFault, ...]:
        """Recompute the chain of a run."""
        return await self._journal.verify(run_id)

    async def heads(
        self, *, tenant: str | None = None, conversation: str | None = None, limit: int = 100
    ) -> tuple[RunHead, ...]:
        """Give the newest runs."""
        return await self._journal.heads(tenant=tenant, conversation=conversation, limit=limit)

    async def head(self, run_id: str) -> RunHead:
        """Give one line about a run."""
        return await self._journal.head(run_id)

    async def runs_after(self, place: int, *, limit: int) -> tuple[tuple[int, str], ...]:
        """Give the next runs after a place."""
        return await self._journal.runs_after(place, limit=limit)

    async def aclose(self) -> None:
        """Close the journal."""
        await self._journal.aclose()

    def _count(self) -> None:
        self.writes += 1
        if self.writes == self._at and self._when == "before":
            self._strike()

    def _written(self) -> None:
        if self.writes == self._at and self._when == "after":
            self._strike()
