"""The journal port over one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.event import ChainFault, EventLink, RunEvent
from planwarden.contracts.facts import Fact
from planwarden.errors import LeaseHeld, StoreUnavailable
from planwarden.journal import leasing
from planwarden.journal.backlog import Backlog
from planwarden.journal.entry import conversation_of, drafts
from planwarden.journal.leasing import IsDead
from planwarden.journal.port import Lease, Owner, RunHead
from planwarden.journal.sqlite import rows
from planwarden.journal.sqlite.backlog import backlog
from planwarden.journal.sqlite.erasure import SqliteErasure
from planwarden.journal.sqlite.examination import WriterFacts, damage, writer_facts
from planwarden.journal.sqlite.file import open_for_reading, open_for_writing
from planwarden.journal.sqlite.index import SqliteIndex
from planwarden.journal.sqlite.record import read_events, read_links, stored_faults
from planwarden.journal.sqlite.snapshots import SqliteSnapshots
from planwarden.journal.sqlite.thread import ConnectionThread

_COMMIT_TOGETHER = 256
"""Operations that may share one transaction and one flush."""


class SqliteJournal:
    """Runs in one SQLite file, for any number of processes on one machine. Made by `open`."""

    def __init__(
        self, path: Path, clock: Clock, ids: Ids, *, is_dead: IsDead, lease_s: float, read_only: bool
    ) -> None:
        self._path = path
        self._clock = clock
        self._ids = ids
        self._is_dead = is_dead
        self._lease_s = lease_s
        self._reader = ConnectionThread(path, open_for_reading, transaction="DEFERRED", batch=1)
        self._writer = None
        if not read_only:
            self._writer = ConnectionThread(
                path, open_for_writing, transaction="IMMEDIATE", batch=_COMMIT_TOGETHER
            )
        self.index = SqliteIndex(reader=self._reader, writing=self._writing)
        """Summaries of all runs, to search and to count by."""
        self.snapshots = SqliteSnapshots(reader=self._reader, writing=self._writing)
        """Catalogs and policies as they were when a run began."""
        self.erasure = SqliteErasure(
            path=path, clock=clock, ids=ids, is_dead=is_dead, reader=self._reader, writing=self._writing
        )
        """Chooses runs, and erases what their events say."""

    @classmethod
    async def open(
        cls,
        path: Path,
        clock: Clock,
        ids: Ids,
        *,
        is_dead: IsDead,
        lease_s: float = 15.0,
        read_only: bool = False,
    ) -> SqliteJournal:
        """Open the journal at `path`, making it where there is none.

        `lease_s` is how long a lease lasts, in seconds. With `read_only` nothing is ever written, and a disk
        that is read-only will do.

        Raises:
            StoreUnavailable: it cannot be made, opened or written.
            StoreVersionMismatch: another program or another Planwarden made it.
            StoreCorrupt: it is damaged.
        """
        journal = cls(path, clock, ids, is_dead=is_dead, lease_s=lease_s, read_only=read_only)
        try:
            await journal._start()
        except BaseException:
            await journal.aclose()
            raise
        return journal

    async def create(
        self, run_id: str, tenant: str, owner: Owner, facts: Sequence[Fact]
    ) -> tuple[Lease, tuple[RunEvent, ...]]:
        """Begin a run: its first facts and its lease in one transaction."""
        ready = drafts(facts, self._ids)
        if not ready:
            raise ValueError("a run begins with at least one fact")
        now = self._clock.now()
        lease = leasing.first_lease(run_id, owner, now=now, lease_s=self._lease_s)

        def write(connection: sqlite3.Connection) -> tuple[RunEvent, ...]:
            if rows.find_run(connection, run_id) is not None:
                raise LeaseHeld(f"Run {run_id} exists already.", remedy="Give the new run an id of its own.")
            run = rows.insert_run(connection, lease, tenant, conversation_of(ready), at=now)
            return rows.add_events(connection, run, ready, at=now)

        return lease, await self._writing().do(write)

    async def acquire(self, run_id: str, owner: Owner) -> Lease:
        """Take the lease of a run that nobody living holds."""
        now = self._clock.now()

        def write(connection: sqlite3.Connection) -> Lease:
            lease = leasing.next_lease(
                run_id,
                rows.unerased_row(connection, run_id).holding,
                owner,
                now=now,
                lease_s=self._lease_s,
                is_dead=self._is_dead,
            )
            rows.hold(connection, lease)
            return lease

        return await self._writing().do(write)

    async def renew(self, lease: Lease) -> Lease:
        """Extend a lease."""
        now = self._clock.now()

        def write(connection: sqlite3.Connection) -> Lease:
            holding = rows.run_row(connection, lease.run_id).holding
            extended = leasing.renewed(holding, lease, now=now, lease_s=self._lease_s)
            rows.hold(connection, extended)
            return extended

        return await self._writing().do(write)

    async def check(self, lease: Lease) -> None:
        """Make sure that the lease is still ours and not expired, as of the moment this returns."""
        run = await self._reader.do(lambda connection: rows.run_row(connection, lease.run_id))
        leasing.require_current(run.holding, lease, now=self._clock.now())

    async def release(self, lease: Lease) -> None:
        """Give a lease back."""

        def write(connection: sqlite3.Connection) -> None:
            if leasing.is_ours(rows.run_row(connection, lease.run_id).holding, lease):
                rows.let_go(connection, lease.run_id)

        await self._writing().do(write)

    async def append(self, lease: Lease, facts: Sequence[Fact]) -> tuple[RunEvent, ...]:
        """Write facts in one transaction; on disk when this returns."""
        ready = drafts(facts, self._ids)
        now = self._clock.now()

        def write(connection: sqlite3.Connection) -> tuple[RunEvent, ...]:
            run = rows.run_row(connection, lease.run_id)
            leasing.require_ours(run.holding, lease)
            return rows.add_events(connection, run, ready, at=now)

        return await self._writing().do(write)

    async def post(self, run_id: str, fact: Fact) -> None:
        """Leave a fact for whoever owns the run."""
        (draft,) = drafts((fact,), self._ids)
        now = self._clock.now()

        def write(connection: sqlite3.Connection) -> None:
            rows.unerased_row(connection, run_id)
            rows.put_in_inbox(connection, run_id, draft, at=now)

        await self._writing().do(write)

    async def absorb(self, lease: Lease) -> tuple[RunEvent, ...]:
        """Append everything that was posted, in order, and empty the inbox, in one transaction."""
        now = self._clock.now()

        def write(connection: sqlite3.Connection) -> tuple[RunEvent, ...]:
            run = rows.run_row(connection, lease.run_id)
            leasing.require_ours(run.holding, lease)
            return rows.add_events(connection, run, rows.take_inbox(connection, lease.run_id), at=now)

        return await self._writing().do(write)

    async def read(self, run_id: str) -> tuple[RunEvent, ...]:
        """Give all events of a run, in order."""
        return await self._reader.do(lambda connection: read_events(connection, run_id))

    async def links(self, run_id: str) -> tuple[EventLink, ...]:
        """Give the chain of a run."""
        return await self._reader.do(lambda connection: read_links(connection, run_id))

    async def verify(self, run_id: str) -> tuple[ChainFault, ...]:
        """Recompute the chain from the stored bytes, and compare its end with the head that is kept apart."""
        return await self._reader.do(lambda connection: stored_faults(connection, run_id))

    async def heads(
        self, *, tenant: str | None = None, conversation: str | None = None, limit: int = 100
    ) -> tuple[RunHead, ...]:
        """Give the newest runs first."""
        wanted = {"tenant": tenant, "conversation": conversation}
        found = await self._reader.do(lambda connection: rows.newest_runs(connection, wanted, max(limit, 0)))
        return tuple(self._head(run) for run in found)

    async def head(self, run_id: str) -> RunHead:
        """Give one line about a run."""
        return self._head(await self._reader.do(lambda connection: rows.run_row(connection, run_id)))

    async def runs_after(self, place: int, *, limit: int) -> tuple[tuple[int, str], ...]:
        """Give the next runs after a place, oldest first."""
        return await self._reader.do(lambda connection: rows.next_runs(connection, place, limit))

    async def backlog(self) -> Backlog:
        """Count what nobody works on, of what the index knows."""
        now = self._clock.now()
        return await self._reader.do(lambda connection: backlog(connection, now=now, is_dead=self._is_dead))

    async def examine(self) -> WriterFacts:
        """Say how what is written is written; writes a table and takes it back."""
        return await self._writing().do(writer_facts)

    async def damage(self) -> str | None:
        """Have SQLite look through the whole file; None when it is sound."""
        return await self._reader.do(damage)

    async def aclose(self) -> None:
        """Finish what waits to be written and close; the writer is last, so that it can tidy the log away."""
        await self._reader.aclose()
        if self._writer is not None:
            await self._writer.aclose()

    def _head(self, run: rows.RunRow) -> RunHead:
        return RunHead(
            run_id=run.run_id,
            tenant=run.tenant,
            conversation=run.conversation,
            created_at=run.created_at,
            updated_at=run.updated_at,
            last_seq=run.last_seq,
            last_kind=run.last_kind,
            head=run.head,
            epoch=run.epoch,
            owned=leasing.is_live(run.holding, now=self._clock.now(), is_dead=self._is_dead),
        )

    async def _start(self) -> None:
        if self._writer is not None:
            await self._writer.start()
        await self._reader.start()

    def _writing(self) -> ConnectionThread:
        if self._writer is None:
            raise StoreUnavailable(
                f"The journal {self._path} was opened for reading only.", remedy="Open it for writing."
            )
        return self._writer
