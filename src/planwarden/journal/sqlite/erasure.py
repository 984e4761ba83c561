"""Choosing runs in the journal's file, and erasing what their events say."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.event import ChainFault, EventLink
from planwarden.contracts.facts import ERASED, PayloadsErased, RunEnded
from planwarden.contracts.summary import RunSummary
from planwarden.contracts.value import digest_bytes
from planwarden.errors import LeaseHeld, RunNotOver, StoreCorrupt
from planwarden.journal import leasing
from planwarden.journal.chain import instant_text
from planwarden.journal.entry import drafts
from planwarden.journal.erasure import Chosen, Selection, run_erased, summary_left
from planwarden.journal.index import Unreadable
from planwarden.journal.leasing import IsDead
from planwarden.journal.sqlite import rows
from planwarden.journal.sqlite.index import put_summary, summary_bytes
from planwarden.journal.sqlite.record import read_last_words, stored_faults
from planwarden.journal.sqlite.thread import ConnectionThread
from planwarden.journal.sqlite.wiping import mark_for_wiping, wipe

_TOOL_NAMES = """
    WITH catalog AS (
      SELECT CAST(body AS TEXT) AS body FROM snapshots WHERE digest = ? AND json_valid(CAST(body AS TEXT))
    )
    SELECT json_extract(tool.value, '$.name') FROM catalog, json_each(catalog.body, '$.tools') AS tool
    UNION ALL SELECT alias.key FROM catalog, json_each(catalog.body, '$.aliases') AS alias
