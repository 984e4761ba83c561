"""The rows of runs, and every statement that writes. Each function works in its caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, ValidationError

from planwarden.contracts.event import GENESIS, RunEvent
from planwarden.contracts.facts import ERASED
from planwarden.contracts.value import Contract
from planwarden.errors import RunNotFound, StoreCorrupt
from planwarden.journal.chain import Payload, instant, instant_text
from planwarden.journal.entry import Draft, Tail, entries, read_fact
from planwarden.journal.erasure import run_erased
from planwarden.journal.leasing import Holding
from planwarden.journal.port import Lease, Owner

Instant = Annotated[AwareDatetime, BeforeValidator(instant)]
"""A moment, stored as text in exactly one way, so that no byte of it can change unseen."""


class RunRow(Contract):
    """A run's own row: its tail, and who holds its lease."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    run_id: str
    tenant: str
    conversation: str | None
    created_at: Instant
    updated_at: Instant
    last_seq: int
    last_kind: str
    head: str
    epoch: int
    expires_at: Instant
    owner_id: str | None
    owner_host: str | None
    owner_pid: int | None

    @property
    def holding(self) -> Holding:
        """Who holds the lease."""
        owner = None
        if self.owner_id is not None and self.owner_host is not None and self.owner_pid is not None:
            owner = Owner(id=self.owner_id, host=self.owner_host, pid=self.owner_pid)
        return Holding(epoch=self.epoch, owner=owner, expires_at=self.expires_at)


_COLUMNS = tuple(RunRow.model_fields)
_SELECT_RUN = f"SELECT {', '.join(_COLUMNS)} FROM runs"  # noqa: S608 - our own column names


def insert_run(
    connection: sqlite3.Connection, lease: Lease, tenant: str, conversation: str | None, *, at: datetime
) -> RunRow:
    """Write the row of a new run that has no events yet."""
    connection.execute(
        "INSERT INTO runs"
        " (run_id, tenant, conversation, created_at, updated_at,"
        " last_seq, last_kind, head, epoch, expires_at)"
        " VALUES (?, ?, ?, ?, ?, 0, '', ?, ?, ?)",
        (
            lease.run_id,
            tenant,
            conversation,
            instant_text(at),
            instant_text(at),
            GENESIS,
            lease.epoch,
            instant_text(lease.expires_at),
        ),
    )
    hold(connection, lease)
    return run_row(connection, lease.run_id)


def find_run(connection: sqlite3.Connection, run_id: str) -> RunRow | None:
    """Read a run's row, if there is one.

    Raises:
        StoreCorrupt: the row is not one that we wrote.
    """
    row = connection.execute(f"{_SELECT_RUN} WHERE run_id = ?", (run_id,)).fetchone()
    return None if row is None else _parsed(row)


def run_row(connection: sqlite3.Connection, run_id: str) -> RunRow:
    """Read a run's row.

    Raises:
        RunNotFound: no such run.
        StoreCorrupt: the row is damaged, or is missing although the run has events.
    """
    found = find_run(connection, run_id)
    if found is not None:
        return found
    if connection.execute("SELECT 1 FROM events WHERE run_id = ?", (run_id,)).fetchone():
        raise StoreCorrupt(
            f"Run {run_id} has events, but its own row is gone from the journal.",
            remedy=f"See what else is wrong with `planwarden dossier verify {run_id}`.",
        )
    raise RunNotFound(f"This journal holds no run {run_id}.", remedy="List its runs with `planwarden runs`.")


def unerased_row(connection: sqlite3.Connection, run_id: str) -> RunRow:
    """Read the row of a run whose payloads were not erased.

    Raises:
        RunNotFound, StoreCorrupt: see `run_row`.
        RunErased: they were.
    """
    run = run_row(connection, run_id)
    if run.last_kind == ERASED:
        raise run_erased(run_id, run.updated_at)
    return run


def newest_runs(
    connection: sqlite3.Connection, wanted: Mapping[str, str | None], limit: int
) -> tuple[RunRow, ...]:
    """Read the rows of the newest runs whose columns have the wanted values; None wants any.

    Raises:
        StoreCorrupt: a row is not one that we wrote.
    """
    given = {column: value for column, value in wanted.items() if value is not None}
    where = " AND ".join(f"{column} = ?" for column in given) or "TRUE"
    rows = connection.execute(
        f"{_SELECT_RUN} WHERE {where} ORDER BY created_at DESC, number DESC LIMIT ?",
        (*given.values(), limit),
    )
    return tuple(_parsed(row) for row in rows)


def next_runs(connection: sqlite3.Connection, place: int, limit: int) -> tuple[tuple[int, str], ...]:
    """Read place and id of the runs that were begun after a place."""
    found = connection.execute(
        "SELECT number, run_id FROM runs WHERE number > ? ORDER BY number LIMIT ?", (place, limit)
    )
    return tuple((number, str(run_id)) for number, run_id in found)


