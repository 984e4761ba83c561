"""Both journals pass the suite."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from journal import LEASE_S, Bench, CountingIds, Graveyard, HandClock, JournalConformance

from planwarden.journal.memory import MemoryJournal
from planwarden.journal.sqlite import SqliteJournal


class TestMemoryJournal(JournalConformance):
    @asynccontextmanager
    async def open_bench(self, folder: Path) -> AsyncGenerator[Bench, None]:
        clock, graveyard = HandClock(), Graveyard()
        journal = MemoryJournal(clock, CountingIds(), lease_s=LEASE_S, is_dead=graveyard.is_dead)
        yield Bench(journal=journal, clock=clock, graveyard=graveyard)
        await journal.aclose()


class TestSqliteJournal(JournalConformance):
    @asynccontextmanager
    async def open_bench(self, folder: Path) -> AsyncGenerator[Bench, None]:
        clock, graveyard = HandClock(), Graveyard()
        journal = await SqliteJournal.open(
            folder / "journal.sqlite", clock, CountingIds(), lease_s=LEASE_S, is_dead=graveyard.is_dead
        )
        yield Bench(journal=journal, clock=clock, graveyard=graveyard)
        await journal.aclose()
