"""Remembered plans in one SQLite file, for any number of processes on one machine."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from planwarden.contracts.memory import LEARNED, RememberedPlan
from planwarden.journal.chain import instant_text
from planwarden.journal.sqlite.refusal import corrupt
from planwarden.planning.memory.port import RECALLED, not_remembered
from planwarden.planning.memory.sqlite_file import reading, scrub, writing

_Plans = tuple[RememberedPlan, ...]
_Choice = Callable[[sqlite3.Connection], list[str]]
"""Says which plans of a tenant are to go."""
_bodies: TypeAdapter[list[RememberedPlan]] = TypeAdapter(list[RememberedPlan])
_SCOPES_KEPT = 32
"""Tenants and conversations whose plans stay decoded between two recalls."""

_VISIBLE = """
    SELECT id, change, body, at FROM plans
    WHERE tenant = ? AND (conversation IS NULL OR conversation = ?)
    ORDER BY origin = 'run', at DESC, id DESC LIMIT ?"""
_ALL = "SELECT id, change, body, at FROM plans WHERE tenant = ? ORDER BY at DESC, id DESC LIMIT ?"


class _Stamp(NamedTuple):
    """The state of the file: two equal ones mean that nothing was written in between."""

    born: str
    changes: int
    deletions: int


class _Row(NamedTuple):
    id: str
    change: int
    body: bytes
    at: str | None


class _Decoded(NamedTuple):
    """What one tenant and conversation may see, as of a stamp."""

    stamp: _Stamp
    plans: _Plans
    by_change: dict[tuple[str, int], RememberedPlan]


class SqliteMemory:
    """The port over the file at `path`, which the first plan makes. Holds nothing open between calls.

    What was recalled stays decoded until the file changes: a recall with nothing new reads three numbers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoded: dict[tuple[str, str | None], _Decoded] = {}
        self._lock = threading.Lock()

    async def recall(self, tenant: str, conversation: str | None) -> _Plans:
        """Give what this conversation of this tenant may see."""
        return await asyncio.to_thread(self._recall, tenant, conversation)

    async def remember(self, plan: RememberedPlan) -> bool:
        """Keep a plan; on disk when this returns."""

        def keep() -> bool:
            with writing(self._path) as connection:
                return _keep(connection, plan, _next_change(connection))

        return await asyncio.to_thread(keep)

    async def listed(self, tenant: str, *, limit: int) -> _Plans:
        """Give all that is kept of a tenant."""

        def read() -> _Plans:
            with reading(self._path) as connection:
                rows = [] if connection is None else connection.execute(_ALL, (tenant, limit)).fetchall()
            return tuple(self._decode([_Row(*row) for row in rows]))

        return await asyncio.to_thread(read)

    async def forget(self, tenant: str, ids: Sequence[str]) -> int:
        """Delete these plans for good."""

        def choose(connection: sqlite3.Connection) -> list[str]:
            wanted = list(dict.fromkeys(ids))
            missing = [each for each in wanted if not _is_there(connection, tenant, each)]
            if missing:
                raise not_remembered(missing, tenant)
            return wanted

        return await asyncio.to_thread(self._delete, tenant, choose)

    async def forget_run(self, tenant: str, run_id: str) -> int:
        """Delete what a run taught."""

        def choose(connection: sqlite3.Connection) -> list[str]:
            connection.execute("INSERT OR IGNORE INTO forgotten_runs VALUES (?, ?)", (tenant, run_id))
            where = "SELECT plan_id FROM taught WHERE tenant = ? AND run_id = ?"
            return [row[0] for row in connection.execute(where, (tenant, run_id))]

        return await asyncio.to_thread(self._delete, tenant, choose)

    async def forget_all(self, tenant: str, *, at: datetime) -> int:
        """Delete all of a tenant."""

        def choose(connection: sqlite3.Connection) -> list[str]:
            connection.execute(
                "INSERT OR REPLACE INTO forgotten_tenants VALUES (?, ?)", (tenant, instant_text(at))
            )
            return [row[0] for row in connection.execute("SELECT id FROM plans WHERE tenant = ?", (tenant,))]

        return await asyncio.to_thread(self._delete, tenant, choose)

    async def rebuild(self, lessons: Iterable[RememberedPlan], *, begun: datetime) -> int:
        """Put these lessons in place of all that runs had taught before, in one transaction."""
        learned = tuple(sorted(LEARNED))

        def replace() -> int:
            with writing(self._path) as connection:
                change = _next_change(connection, deletes=True)
                connection.execute(
                    "DELETE FROM plans WHERE origin IN (?, ?) AND at < ?", (*learned, instant_text(begun))
                )
                connection.execute(
                    "DELETE FROM taught WHERE (tenant, plan_id) NOT IN (SELECT tenant, id FROM plans)"
                )
                for each in lessons:
                    _keep(connection, each, change)
                counted = "SELECT count(*) FROM plans WHERE origin IN (?, ?)"
                (count,) = connection.execute(counted, learned).fetchone()
            scrub(self._path)
            return count

        return await asyncio.to_thread(replace)

    def _delete(self, tenant: str, choose: _Choice) -> int:
        with writing(self._path) as connection:
            ids = choose(connection)
            for each in ids:
                connection.execute(
                    "INSERT OR IGNORE INTO forgotten_runs"
                    " SELECT tenant, run_id FROM taught WHERE tenant = ? AND plan_id = ?",
                    (tenant, each),
                )
                connection.execute("DELETE FROM taught WHERE tenant = ? AND plan_id = ?", (tenant, each))
                connection.execute("DELETE FROM plans WHERE tenant = ? AND id = ?", (tenant, each))
            _next_change(connection, deletes=True)
        with self._lock:
            self._decoded.clear()
        scrub(self._path)
        return len(ids)

    def _recall(self, tenant: str, conversation: str | None) -> _Plans:
        scope = (tenant, conversation)
        with self._lock:
            known = self._decoded.get(scope)
        with reading(self._path) as connection:
            if connection is None:
                return ()
            counts = connection.execute("SELECT born, changes, deletions FROM counts").fetchone()
            stamp = _Stamp(*counts)
            if known is not None and known.stamp == stamp:
                return known.plans
            found = connection.execute(_VISIBLE, (tenant, conversation, RECALLED)).fetchall()
        rows = sorted((_Row(*row) for row in found), key=lambda row: (row.at or "", row.id), reverse=True)
        same_file = known is not None and known.stamp.born == stamp.born
        before = known.by_change if known is not None and same_file else {}
        fresh = [row for row in rows if (row.id, row.change) not in before]
        new = {(row.id, row.change): plan for row, plan in zip(fresh, self._decode(fresh), strict=True)}
        by_change = {key: new.get(key) or before[key] for key in ((row.id, row.change) for row in rows)}
        plans = tuple(by_change.values())
        with self._lock:
            if len(self._decoded) >= _SCOPES_KEPT or any(
                each.stamp[::2] != stamp[::2] for each in self._decoded.values()
            ):
                self._decoded.clear()  # also what another process had deleted
            self._decoded[scope] = _Decoded(stamp, plans, by_change)
        return plans

    def _decode(self, rows: Sequence[_Row]) -> list[RememberedPlan]:
        try:
            return _bodies.validate_json(b"[" + b",".join(row.body for row in rows) + b"]")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]["msg"]
            raise corrupt(self._path, f"a remembered plan cannot be read back: {first}", "memory") from error


