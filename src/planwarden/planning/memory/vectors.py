"""Embeddings of remembered requests, kept beside them, so that no process makes one again.

An embedding tells much of its text: it goes with its plan, whoever deletes that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planwarden.contracts.memory import RememberedPlan
from planwarden.planning.memory.port import PlanMemory, bounded
from planwarden.planning.memory.sqlite_file import reading, writing

Floats = NDArray[np.float32]

_MADE_WHERE_MISSING = (
    """CREATE TABLE IF NOT EXISTS vectors (
         tenant TEXT NOT NULL,
         plan_id TEXT NOT NULL,
         form TEXT NOT NULL,
         vector BLOB NOT NULL,
         PRIMARY KEY (tenant, plan_id, form)
       ) WITHOUT ROWID""",
    """CREATE TRIGGER IF NOT EXISTS vectors_go AFTER DELETE ON plans BEGIN
         DELETE FROM vectors WHERE tenant = OLD.tenant AND plan_id = OLD.id;
       END""",
)


class Embedder(Protocol):
    """What makes embeddings, and can be given those made before."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Give the embeddings, one row a text."""
        ...

    def keep(self, texts: Sequence[str], embeddings: Floats) -> None:
        """Take embeddings that were made before."""
        ...


class SqliteVectors:
    """Embeddings in the memory's own file, under the name of the form that the embedder makes."""

    def __init__(self, path: Path, form: str) -> None:
        self._path = path
        self._form = form

    def read(self, tenant: str, ids: Sequence[str]) -> dict[str, Floats]:
        """Give the embeddings of these plans, as far as there are any. Blocks.

        Raises:
            StoreError: the file cannot be read.
        """
        found: dict[str, Floats] = {}
        with reading(self._path) as connection:
            there = "SELECT 1 FROM sqlite_master WHERE name = 'vectors'"
            if connection is None or connection.execute(there).fetchone() is None:
                return found
            where = "SELECT vector FROM vectors WHERE tenant = ? AND plan_id = ? AND form = ?"
            for each in ids:
                row = connection.execute(where, (tenant, each, self._form)).fetchone()
                if row is not None:
                    found[each] = np.frombuffer(row[0], np.float32)
        return found

    def write(self, tenant: str, vectors: Mapping[str, Floats]) -> None:
        """Keep embeddings of plans that are there; of one deleted meanwhile, none. Blocks.

        Raises:
            StoreError: the file cannot be written.
        """
        with writing(self._path) as connection:
            for statement in _MADE_WHERE_MISSING:
                connection.execute(statement)
            connection.executemany(
                "INSERT OR REPLACE INTO vectors SELECT tenant, id, ?, ? FROM plans"
                " WHERE tenant = ? AND id = ?",
                [
                    (self._form, vector.astype(np.float32).tobytes(), tenant, plan_id)
                    for plan_id, vector in vectors.items()
                ],
            )


class EmbeddedMemory:
    """A memory whose embedder knows the requests of all that it recalls."""

    def __init__(self, memory: PlanMemory, vectors: SqliteVectors, embedder: Embedder) -> None:
        self._memory = memory
        self._vectors = vectors
        self._embedder = embedder
        self._known: set[tuple[str, str]] = set()
        """Tenant and id of the plans whose requests the embedder was given."""

    async def recall(self, tenant: str, conversation: str | None) -> tuple[RememberedPlan, ...]:
        """Recall; what has no embedding yet gets one."""
        plans = await self._memory.recall(tenant, conversation)
        await asyncio.to_thread(self._teach, plans)
        return plans

    async def remember(self, plan: RememberedPlan) -> bool:
        """Keep a plan with the embedding of its request."""
        kept = await self._memory.remember(plan)
        if kept:
            await asyncio.to_thread(self._teach, (plan,))
        return kept

    async def listed(self, tenant: str, *, limit: int) -> tuple[RememberedPlan, ...]:
        """Give all that is kept of a tenant."""
        return await self._memory.listed(tenant, limit=limit)

    async def forget(self, tenant: str, ids: Sequence[str]) -> int:
        """Delete these plans for good, embeddings too."""
        self._known.clear()
        return await self._memory.forget(tenant, ids)

    async def forget_run(self, tenant: str, run_id: str) -> int:
        """Delete what a run taught, embeddings too."""
        self._known.clear()
        return await self._memory.forget_run(tenant, run_id)

    async def forget_all(self, tenant: str, *, at: datetime) -> int:
        """Delete all of a tenant, embeddings too."""
        self._known.clear()
        return await self._memory.forget_all(tenant, at=at)

    async def rebuild(self, lessons: Iterable[RememberedPlan], *, begun: datetime) -> int:
        """Put these lessons in place of what runs had taught before, and embed what a recall could give."""
        taught = list(lessons)
        count = await self._memory.rebuild(taught, begun=begun)
        self._known.clear()
        by_tenant = sorted(taught, key=lambda plan: plan.tenant)
        for _, own in groupby(by_tenant, key=lambda plan: plan.tenant):
            await asyncio.to_thread(self._teach, bounded({plan.id: plan for plan in own}.values()))
        return count

    def _teach(self, plans: Sequence[RememberedPlan]) -> None:
        """Give the embedder what is kept of these plans' requests; make and keep what is not."""
        new = [plan for plan in plans if (plan.tenant, plan.id) not in self._known]
        if not new:
            return
        tenant = new[0].tenant  # a recall is of one tenant, always
        found = self._vectors.read(tenant, [plan.id for plan in new])
        there = [plan for plan in new if plan.id in found]
        if there:
            self._embedder.keep(
                [plan.request for plan in there], np.stack([found[plan.id] for plan in there])
            )
        missing = [plan for plan in new if plan.id not in found]
        if missing:
            made = self._embedder.encode([plan.request for plan in missing])
            self._vectors.write(tenant, {plan.id: row for plan, row in zip(missing, made, strict=True)})
        self._known.update((plan.tenant, plan.id) for plan in new)
