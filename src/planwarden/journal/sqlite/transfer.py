"""Whole runs out of the journal's file and into it, as they are stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from planwarden.errors import StoreCorrupt
from planwarden.journal.chain import instant_text
from planwarden.journal.index import Unreadable
from planwarden.journal.snapshot import Snapshot, require_own_digest
from planwarden.journal.sqlite.index import put_summary
from planwarden.journal.sqlite.record import read_links, read_payloads, stored_faults
from planwarden.journal.sqlite.rows import find_run, own_row, run_row
from planwarden.journal.sqlite.thread import ConnectionThread
from planwarden.journal.stored import StoredRun

Put = Literal["new", "there", "another"]
"""`there`: with the same chain, nothing was written; `another`: with another chain, nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChoice:
    """Which runs are wanted, by what their rows say; None sets no condition."""

    tenant: str | None = None
    since: datetime | None = None
    """Begun at this moment or later."""
    until: datetime | None = None
    """Begun before this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteTransfer:
    """Takes runs out and puts runs in; made by the journal whose file it is."""

    reader: ConnectionThread
    writing: Callable[[], ConnectionThread]

    async def ids_after(self, run_id: str, choice: RunChoice, *, limit: int) -> tuple[str, ...]:
        """Give ids of runs after an id, in the order of ids."""
        return await self.reader.do(lambda connection: _ids_after(connection, run_id, choice, limit))

    async def require_own(self, run_id: str) -> None:
        """Make sure that a run was begun here, whatever became of it.

        Raises:
            RunNotFound: no such run.
            RunImported: it was imported.
        """
        await self.reader.do(lambda connection: own_row(connection, run_id))

    async def imported(self, run_ids: Sequence[str] | None = None) -> frozenset[str]:
        """Give the runs that were imported, of all or of these."""
        return await self.reader.do(lambda connection: _imported(connection, run_ids))

    async def take(self, run_id: str) -> StoredRun:
        """Read a run as it is stored.

        Raises:
            RunNotFound: no such run.
            StoreCorrupt: it is not what was written.
        """
        return await self.reader.do(lambda connection: _take(connection, run_id))

    async def put(self, run: StoredRun, snapshots: Sequence[Snapshot], *, origin: str) -> Put:
        """Write a run with what is kept beside it, in one transaction; it can only be read here.

        `origin` is the fingerprint of the key that signed it.

        Raises:
            ValueError: a snapshot's digest is not that of its body.
        """
        for each in snapshots:
            require_own_digest(each)
        return await self.writing().do(lambda connection: _put(connection, run, snapshots, origin))


def _ids_after(connection: sqlite3.Connection, run_id: str, choice: RunChoice, limit: int) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT run_id FROM runs WHERE run_id > ? AND (?2 IS NULL OR tenant = ?2)"
        " AND (?3 IS NULL OR created_at >= ?3) AND (?4 IS NULL OR created_at < ?4) ORDER BY run_id LIMIT ?5",
        (
            run_id,
            choice.tenant,
            instant_text(choice.since) if choice.since else None,
            instant_text(choice.until) if choice.until else None,
            limit,
        ),
    )
    return tuple(str(row[0]) for row in rows)


def _imported(connection: sqlite3.Connection, run_ids: Sequence[str] | None) -> frozenset[str]:
    statement, values = "SELECT run_id FROM runs WHERE origin IS NOT NULL", tuple(run_ids or ())
    if run_ids is not None:
        statement += f" AND run_id IN ({', '.join('?' * len(values))})"
    return frozenset(str(row[0]) for row in connection.execute(statement, values))


def _take(connection: sqlite3.Connection, run_id: str) -> StoredRun:
    run = run_row(connection, run_id)
    faults = stored_faults(connection, run_id)
    if faults:
        raise StoreCorrupt(
            f"Run {run_id} is not what was written: {faults[0].problem}.",
            remedy=f"See all that is wrong with `planwarden dossier verify {run_id}`; leave that run out.",
        )
    return StoredRun(
        run_id=run_id,
        tenant=run.tenant,
        conversation=run.conversation,
        links=read_links(connection, run_id),
        payloads=read_payloads(connection, run_id),
    )


def _put(connection: sqlite3.Connection, run: StoredRun, snapshots: Sequence[Snapshot], origin: str) -> Put:
    if find_run(connection, run.run_id) is not None:
        return "there" if read_links(connection, run.run_id) == tuple(run.links) else "another"
    connection.executemany(
        "INSERT OR IGNORE INTO snapshots (digest, kind, body) VALUES (?, ?, ?)",
        [(each.digest, each.kind, each.body) for each in snapshots],
    )
    first, last = run.links[0], run.links[-1]
    number = connection.execute(
        "INSERT INTO runs (run_id, tenant, conversation, created_at, updated_at, last_seq, last_kind, head,"
        " epoch, expires_at, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.run_id,
            run.tenant,
            run.conversation,
            instant_text(first.at),
            instant_text(last.at),
            last.seq,
            last.kind,
            last.hash,
            last.epoch,
            instant_text(last.at),
            origin,
        ),
    ).lastrowid
    if number is not None and not run.is_whole:  # nothing can be summed up any more
        nothing = Unreadable(run_id=run.run_id, seq=last.seq)
        put_summary(connection, nothing, number=number, created_at=instant_text(first.at))
    connection.executemany(
        "INSERT INTO events (run_id, seq, at, epoch, kind, payload_digest, previous, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                link.run_id,
                link.seq,
                instant_text(link.at),
                link.epoch,
                link.kind,
                link.payload_digest,
                link.previous,
                link.hash,
            )
            for link in run.links
        ],
    )
    connection.executemany(
        "INSERT INTO payloads (run_id, seq, nonce, body, erased) VALUES (?, ?, ?, ?, ?)",
        [
            (run.run_id, seq, payload.nonce, payload.body, int(payload.erased))
            for seq, payload in run.payloads.items()
        ],
    )
    return "new"
