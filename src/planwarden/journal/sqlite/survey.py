"""A look over the whole journal, row by row as stored: what belongs to no run, or cannot be read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from planwarden.contracts.event import ChainFault
from planwarden.contracts.value import digest_bytes
from planwarden.journal.sqlite.thread import ConnectionThread

_BY_ID = ("events", "payloads", "inbox")
_BY_NUMBER = ("summaries", "facets")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredId:
    """A run's own row: its place, and its id where that is one."""

    place: int
    run_id: str | None
    """None where what is stored is no text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteSurvey:
    """Reads what no single run shows; made by the journal whose file it is."""

    reader: ConnectionThread

    async def ids_after(self, place: int, *, limit: int) -> tuple[StoredId, ...]:
        """Give the rows of runs after a place, oldest first, readable or not."""
        return await self.reader.do(lambda connection: _ids_after(connection, place, limit))

    async def has_run(self, run_id: str) -> bool:
        """Tell whether there is a row of such a run."""
        return await self.reader.do(lambda connection: _has_run(connection, run_id))

    async def lost_rows(self, *, limit: int) -> tuple[ChainFault, ...]:
        """Find rows that belong to no run, a line for each run and table."""
        return await self.reader.do(lambda connection: tuple(_lost(connection, limit)))

    async def snapshot_faults(self) -> tuple[ChainFault, ...]:
        """Find kept catalogs and policies whose bytes are not those of their digest."""
        return await self.reader.do(lambda connection: tuple(_spoiled_snapshots(connection)))

    async def missing_snapshots(self, run_id: str) -> tuple[ChainFault, ...]:
        """Find catalogs and policies that a run names as kept and that are not there, or are others."""
        return await self.reader.do(lambda connection: tuple(_missing_snapshots(connection, run_id)))

    async def snapshots_named(self, run_id: str) -> tuple[str, ...]:
        """Give the digests of catalogs and policies that a run names, kept or not, each once."""
        return await self.reader.do(lambda connection: tuple(dict(_named(connection, run_id))))


def is_text(value: object) -> bool:
    """Tell whether a stored value is text that can be asked for again."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _ids_after(connection: sqlite3.Connection, place: int, limit: int) -> tuple[StoredId, ...]:
    rows = connection.execute(
        "SELECT number, run_id FROM runs WHERE number > ? ORDER BY number LIMIT ?", (place, limit)
    )
    return tuple(
        StoredId(place=number, run_id=run_id if is_text(run_id) else None) for number, run_id in rows
    )


def _has_run(connection: sqlite3.Connection, run_id: str) -> bool:
    return connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None


def _lost(connection: sqlite3.Connection, limit: int) -> Iterator[ChainFault]:
    for table in _BY_ID:
        rows = connection.execute(
            f"SELECT run_id, count(*) FROM {table}"  # noqa: S608 - our own table names
            " WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id IS "
            f"{table}.run_id) GROUP BY run_id LIMIT ?",
            (limit,),
        )
        for run_id, count in rows:
            yield _nobodys(table, count, run_id=str(run_id))
    for table in _BY_NUMBER:
        (count,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE NOT EXISTS"  # noqa: S608 - our own table names
            f" (SELECT 1 FROM runs WHERE runs.number = {table}.number)"
        ).fetchone()
        if count:
            yield _nobodys(table, count, run_id="")


def _nobodys(table: str, count: int, *, run_id: str) -> ChainFault:
    rows = "1 row belongs" if count == 1 else f"{count} rows belong"
    return ChainFault(run_id=run_id, seq=None, problem=f"{rows} to no run in table {table}")


def _spoiled_snapshots(connection: sqlite3.Connection) -> Iterator[ChainFault]:
    for digest, kind, body in connection.execute("SELECT digest, kind, body FROM snapshots ORDER BY digest"):
        if not isinstance(body, bytes) or digest_bytes(body) != digest:
            problem = f"the {kind} kept as {digest} is not what was kept: its digest does not match"
            yield ChainFault(run_id="", seq=None, problem=problem)
        elif kind not in ("catalog", "policy"):
            yield ChainFault(run_id="", seq=None, problem=f"what is kept as {digest} has no kind: {kind}")


def _missing_snapshots(connection: sqlite3.Connection, run_id: str) -> Iterator[ChainFault]:
    for digest, seq in _named(connection, run_id, kept_only=True):
        row = connection.execute("SELECT body FROM snapshots WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            problem = f"the catalog or policy {digest} was kept and is gone"
            yield ChainFault(run_id=run_id, seq=seq, problem=problem)
        elif not isinstance(row[0], bytes) or digest_bytes(row[0]) != digest:
            problem = f"the catalog or policy kept as {digest} is not what was kept"
            yield ChainFault(run_id=run_id, seq=seq, problem=problem)


def _named(
    connection: sqlite3.Connection, run_id: str, *, kept_only: bool = False
) -> Iterator[tuple[str, int]]:
    """Give each digest with the event that names it; of a run that began before any were kept, on demand."""
    rows: Sequence[tuple[int, object]] = connection.execute(
        "SELECT payloads.seq, body FROM events JOIN payloads USING (run_id, seq)"
        " WHERE events.run_id = ? AND kind IN ('run_started', 'run_taken_over') ORDER BY payloads.seq",
        (run_id,),
    ).fetchall()
    facts = [(seq, _object(body)) for seq, body in rows]
    if kept_only and not any(fact.get("snapshots_kept") is True for _, fact in facts):
        return
    for seq, fact in facts:
        for name in ("catalog_digest", "policy_digest"):
            if isinstance(found := fact.get(name), str):
                yield found, seq


def _object(body: object) -> dict[str, object]:
    try:
        value: object = json.loads(body) if isinstance(body, bytes) else None
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
