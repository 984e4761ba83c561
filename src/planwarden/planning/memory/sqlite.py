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
from planwarden.planning.memory.port import RECALLED, bounded, not_remembered
from planwarden.planning.memory.sqlite_file import reading, scrub, writing

_Plans = tuple[RememberedPlan, ...]
_Choice = Callable[[sqlite3.Connection], list[str]]
"""Says which plans of a tenant are to go."""
_bodies: TypeAdapter[list[RememberedPlan]] = TypeAdapter(list[RememberedPlan])
_SCOPES_KEPT = 32
"""Tenants and conversations whose plans stay decoded between two recalls."""

_MAY_SEE = "tenant = ? AND (conversation IS NULL OR conversation = ?)"
_VISIBLE = f"SELECT body FROM plans WHERE {_MAY_SEE} ORDER BY origin = 'run', at DESC, id DESC LIMIT ?"  # noqa: S608
_NEW = f"SELECT body FROM plans WHERE {_MAY_SEE} AND change > ?"  # noqa: S608
_ALL = "SELECT body FROM plans WHERE tenant = ? ORDER BY at DESC, id DESC LIMIT ?"


class _Stamp(NamedTuple):
    """The state of the file: two equal ones mean that nothing was written in between."""

    born: str
    changes: int
    deletions: int

    def nothing_deleted_until(self, later: _Stamp) -> bool:
        """Say whether, from this state to a later one, plans were only added or made newer."""
        return (self.born, self.deletions) == (later.born, later.deletions)


class _Decoded(NamedTuple):
    """What one tenant and conversation may see, as of a stamp."""

    stamp: _Stamp
    plans: _Plans


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
            return tuple(self._decode(rows))

        return await asyncio.to_thread(read)

    async def size(self) -> int:
        """Say how many plans are kept, of all tenants.

        Raises:
            StoreError: the file cannot be read.
        """

        def count() -> int:
            with reading(self._path) as connection:
                if connection is None:
                    return 0
                (plans,) = connection.execute("SELECT count(*) FROM plans").fetchone()
            return plans

        return await asyncio.to_thread(count)

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
        return await self.forget_runs(tenant, [run_id])

    async def forget_runs(self, tenant: str, run_ids: Sequence[str]) -> int:
        """Delete what these runs taught, in one transaction; as `forget_run` does for one."""

        def choose(connection: sqlite3.Connection) -> list[str]:
            values = [(tenant, run_id) for run_id in run_ids]
            connection.executemany("INSERT OR IGNORE INTO forgotten_runs VALUES (?, ?)", values)
            where = "SELECT plan_id FROM taught WHERE tenant = ? AND run_id = ?"
            found = [row[0] for value in values for row in connection.execute(where, value)]
            return list(dict.fromkeys(found))

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
            row = connection.execute("SELECT born, changes, deletions FROM counts").fetchone()
            stamp = _Stamp(*row)
            if known is not None and known.stamp == stamp:
                return known.plans
            if known is not None and known.stamp.nothing_deleted_until(stamp):
                rows = connection.execute(_NEW, (*scope, known.stamp.changes)).fetchall()
            else:
                rows, known = connection.execute(_VISIBLE, (*scope, RECALLED)).fetchall(), None
        before = {plan.id: plan for plan in known.plans} if known is not None else {}
        plans = bounded((before | {plan.id: plan for plan in self._decode(rows)}).values())
        self._keep_decoded(scope, _Decoded(stamp, plans))
        return plans

    def _keep_decoded(self, scope: tuple[str, str | None], decoded: _Decoded) -> None:
        """Keep what was recalled; let go of all that may hold what was deleted since, by any process."""
        with self._lock:
            current = {
                key: each
                for key, each in self._decoded.items()
                if each.stamp.nothing_deleted_until(decoded.stamp)
            }
            self._decoded = {} if len(current) >= _SCOPES_KEPT else current
            self._decoded[scope] = decoded

    def _decode(self, rows: Sequence[tuple[bytes]]) -> list[RememberedPlan]:
        try:
            return _bodies.validate_json(b"[" + b",".join(body for (body,) in rows) + b"]")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]["msg"]
            raise corrupt(self._path, f"a remembered plan cannot be read back: {first}", "memory") from error


def _keep(connection: sqlite3.Connection, plan: RememberedPlan, change: int) -> bool:
    if _is_forgotten(connection, plan):
        return False
    at = None if plan.at is None else instant_text(plan.at)
    body = plan.model_dump_json(exclude_defaults=True).encode()
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