"""
_OVER = RunEnded.model_fields["kind"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteErasure:
    """Erases payloads, each run in one transaction; made by the journal whose file it is in."""

    path: Path
    clock: Clock
    ids: Ids
    is_dead: IsDead
    reader: ConnectionThread
    writing: Callable[[], ConnectionThread]

    async def choose(
        self, selection: Selection, *, place: int, limit: int
    ) -> tuple[int | None, tuple[Chosen, ...]]:
        """Look at the next runs after a place, oldest first; give where to go on, and those that are meant.

        None in place of a place: there are no more. A run whose own row is damaged counts as not over.
        """
        now = self.clock.now()
        where, values = _conditions(selection)

        def read(connection: sqlite3.Connection) -> tuple[int | None, tuple[Chosen, ...]]:
            found = connection.execute(
                "SELECT number, run_id FROM runs WHERE number > ?"  # noqa: S608 - our own words only
                f"{where} ORDER BY number LIMIT ?",
                (place, *values, limit),
            ).fetchall()
            meant = [run_id for _, run_id in found if _asked_by(connection, run_id, selection.principal)]
            chosen = tuple(self._chosen(connection, str(run_id), now) for run_id in meant)
            if selection.sound:
                chosen = tuple(_looked_at(connection, run, selection) for run in chosen)
            return (int(found[-1][0]) if found else None), chosen

        return await self.reader.do(read)

    async def told_in(self, run: Chosen) -> tuple[str, ...]:
        """Give later runs of the same conversation, which quote what was said in this one."""
        if run.conversation is None:
            return ()
        later = (
            "SELECT run_id FROM runs WHERE conversation = ? AND tenant = ?"
            " AND number > (SELECT number FROM runs WHERE run_id = ?) ORDER BY number"
        )
        values = (run.conversation, run.tenant, run.run_id)
        return await self.reader.do(
            lambda connection: tuple(str(row[0]) for row in connection.execute(later, values))
        )

    async def erase(self, run_id: str, *, by: str, reason: str, sound: bool = False) -> PayloadsErased:
        """Erase all payloads of a run that is over, and put that on record; gives what was put there.

        Its kept summary stays, if it covered the last event. In one transaction, which also says whether
        the record was what had been written: afterwards nobody can tell any more.

        Raises:
            RunNotFound: no such run.
            RunNotOver: it did not end.
            RunErased: they are erased already.
            LeaseHeld: a live process holds it, or it went on since it was summarised.
            StoreCorrupt: its record is not what was written, where only a `sound` run is meant.
        """
        now = self.clock.now()

        def write(connection: sqlite3.Connection) -> PayloadsErased:
            run = rows.run_row(connection, run_id)
            self._require_erasable(connection, run, now)
            number, kept = _place(connection, run), _kept_summary(connection, run_id)
            faults = stored_faults(connection, run_id)
            if sound and faults:
                raise _not_sound(faults[0])
            mark_for_wiping(self.path)
            rows.drop_inbox(connection, run_id)
            count = rows.erase_payloads(connection, run_id)
            seq = run.last_seq + 1
            left: RunSummary | Unreadable = Unreadable(run_id=run_id, seq=seq)
            if kept is not None:
                left = summary_left(kept, seq=seq, tools=_catalog_tools(connection, kept.catalog_digest))
            fact = PayloadsErased(
                by=by,
                reason=reason,
                payloads=count,
                verified=not faults,
                summary_digest=digest_bytes(summary_bytes(left)) if isinstance(left, RunSummary) else None,
            )
            (draft,) = drafts([fact], self.ids)
            rows.add_events(connection, run, [draft], at=now)
            rows.forget_conversation(connection, run_id)
            put_summary(connection, left, number=number, created_at=instant_text(run.created_at))
            return fact

        return await self.writing().do(write)

    async def last_words(self, run_id: str) -> tuple[tuple[EventLink, ...], PayloadsErased]:
        """Give the chain of an erased run, and the fact that says so.

        Raises:
            RunNotFound: no such run.
            InputError: it was not erased.
            StoreCorrupt: its record cannot be read back.
        """
        return await self.reader.do(lambda connection: read_last_words(connection, run_id))

    async def kept_summary(self, run_id: str) -> RunSummary | None:
        """Give what is kept of a run in names and numbers; None where nothing is."""
        return await self.reader.do(lambda connection: _kept_summary(connection, run_id))

    async def summary_faults(self, run_id: str) -> tuple[ChainFault, ...]:
        """Hold what is kept of an erased run, and its tenant, against the event that says what was left.

        Raises:
            RunNotFound: no such run.
            InputError: it was not erased.
            StoreCorrupt: its record cannot be read back.
        """
        return await self.reader.do(lambda connection: tuple(_summary_faults(connection, run_id)))

    async def wipe(self) -> bool:
        """Leave no byte of what was erased in the file, its free pages or its log; see `wiping.wipe`."""
        now = self.clock.now()
        held = "SELECT run_id FROM runs WHERE owner_id NOT NULL AND expires_at > ?"

        def at_work(connection: sqlite3.Connection) -> bool:
            found = connection.execute(held, (instant_text(now),)).fetchall()
            return any(self._chosen(connection, str(run_id), now).owned for (run_id,) in found)

        others = await self.reader.do(at_work)
        return await asyncio.to_thread(wipe, self.path, others_at_work=others)

    def _chosen(self, connection: sqlite3.Connection, run_id: str, now: datetime) -> Chosen:
        try:
            run = rows.run_row(connection, run_id)
        except StoreCorrupt:  # whatever it is, it must not keep the others from being erased
            return Chosen(run_id=run_id, tenant="", conversation=None, over=False, owned=False, erased=False)
        return Chosen(
            run_id=run_id,
            tenant=run.tenant,
            conversation=run.conversation,
            over=run.last_kind == ERASED or _is_over(connection, run),
            owned=leasing.is_live(run.holding, now=now, is_dead=self.is_dead),
            erased=run.last_kind == ERASED,
        )

    def _require_erasable(self, connection: sqlite3.Connection, run: rows.RunRow, now: datetime) -> None:
        if run.last_kind == ERASED:
            raise run_erased(run.run_id, run.updated_at)
        if leasing.is_live(run.holding, now=now, is_dead=self.is_dead):
            raise LeaseHeld(
                f"A process is at work on run {run.run_id}.", remedy="Wait until it is done, then try again."
            )
        if not _is_over(connection, run):
            raise not_over([run.run_id])


def _looked_at(connection: sqlite3.Connection, run: Chosen, selection: Selection) -> Chosen:
    """Say of a run that could be erased whether it is sound: else erasing would hide what was done to it."""
    if not run.erasable:
        return run
    unknown = bool(selection.keep) and not _has_status(connection, run.run_id)
    return replace(run, altered=unknown or bool(stored_faults(connection, run.run_id)))


def _has_status(connection: sqlite3.Connection, run_id: str) -> bool:
    """Tell whether the index knows how a run ended: it does not where the record could not be read."""
    found = connection.execute(
        "SELECT 1 FROM facets JOIN runs USING (number) WHERE run_id = ? AND kind = 'status'", (run_id,)
    )
    return found.fetchone() is not None


def _not_sound(fault: ChainFault) -> StoreCorrupt:
    return StoreCorrupt(
        f"Run {fault.run_id} is not what was written: {fault.problem}.",
        remedy=f"See all that is wrong with `planwarden dossier verify {fault.run_id}`.",
    )


def _is_over(connection: sqlite3.Connection, run: rows.RunRow) -> bool:
    """Tell whether nobody can go on with a run: it ended, or was imported to be read."""
    row = connection.execute("SELECT origin FROM runs WHERE run_id = ?", (run.run_id,)).fetchone()
    return run.last_kind == _OVER or row[0] is not None


def not_over(run_ids: Collection[str]) -> RunNotOver:
    """Say that these runs have to end first."""
    named = ", ".join(sorted(run_ids)[:5]) + (", …" if len(run_ids) > 5 else "")
    first = min(run_ids)
    return RunNotOver(
        f"{'Run' if len(run_ids) == 1 else 'Runs'} {named} did not end: only what is over can be erased.",
        remedy=f"Let it end with `planwarden resume {first}`, or stop it with `planwarden cancel {first}`.",
    )


def _conditions(selection: Selection) -> tuple[str, list[str]]:
    """Write what SQL can tell of a selection; the principal is in a payload."""
    where, values = "", list[str]()
    if selection.runs is not None:
        where += f" AND run_id IN ({', '.join('?' * len(selection.runs))})"
        values += selection.runs
    if selection.conversation is not None:
        where, values = f"{where} AND conversation = ?", [*values, selection.conversation]
    if selection.tenant is not None:
        where, values = f"{where} AND tenant = ?", [*values, selection.tenant]
    if selection.idle_since is not None:
        where, values = f"{where} AND updated_at < ?", [*values, instant_text(selection.idle_since)]
    if selection.keep:
        ended_so = f"kind = 'status' AND value IN ({', '.join('?' * len(selection.keep))})"
        of_run = "facets.created_at = runs.created_at AND facets.number = runs.number"
        where += f" AND NOT EXISTS (SELECT 1 FROM facets WHERE {ended_so} AND {of_run})"  # noqa: S608 - our own words only
        values += selection.keep
    return where, values


def _asked_by(connection: sqlite3.Connection, run_id: str, principal: str | None) -> bool:
    """Tell whether a run's first payload names this principal; read without the contract, which may grow."""
    if principal is None:
        return True
    row = connection.execute("SELECT body FROM payloads WHERE run_id = ? AND seq = 1", (run_id,)).fetchone()
    try:
        value = json.loads(row[0].decode("utf-8", "surrogatepass")) if row and row[0] else None
    except (ValueError, AttributeError, RecursionError):
        return False
    match value:
        case {"kind": "run_started", "task": {"principal": {"id": str(named)}}}:
            return named == principal
        case _:
            return False


