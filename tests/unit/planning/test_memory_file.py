"""The file of remembered plans: shared by processes, rid of what was forgotten, refused when not sound."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from planwarden.contracts.memory import RememberedPlan, RememberedStep
from planwarden.errors import StoreCorrupt, StoreError, StoreUnavailable, StoreVersionMismatch
from planwarden.planning.memory import sqlite_file
from planwarden.planning.memory.sqlite import SqliteMemory

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("MEM-8")]

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def plan(plan_id: str, request: str = "Do it.", *, run_id: str | None = None) -> RememberedPlan:
    return RememberedPlan(
        id=plan_id,
        tenant="default",
        request=request,
        steps=(RememberedStep(agent="worker", tools=("look",)),),
        origin="run",
        at=NOW,
        run_id=run_id or f"run-{plan_id}",
    )


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


async def filled(path: Path) -> SqliteMemory:
    """Keep plans over many pages, with long requests that are easy to find; some are made newer."""
    memory = SqliteMemory(path)
    for number in range(60):
        await memory.remember(plan(f"m{number}", f"Zebra{number:03} " * 150))
    for number in range(0, 60, 7):
        again = plan(f"m{number}", f"Zebra{number:03} " * 150, run_id=f"again-{number}")
        await memory.remember(again)
    return memory


async def test_no_byte_of_a_forgotten_request_is_left(tmp_path: Path) -> None:
    memory = await filled(tmp_path / "memory.db")
    assert b"Zebra014" in everything_in(tmp_path)
    await memory.forget("default", ["m14"])
    await memory.forget_run("default", "run-m30")
    left = everything_in(tmp_path)
    assert not [number for number in (14, 30) if f"Zebra{number:03}".encode() in left]
    assert b"Zebra013" in left
    await memory.forget_all("default", at=NOW)
    assert b"Zebra" not in everything_in(tmp_path)


async def test_no_byte_of_what_a_rebuild_left_out_is_left(tmp_path: Path) -> None:
    memory = await filled(tmp_path / "memory.db")
    await memory.rebuild([plan("m1", "Zebra001")], begun=NOW.replace(year=2027))
    left = everything_in(tmp_path)
    assert b"Zebra001" in left
    assert b"Zebra002" not in left


async def test_while_another_process_reads_it_is_said_that_traces_may_be_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY_S", 0.01)
    memory = await filled(tmp_path / "memory.db")
    with closing(sqlite3.connect(tmp_path / "memory.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM plans").fetchone()
        with pytest.raises(StoreUnavailable, match="is deleted, but may still lie in"):
            await memory.forget("default", ["m14"])
        assert "m14" not in {each.id for each in await memory.listed("default", limit=99)}
        reader.execute("COMMIT")
    await memory.forget("default", ["m15"])
    assert b"Zebra014" not in everything_in(tmp_path)


async def test_recalling_makes_no_file(tmp_path: Path) -> None:
    memory = SqliteMemory(tmp_path / "home" / "memory.db")
    assert await memory.recall("default", None) == ()
    assert await memory.listed("default", limit=9) == ()
    assert not (tmp_path / "home").exists()


async def test_each_process_sees_what_others_kept_and_forgot(tmp_path: Path) -> None:
    mine, theirs = (SqliteMemory(tmp_path / "memory.db") for _ in range(2))
    await mine.remember(plan("m1"))
    assert [each.id for each in await theirs.recall("default", None)] == ["m1"]
    await theirs.remember(plan("m2"))
    assert [each.id for each in await mine.recall("default", None)] == ["m2", "m1"]
    await theirs.forget("default", ["m1"])
    assert [each.id for each in await mine.recall("default", None)] == ["m2"]


async def test_plans_kept_at_once_are_all_kept(tmp_path: Path) -> None:
    memories = [SqliteMemory(tmp_path / "memory.db") for _ in range(3)]
    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(memories[number % 3].remember, plan(f"m{number}"))
    assert len(await memories[0].recall("default", None)) == 12


async def test_a_file_put_in_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "memory.db", tmp_path / "other.db"
    memory = SqliteMemory(path)
    await memory.remember(plan("m1"))
    await memory.recall("default", None)
    await SqliteMemory(other).remember(plan("m2"))
    other.replace(path)
    assert [each.id for each in await memory.recall("default", None)] == ["m2"]


def a_text(path: Path) -> None:
    path.write_text("no database " * 500)


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()


def of_a_newer_version(path: Path) -> None:
    with sqlite_file.writing(path) as connection:
        connection.execute("PRAGMA user_version = 9")


def with_a_row_that_is_no_plan(path: Path) -> None:
    with sqlite_file.writing(path) as connection:
        row = ("default", "m1", None, "run", None, 1, b'{"id":"m1"}')
        connection.execute("INSERT INTO plans VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def without_its_tables(path: Path) -> None:
    with sqlite_file.writing(path) as connection:
        connection.execute("DROP TABLE counts")


def a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (a_text, StoreCorrupt),
        (of_another_program, StoreCorrupt),
        (of_a_newer_version, StoreVersionMismatch),
        (with_a_row_that_is_no_plan, StoreCorrupt),
        (without_its_tables, StoreCorrupt),
        (a_folder, StoreUnavailable),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_with_a_remedy(
    spoil: Callable[[Path], None], error: type[StoreError], tmp_path: Path
) -> None:
    path = tmp_path / "memory.db"
    spoil(path)
    with pytest.raises(error) as caught:
        await SqliteMemory(path).recall("default", None)
    assert caught.value.message.startswith(f"The memory {path} ")
    if error is StoreCorrupt:
        assert "planwarden memory rebuild" in caught.value.remedy
    if spoil is not with_a_row_that_is_no_plan:
        with pytest.raises(error):
            await SqliteMemory(path).remember(plan("m1"))


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await SqliteMemory(tmp_path / "home" / "memory.db").remember(plan("m1"))


async def test_what_is_kept_is_flushed_and_deleted_content_overwritten(tmp_path: Path) -> None:
    with sqlite_file.writing(tmp_path / "memory.db") as connection:
        found = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete")
        ]
    assert found == ["wal", 2, 1]
