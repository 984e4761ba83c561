"""The append-only record, as everyone above sees it; implementations pass tests/conformance/journal.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from planwarden.contracts.event import ChainFault, EventLink, RunEvent
from planwarden.contracts.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that can hold leases."""

    id: str
    """Unique per process start."""
    host: str
    """Machine, boot and process-id namespace: only within the same one does `pid` mean anything."""
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write to one run. Every append carries its epoch and is refused when it is stale."""

    run_id: str
    owner: Owner
    epoch: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """One line about a run, without reading its events."""

    run_id: str
    tenant: str
    conversation: str | None
    created_at: datetime
    updated_at: datetime
    last_seq: int
    last_kind: str
    head: str
    """Hash of the last event."""
    epoch: int
    owned: bool
    """Whether a live lease is held."""


class Journal(Protocol):
    """Append-only record of runs, with leases. One writer per run at any moment."""

    async def create(
        self, run_id: str, tenant: str, owner: Owner, facts: Sequence[Fact]
    ) -> tuple[Lease, tuple[RunEvent, ...]]:
        """Begin a run: its first facts and its lease (epoch 1) in one transaction.

        The run belongs to the conversation that its `run_started` names.
        """
        ...

    async def acquire(self, run_id: str, owner: Owner) -> Lease:
        """Take the lease of a run whose lease is free, expired, or held by a process known to be dead.

        Raises:
            RunNotFound: no such run.
            RunErased: its payloads were erased.
            LeaseHeld: a live process holds it.
        """
        ...

    async def renew(self, lease: Lease) -> Lease:
        """Extend a lease.

        Raises:
            LeaseLost: it is not ours any more.
        """
        ...

    async def check(self, lease: Lease) -> None:
        """Make sure, right before an effect, that the lease is still ours and not expired.

        Raises:
            LeaseLost: it is not.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give a lease back; silent when it is already lost."""
        ...

    async def append(self, lease: Lease, facts: Sequence[Fact]) -> tuple[RunEvent, ...]:
        """Write facts in one transaction; on disk when this returns.

        Raises:
            LeaseLost: the lease's epoch is stale; nothing was written.
            StoreUnavailable: the disk refused; nothing was written.
        """
        ...

    async def post(self, run_id: str, fact: Fact) -> None:
        """Leave a fact (cancel, approval, settlement) for whoever owns the run; needs no lease.

        Raises:
            RunNotFound: no such run.
            RunErased: its payloads were erased.
        """
        ...

    async def absorb(self, lease: Lease) -> tuple[RunEvent, ...]:
        """Append everything that was posted, in order, and empty the inbox, in one transaction."""
        ...

    async def read(self, run_id: str) -> tuple[RunEvent, ...]:
        """Give all events of a run, in order.

        Raises:
            RunNotFound: no such run.
            RunErased: its payloads were erased.
            StoreCorrupt: a payload cannot be read back.
        """
        ...

    async def links(self, run_id: str) -> tuple[EventLink, ...]:
        """Give the chain of a run, without payloads.

        Raises:
            RunNotFound: no such run.
        """
        ...

    async def verify(self, run_id: str) -> tuple[ChainFault, ...]:
        """Recompute the chain from the stored bytes; empty when every byte is as written.

        Raises:
            RunNotFound: no such run.
        """
        ...

    async def heads(
        self, *, tenant: str | None = None, conversation: str | None = None, limit: int = 100
    ) -> tuple[RunHead, ...]:
        """Give the newest runs first: of one tenant or of all, of one conversation or of any and none."""
        ...

    async def head(self, run_id: str) -> RunHead:
        """Give one line about a run.

        Raises:
            RunNotFound: no such run.
        """
        ...

    async def runs_after(self, place: int, *, limit: int) -> tuple[tuple[int, str], ...]:
        """Give the next runs after a place, oldest first, each as (its place, its id).

        Pages through a journal of any size: nothing of a run is read but its id.
        """
        ...

    async def aclose(self) -> None:
        """Flush and close."""
        ...