def _place(connection: sqlite3.Connection, run: rows.RunRow) -> int:
    """Give a run's number, once the index covers all of it.

    Raises:
        LeaseHeld: the run went on since it was summarised.
    """
    number, covered = connection.execute(
        "SELECT number, summarised_seq FROM runs WHERE run_id = ?", (run.run_id,)
    ).fetchone()
    if covered < run.last_seq:
        raise LeaseHeld(f"Run {run.run_id} went on just now.", remedy="Try again.")
    return int(number)


def _kept_summary(connection: sqlite3.Connection, run_id: str) -> RunSummary | None:
    """Give a run's summary; None where there is none, or it cannot be read."""
    row = connection.execute(
        "SELECT body FROM summaries JOIN runs USING (number) WHERE run_id = ?", (run_id,)
    ).fetchone()
    return _read_summary(row[0]) if row and row[0] is not None else None


def _read_summary(body: bytes) -> RunSummary | None:
    try:
        return RunSummary.model_validate_json(body)
    except ValidationError:
        return None


def _summary_faults(connection: sqlite3.Connection, run_id: str) -> Iterator[ChainFault]:
    links, fact = read_last_words(connection, run_id)
    if fact.verified is None:
        return  # an older Planwarden did not say what it left
    body, tenant, origin = connection.execute(
        "SELECT body, tenant, origin FROM runs LEFT JOIN summaries USING (number) WHERE run_id = ?", (run_id,)
    ).fetchone()
    if body is None and origin is not None:
        return  # it was imported as an erased one, and no summary comes with such a run
    match body:
        case bytes():
            found = digest_bytes(body)
        case None:
            found = None
        case _:
            found = ""  # not as we store it
    if found != fact.summary_digest:
        problem = f"the summary that is kept is not the one that event {links[-1].seq} says was left"
        yield ChainFault(run_id=run_id, seq=None, problem=problem)
    elif isinstance(body, bytes) and (summary := _read_summary(body)) and summary.tenant != tenant:
        problem = "the run's own row names another tenant than the summary that was left"
        yield ChainFault(run_id=run_id, seq=None, problem=problem)


def _catalog_tools(connection: sqlite3.Connection, digest: str) -> frozenset[str]:
    """Give the names of all tools in a catalog that was kept, aliases too; none where it was not."""
    found = connection.execute(_TOOL_NAMES, (digest,))
    return frozenset(str(name) for (name,) in found)