def _keep(connection: sqlite3.Connection, plan: RememberedPlan, change: int) -> bool:
    if _is_forgotten(connection, plan):
        return False
    at = None if plan.at is None else instant_text(plan.at)
    body = plan.model_dump_json().encode()
    connection.execute(
        "INSERT INTO plans VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, id) DO UPDATE"
        " SET at = ?5, change = ?6, body = ?7 WHERE coalesce(at, '') <= coalesce(?5, '')",
        (plan.tenant, plan.id, plan.conversation, plan.origin, at, change, body),
    )
    if plan.run_id is not None:
        connection.execute(
            "INSERT OR REPLACE INTO taught VALUES (?, ?, ?)", (plan.tenant, plan.run_id, plan.id)
        )
    return True


def _is_forgotten(connection: sqlite3.Connection, plan: RememberedPlan) -> bool:
    if plan.origin not in LEARNED:
        return False
    at = "" if plan.at is None else instant_text(plan.at)
    found = connection.execute(
        "SELECT 1 FROM forgotten_runs WHERE tenant = ?1 AND run_id = ?2"
        " UNION ALL SELECT 1 FROM forgotten_tenants WHERE tenant = ?1 AND at >= ?3",
        (plan.tenant, plan.run_id, at),
    ).fetchone()
    return found is not None


def _next_change(connection: sqlite3.Connection, *, deletes: bool = False) -> int:
    """Count a change, so that every process sees that there is something new."""
    (change,) = connection.execute(
        "UPDATE counts SET changes = changes + 1, deletions = deletions + ? RETURNING changes", (deletes,)
    ).fetchone()
    return change


def _is_there(connection: sqlite3.Connection, tenant: str, plan_id: str) -> bool:
    where = "SELECT 1 FROM plans WHERE tenant = ? AND id = ?"
    return connection.execute(where, (tenant, plan_id)).fetchone() is not None
