"""Putting an unpacked journal in the place of another: what would be lost, who is at work. Blocks."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from planwarden.contracts.facts import ERASED
from planwarden.errors import LeaseHeld
from planwarden.journal.chain import instant
from planwarden.journal.leasing import Holding, IsDead, is_live
from planwarden.journal.port import Owner
from planwarden.journal.sqlite.file import connect
from planwarden.journal.sqlite.refusal import SQLITE_ERRORS, refusal

_NAMED = 5

_CURRENT = """
    SELECT now.run_id, now.last_seq, now.head, now.last_kind, old.last_seq, old.head,
           (SELECT hash FROM main.events WHERE run_id = now.run_id AND seq = old.last_seq)
    FROM main.runs AS now LEFT JOIN old.runs AS old USING (run_id) ORDER BY now.number
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How the journal that is there stands beside the one that is to take its place."""

    missing: int
    """Runs that the backup does not have."""
    longer: int
    """Runs that went on since."""
    other: int
    """Runs whose events are not the same."""
    named: tuple[str, ...]
    """The first of them all."""
    erased: tuple[str, ...]
    """Runs that were erased since, and whose payloads the backup has."""

    @property
    def lost(self) -> int:
        """How many runs would lose something."""
        return self.missing + self.longer + self.other


@contextmanager
def alone_with(path: Path) -> Generator[sqlite3.Connection]:
    """Hold a journal so that no other process has it open, and without a log beside it.

    Raises:
        LeaseHeld: another process has it open.
        StoreError: it cannot be used.
    """
    connection = connect(path, "mode=rw")
    try:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise in_use(path) from error
        if mode != "delete":
            raise in_use(path)
        yield connection
    except SQLITE_ERRORS as error:
        raise refusal(error, path) from error
    finally:
        connection.close()


def in_use(path: Path) -> LeaseHeld:
    """Say that another process is at work on a journal."""
    return LeaseHeld(
        f"Another process has the journal {path} open.",
        remedy="End every other Planwarden that works with this PLANWARDEN_HOME, then try again.",
    )


def runs_at_work(connection: sqlite3.Connection, *, now: datetime, is_dead: IsDead) -> tuple[str, ...]:
    """Give the runs on which somebody who may be alive holds a lease."""
    held = connection.execute(
        "SELECT run_id, epoch, owner_id, owner_host, owner_pid, expires_at FROM main.runs"
        " WHERE owner_id NOT NULL AND owner_host NOT NULL AND owner_pid NOT NULL"
    )
    found: list[str] = []
    for run_id, epoch, owner_id, host, pid, expires in held:
        owner = Owner(id=owner_id, host=host, pid=pid)
        try:
            holding = Holding(epoch=epoch, owner=owner, expires_at=instant(expires))
        except ValueError:
            continue  # a damaged row: nobody can renew or use such a lease
        if is_live(holding, now=now, is_dead=is_dead):
            found.append(str(run_id))
    return tuple(found)


def compare(connection: sqlite3.Connection, restored: Path) -> Compared:
    """Say what of the journal that is open the other one does not have; runs added there do not matter."""
    connection.execute("COMMIT")  # nothing can be attached inside a transaction; the lock stays
    connection.execute("ATTACH ? AS old", (f"{restored.absolute().as_uri()}?mode=ro",))
    try:
        counts = {"missing": 0, "longer": 0, "other": 0}
        named: list[str] = []
        erased: list[str] = []
        for run_id, seq, head, kind, old_seq, old_head, same_place in connection.execute(_CURRENT):
            if old_seq is None:
                what = "missing"
            elif (seq, head) == (old_seq, old_head):
                continue
            elif kind == ERASED:  # whatever else it did since: what the backup has of it goes too
                erased.append(str(run_id))
                if same_place == old_head:
                    continue
                what = "other"
            else:
                what = "longer" if same_place == old_head else "other"
                if old_seq > seq and _goes_on(connection, run_id, seq, head):
                    continue
            counts[what] += 1
            named += [str(run_id)] if len(named) < _NAMED else []
    finally:
        connection.execute("DETACH old")
    return Compared(**counts, named=tuple(named), erased=tuple(erased))


def _goes_on(connection: sqlite3.Connection, run_id: str, seq: int, head: str) -> bool:
    """Tell whether the other journal has all that this one has of a run, and more."""
    row = connection.execute("SELECT hash FROM old.events WHERE run_id = ? AND seq = ?", (run_id, seq))
    return row.fetchone() == (head,)


def carry_erasures(current: sqlite3.Connection, restored: Path, run_ids: tuple[str, ...]) -> None:
    """Erase in the other journal, which nobody works on, what was erased in the open one: by the same events.

    Whatever the other one has of such a run gives way to what is left of it here.
    Both have the same schema version. Then the other file is written anew.
    """
    with _attached(current, restored):
        current.execute("BEGIN IMMEDIATE")
        for run_id in run_ids:
            for statement in _CARRY:
                current.execute(statement, {"run_id": run_id})
        current.execute("COMMIT")
        current.execute("VACUUM old")


_CARRY = (
    "DELETE FROM old.inbox WHERE run_id = :run_id",
    "DELETE FROM old.payloads WHERE run_id = :run_id",
    "DELETE FROM old.events WHERE run_id = :run_id",
    "INSERT INTO old.events SELECT new.* FROM main.events AS new WHERE run_id = :run_id",
    "INSERT INTO old.payloads SELECT new.* FROM main.payloads AS new WHERE run_id = :run_id",
    """UPDATE old.runs SET (tenant, created_at, updated_at, last_seq, last_kind, head, epoch, expires_at,
           owner_id, owner_host, owner_pid, conversation, summarised_seq, origin) =
         (SELECT tenant, created_at, updated_at, last_seq, last_kind, head, epoch, expires_at,
           NULL, NULL, NULL, NULL, last_seq, origin FROM main.runs
          WHERE run_id = :run_id) WHERE run_id = :run_id""",
    "DELETE FROM old.facets WHERE number = (SELECT number FROM old.runs WHERE run_id = :run_id)",
    """INSERT OR REPLACE INTO old.summaries (number, seq, created_at, body)
         SELECT old.runs.number, summaries.seq, summaries.created_at, summaries.body
         FROM main.summaries JOIN main.runs USING (number)
         JOIN old.runs ON old.runs.run_id = main.runs.run_id WHERE main.runs.run_id = :run_id""",
    """INSERT OR IGNORE INTO old.facets (kind, value, created_at, number)
         SELECT facets.kind, facets.value, facets.created_at, old.runs.number
         FROM main.facets JOIN main.runs USING (number)
         JOIN old.runs ON old.runs.run_id = main.runs.run_id WHERE main.runs.run_id = :run_id""",
)
"""What makes a run in `old` the erased run that it is in `main`."""


@contextmanager
def _attached(connection: sqlite3.Connection, restored: Path) -> Generator[None]:
    connection.execute("ATTACH ? AS old", (f"{restored.absolute().as_uri()}?mode=rw",))
    try:
        connection.execute("PRAGMA old.secure_delete = ON")
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("DETACH old")


def put_in_place(new: Path, path: Path, aside: Path) -> None:
    """Put a file where another one is, which stays under the name `aside`; at no moment is there none.

    Raises:
        OSError: it cannot be done; then everything is as it was.
    """
    if path.exists():
        for left in path.parent.glob(f"{path.name}.*"):
            if left.samefile(path):
                left.unlink()  # a second name, given by a process that was killed right here
        os.link(path, aside)
    try:
        new.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def move_log_aside(path: Path, aside: Path) -> None:
    """Put the log of a file that cannot be read beside what is kept of it: no other must take it up."""
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))


def flush_folder(folder: Path) -> None:
    """Have the disk keep what was just renamed in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