def hold(connection: sqlite3.Connection, lease: Lease) -> None:
    """Write who holds a run's lease."""
    connection.execute(
        "UPDATE runs SET epoch = ?, expires_at = ?, owner_id = ?, owner_host = ?, owner_pid = ?"
        " WHERE run_id = ?",
        (
            lease.epoch,
            instant_text(lease.expires_at),
            lease.owner.id,
            lease.owner.host,
            lease.owner.pid,
            lease.run_id,
        ),
    )


def let_go(connection: sqlite3.Connection, run_id: str) -> None:
    """Write that nobody holds a run's lease."""
    connection.execute(
        "UPDATE runs SET owner_id = NULL, owner_host = NULL, owner_pid = NULL WHERE run_id = ?", (run_id,)
    )


def add_events(
    connection: sqlite3.Connection, run: RunRow, ready: Sequence[Draft], *, at: datetime
) -> tuple[RunEvent, ...]:
    """Write drafts as the next events of a run."""
    if not ready:
        return ()
    tail = Tail(run_id=run.run_id, seq=run.last_seq, head=run.head)
    placed = entries(tail, ready, at=at, epoch=run.epoch)
    links = [entry.link for entry in placed]
    connection.executemany(
        "INSERT INTO events (run_id, seq, at, epoch, kind, payload_digest, previous, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                ln.run_id,
                ln.seq,
                instant_text(ln.at),
                ln.epoch,
                ln.kind,
                ln.payload_digest,
                ln.previous,
                ln.hash,
            )
            for ln in links
        ],
    )
    connection.executemany(
        "INSERT INTO payloads (run_id, seq, nonce, body) VALUES (?, ?, ?, ?)",
        [(run.run_id, entry.link.seq, entry.payload.nonce, entry.payload.body) for entry in placed],
    )
    last = links[-1]
    connection.execute(
        "UPDATE runs SET updated_at = ?, last_seq = ?, last_kind = ?, head = ? WHERE run_id = ?",
        (instant_text(at), last.seq, last.kind, last.hash, run.run_id),
    )
    return tuple(entry.event for entry in placed)


def put_in_inbox(connection: sqlite3.Connection, run_id: str, draft: Draft, *, at: datetime) -> None:
    """Leave a draft for whoever owns the run."""
    connection.execute(
        "INSERT INTO inbox (run_id, at, nonce, body) VALUES (?, ?, ?, ?)",
        (run_id, instant_text(at), draft.payload.nonce, draft.payload.body),
    )


def take_inbox(connection: sqlite3.Connection, run_id: str) -> tuple[Draft, ...]:
    """Empty a run's inbox; gives what was in it, in order.

    Raises:
        StoreCorrupt: something in it is not a fact.
    """
    rows = connection.execute(
        "SELECT nonce, body FROM inbox WHERE run_id = ? ORDER BY id", (run_id,)
    ).fetchall()
    connection.execute("DELETE FROM inbox WHERE run_id = ?", (run_id,))
    try:
        return tuple(
            Draft(fact=read_fact(body), payload=Payload(nonce=nonce, body=body)) for nonce, body in rows
        )
    except ValueError as error:
        raise StoreCorrupt(
            f"What was posted to run {run_id} cannot be read back.",
            remedy="Restore the journal from a copy, or delete the rows of this run from its table `inbox`.",
        ) from error


def drop_inbox(connection: sqlite3.Connection, run_id: str) -> None:
    """Delete what was posted to a run, unread."""
    connection.execute("DELETE FROM inbox WHERE run_id = ?", (run_id,))


def erase_payloads(connection: sqlite3.Connection, run_id: str) -> int:
    """Take nonce and body from all payloads of a run, and mark them; gives how many had one."""
    return connection.execute(
        "UPDATE payloads SET nonce = NULL, body = NULL, erased = 1 WHERE run_id = ? AND erased = 0", (run_id,)
    ).rowcount


def forget_conversation(connection: sqlite3.Connection, run_id: str) -> None:
    """Take the name of the conversation from a run's row: whoever chose it may have put a person's there."""
    connection.execute("UPDATE runs SET conversation = NULL WHERE run_id = ?", (run_id,))


def _parsed(row: Sequence[object]) -> RunRow:
    try:
        return RunRow.model_validate(dict(zip(_COLUMNS, row, strict=True)))
    except ValidationError as error:
        raise StoreCorrupt(
            f"The row of run {row[0]!r} in the journal is damaged: {error.errors()[0]['msg']}.",
            remedy=f"See what else is wrong with `planwarden dossier verify {row[0]}`.",
        ) from error
