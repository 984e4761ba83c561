"""Snapshots in the journal's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planwarden.journal.snapshot import Snapshot, read_back, require_own_digest
from planwarden.journal.sqlite.thread import ConnectionThread


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteSnapshots:
    """Keeps values under their digests; made by the journal whose file they are in."""

    reader: ConnectionThread
    writing: Callable[[], ConnectionThread]

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep values; nothing is written when all are there."""
        for each in snapshots:
            require_own_digest(each)
        missing = await self.reader.do(lambda connection: _missing(connection, snapshots))
        if missing:
            await self.writing().do(lambda connection: _put(connection, missing))

    async def find(self, digest: str) -> Snapshot | None:
        """Give the value of that digest, checked against it."""
        return await self.reader.do(lambda connection: _find(connection, digest))


def _missing(connection: sqlite3.Connection, snapshots: Sequence[Snapshot]) -> tuple[Snapshot, ...]:
    return tuple(each for each in snapshots if not _is_kept(connection, each.digest))


def _is_kept(connection: sqlite3.Connection, digest: str) -> bool:
    return connection.execute("SELECT 1 FROM snapshots WHERE digest = ?", (digest,)).fetchone() is not None


def _put(connection: sqlite3.Connection, snapshots: Sequence[Snapshot]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO snapshots (digest, kind, body) VALUES (?, ?, ?)",
        [(each.digest, each.kind, each.body) for each in snapshots],
    )


def _find(connection: sqlite3.Connection, digest: str) -> Snapshot | None:
    row = connection.execute("SELECT kind, body FROM snapshots WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else read_back(digest, str(row[0]), bytes(row[1]))
