"""Both plan memories pass the suite."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from plan_memory import PlanMemoryConformance

from planwarden.planning.memory.in_process import InProcessMemory
from planwarden.planning.memory.port import PlanMemory
from planwarden.planning.memory.sqlite import SqliteMemory


class TestInProcessMemory(PlanMemoryConformance):
    @asynccontextmanager
    async def open_memory(self, folder: Path) -> AsyncGenerator[PlanMemory, None]:
        yield InProcessMemory()


class TestSqliteMemory(PlanMemoryConformance):
    @asynccontextmanager
    async def open_memory(self, folder: Path) -> AsyncGenerator[PlanMemory, None]:
        yield SqliteMemory(folder / "memory.db")
