"""A journal that lives as long as its process: for tests and dry runs. Each call happens at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.event import GENESIS, ChainFault, EventLink, RunEvent
from planwarden.contracts.facts import Fact
from planwarden.errors import LeaseHeld, RunNotFound, StoreUnavailable
from planwarden.journal import leasing
from planwarden.journal.chain import chain_faults
from planwarden.journal.entry import Draft, Entry, Tail, conversation_of, drafts, entries, read_event
from planwarden.journal.leasing import Holding, IsDead
from planwarden.journal.port import Lease, Owner, RunHead


@dataclass(slots=True, kw_only=True)
class _Record:
    tenant: str
    conversation: str | None
    created_at: datetime
    holding: Holding
    written: list[Entry] = field(default_factory=list[Entry])
    inbox: list[Draft] = field(default_factory=list[Draft])


class MemoryJournal:
    """The journal port over a dictionary. `lease_s` is how long a lease lasts, in seconds."""

    def __init__(self, clock: Clock, ids: Ids, *, is_dead: IsDead, lease_s: float = 15.0) -> None:
        self._clock = clock
        self._ids = ids
        self._is_dead = is_dead
        self._lease_s = lease_s
        self._records: dict[str, _Record] = {}
        self._closed = False

    async def create(
        self, run_id: str, tenant: str, owner: Owner, facts: Sequence[Fact]
    ) -> tuple[Lease, tuple[RunEvent, ...]]:
        """Begin a run: its first facts and its lease."""
        self._require_open()
        if run_id in self._records:
            raise LeaseHeld(f"Run {run_id} exists already.", remedy="Give the new run an id of its own.")
        ready = drafts(facts, self._ids)
        if not ready:
            raise ValueError("a run begins with at least one fact")
        now = self._clock.now()
        lease = leasing.first_lease(run_id, owner, now=now, lease_s=self._lease_s)
        record = _Record(
            tenant=tenant, conversation=conversation_of(ready), created_at=now, holding=_held(lease)
        )
        events = _write(run_id, record, ready, now)
        self._records[run_id] = record
        return lease, events

    async def acquire(self, run_id: str, owner: Owner) -> Lease:
        """Take the lease of a run that nobody living holds."""
        record = self._record(run_id)
        lease = leasing.next_lease(
            run_id,
            record.holding,
            owner,
            now=self._clock.now(),
            lease_s=self._lease_s,
            is_dead=self._is_dead,
        )
        record.holding = _held(lease)
        return lease

    async def renew(self, lease: Lease) -> Lease:
        """Extend a lease."""
        record = self._record(lease.run_id)
        extended = leasing.renewed(record.holding, lease, now=self._clock.now(), lease_s=self._lease_s)
        record.holding = _held(extended)
        return extended

    async def check(self, lease: Lease) -> None:
        """Make sure that the lease is still ours and not expired."""
        leasing.require_current(self._record(lease.run_id).holding, lease, now=self._clock.now())

    async def release(self, lease: Lease) -> None:
        """Give a lease back."""
        record = self._record(lease.run_id)
        if leasing.is_ours(record.holding, lease):
            record.holding = Holding(
                epoch=record.holding.epoch, owner=None, expires_at=record.holding.expires_at
            )

    async def append(self, lease: Lease, facts: Sequence[Fact]) -> tuple[RunEvent, ...]:
        """Write facts, all or none."""
        record = self._record(lease.run_id)
        leasing.require_ours(record.holding, lease)
        return _write(lease.run_id, record, drafts(facts, self._ids), self._clock.now())

    async def post(self, run_id: str, fact: Fact) -> None:
        """Leave a fact for whoever owns the run."""
        self._record(run_id).inbox.extend(drafts((fact,), self._ids))

    async def absorb(self, lease: Lease) -> tuple[RunEvent, ...]:
        """Append everything that was posted, in order."""
        record = self._record(lease.run_id)
        leasing.require_ours(record.holding, lease)
        events = _write(lease.run_id, record, record.inbox, self._clock.now())
        record.inbox.clear()
        return events

    async def read(self, run_id: str) -> tuple[RunEvent, ...]:
        """Give all events of a run, in order."""
        return tuple(read_event(entry.link, entry.payload) for entry in self._record(run_id).written)

    async def links(self, run_id: str) -> tuple[EventLink, ...]:
        """Give the chain of a run."""
        return tuple(entry.link for entry in self._record(run_id).written)

    async def verify(self, run_id: str) -> tuple[ChainFault, ...]:
        """Recompute the chain."""
        written = self._record(run_id).written
        payloads = {entry.link.seq: entry.payload for entry in written}
        return chain_faults([entry.link for entry in written], payloads)

    async def heads(
        self, *, tenant: str | None = None, conversation: str | None = None, limit: int = 100
    ) -> tuple[RunHead, ...]:
        """Give the newest runs first."""
        self._require_open()
        now = self._clock.now()
        found = [
            self._head(run_id, record, now)
            for run_id, record in self._records.items()
            if tenant in (None, record.tenant) and conversation in (None, record.conversation)
        ]
        newest_last = sorted(found, key=lambda head: head.created_at)
        return tuple(newest_last[::-1][: max(limit, 0)])

    async def head(self, run_id: str) -> RunHead:
        """Give one line about a run."""
        return self._head(run_id, self._record(run_id), self._clock.now())

    async def runs_after(self, place: int, *, limit: int) -> tuple[tuple[int, str], ...]:
        """Give the next runs after a place, oldest first."""
        self._require_open()
        begun = list(enumerate(self._records, start=1))
        return tuple(begun[place : place + limit])

    async def aclose(self) -> None:
        """Forget everything."""
        self._closed = True
        self._records.clear()

    def _head(self, run_id: str, record: _Record, now: datetime) -> RunHead:
        last = record.written[-1].link
        return RunHead(
            run_id=run_id,
            tenant=record.tenant,
            conversation=record.conversation,
            created_at=record.created_at,
            updated_at=last.at,
            last_seq=last.seq,
            last_kind=last.kind,
            head=last.hash,
            epoch=record.holding.epoch,
            owned=leasing.is_live(record.holding, now=now, is_dead=self._is_dead),
        )

    def _record(self, run_id: str) -> _Record:
        self._require_open()
        if run_id not in self._records:
            raise RunNotFound(
                f"This journal holds no run {run_id}.", remedy="List its runs with `planwarden runs`."
            )
        return self._records[run_id]

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The journal is closed.", remedy="Open it again before using it.")


def _held(lease: Lease) -> Holding:
    return Holding(epoch=lease.epoch, owner=lease.owner, expires_at=lease.expires_at)


def _write(run_id: str, record: _Record, ready: Sequence[Draft], now: datetime) -> tuple[RunEvent, ...]:
    last = record.written[-1].link if record.written else None
    tail = Tail(run_id=run_id, seq=last.seq if last else 0, head=last.hash if last else GENESIS)
    placed = entries(tail, ready, at=now, epoch=record.holding.epoch)
    record.written.extend(placed)
    return tuple(entry.event for entry in placed)
