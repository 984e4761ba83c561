"""A journal that an older Planwarden wrote is brought up to date in place, whole or not at all."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from journal import ALICE, CountingIds, HandClock, said, started, words

from planwarden.journal.port import RunHead
from planwarden.journal.sqlite import SqliteJournal
from planwarden.journal.sqlite.schema import SCHEMA_VERSION

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("JRN-14")]

WRITTEN_BY_VERSION_1 = Path(__file__).with_name("journal_v1.sql").read_text("utf-8")
RUNS = ("r1", "r2", "r3", "r4", "r5")
KILLED_INSIDE = """
import os, signal, sqlite3, sys
from planwarden.journal.sqlite import schema
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
statements = schema.MIGRATIONS[1]
after = int(sys.argv[2])
schema.migrate(connection, (schema.MIGRATIONS[0], (*statements[:after], "SELECT die()", *statements[after:])))
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(WRITTEN_BY_VERSION_1)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    return path


@asynccontextmanager
async def opened(path: Path) -> AsyncGenerator[SqliteJournal]:
    journal = await SqliteJournal.open(path, HandClock(), CountingIds(), is_dead=lambda _: False)
    try:
        yield journal
    finally:
        await journal.aclose()


def ids(heads: tuple[RunHead, ...]) -> list[str]:
    return [head.run_id for head in heads]


async def assert_usable(path: Path) -> None:
    """Check that an upgraded journal finds, verifies and goes on with the runs of before."""
    async with opened(path) as journal:
        assert ids(await journal.heads(tenant="red", conversation="talk")) == ["r1"]
        assert ids(await journal.heads(conversation="talk")) == ["r3", "r1"]
        assert ids(await journal.heads(conversation="Grüße \x00'")) == ["r4"]
        for run_id in RUNS:
            assert await journal.verify(run_id) == ()
            assert len(await journal.read(run_id)) == 2
        lease, _ = await journal.create("r6", "red", ALICE, [started("talk", "red")])
        await journal.append(lease, [said("new")])
        taken = await journal.acquire("r1", ALICE)
        (event,) = await journal.append(taken, [said("old")])
        assert words([event.fact]) == ["old"]
        assert ids(await journal.heads(tenant="red", conversation="talk")) == ["r6", "r1"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT run_id FROM runs WHERE tenant = 'red' AND conversation = 'talk'"
            " ORDER BY created_at DESC, number DESC LIMIT 5"
        ).fetchall()
        assert "USING INDEX runs_by_conversation" in str(plan)
        assert "TEMP B-TREE" not in str(plan)


async def test_the_runs_of_a_journal_of_schema_version_1_are_found_by_their_conversation(old: Path) -> None:
    await assert_usable(old)


@pytest.mark.parametrize(
    "body",
    ["X'FF00'", "NULL", "'{'", """'{"kind":"run_started","task":{"conversation":7}}'""", "'[1]'", "'7'"],
)
async def test_a_damaged_run_does_not_keep_the_others_from_being_upgraded(old: Path, body: str) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"UPDATE payloads SET body = CAST({body} AS BLOB) WHERE run_id = 'r5' AND seq = 1")
        connection.commit()
    async with opened(old) as journal:
        assert ids(await journal.heads(conversation="talk")) == ["r3", "r1"]
        assert await journal.heads(conversation="spoiled") == ()
        assert await journal.verify("r5") != ()


@pytest.mark.parametrize("after", [1, 2, 3])
async def test_a_process_killed_inside_the_migration_leaves_a_journal_that_the_next_one_upgrades(
    old: Path, after: int
) -> None:
    killed = [sys.executable, "-c", KILLED_INSIDE, str(old), str(after)]
    done = await asyncio.to_thread(subprocess.run, killed, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert "conversation" not in str(connection.execute("SELECT sql FROM sqlite_master").fetchall())
    await assert_usable(old)
