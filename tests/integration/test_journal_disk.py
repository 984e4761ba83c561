"""A file or a disk that is not as it should be: a clear refusal, and nothing half-written."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from journal_worker import HERE, open_journal, said

from planwarden.errors import StoreCorrupt, StoreError, StoreUnavailable, StoreVersionMismatch
from planwarden.journal.sqlite import file, journal
from planwarden.journal.sqlite.schema import SCHEMA_VERSION

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("JRN-10")]

WORKER = Path(__file__).with_name("journal_worker.py")


async def make(path: Path, *, events: int = 3) -> Path:
    opened = await open_journal(path)
    lease, _ = await opened.create("r1", "default", HERE, [said("begun")])
    await opened.append(lease, [said(f"{number}" * 200) for number in range(1, events)])
    await opened.aclose()
    return path


async def refused(path: Path, kind: type[StoreError], *, read_only: bool = False) -> StoreError:
    """Open, expect a refusal that names the path and a remedy, and that nothing in the folder changed."""
    before = contents(path)
    with pytest.raises(kind) as caught:
        await open_journal(path, read_only=read_only)
    assert str(path) in caught.value.message
    assert caught.value.remedy
    assert contents(path) == before
    return caught.value


def contents(path: Path) -> dict[str, bytes]:
    """Give every file in the folder but for the empty log and its index: reading leaves these."""
    files = [found for found in path.parent.iterdir() if found.is_file()] if path.parent.is_dir() else []
    return {found.name: found.read_bytes() for found in files if not found.name.endswith(("-wal", "-shm"))}


async def test_a_path_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    error = await refused(tmp_path, StoreUnavailable)
    assert "it is a folder" in error.message
    assert "PLANWARDEN_HOME" in error.remedy


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    blocked = write(tmp_path / "file", b"")
    error = await refused(blocked / "home" / "journal.sqlite", StoreUnavailable)
    assert "PLANWARDEN_HOME" in error.remedy


@pytest.mark.parametrize(
    "content", [b"", b"SQLite", b"hello\n" * 100, b"SQLite format 3\x00" + b"\xff" * 200]
)
@pytest.mark.parametrize("read_only", [False, True])
async def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes, read_only: bool) -> None:
    await refused(write(tmp_path / "journal.sqlite", content), StoreCorrupt, read_only=read_only)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("read_only", [False, True])
async def test_a_truncated_journal_is_refused(tmp_path: Path, share: float, read_only: bool) -> None:
    path = await make(tmp_path / "journal.sqlite", events=100)
    cut(path, share)
    await refused(path, StoreCorrupt, read_only=read_only)


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_journal_of_a_newer_schema_is_refused_naming_both_versions(
    tmp_path: Path, read_only: bool
) -> None:
    path = await make(tmp_path / "journal.sqlite")
    run_sql(path, "PRAGMA user_version = 7")
    error = await refused(path, StoreVersionMismatch, read_only=read_only)
    assert f"has schema version 7; this Planwarden works with version {SCHEMA_VERSION}" in error.message


@pytest.mark.parametrize("read_only", [False, True])
async def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "journal.sqlite"
    run_sql(path, "CREATE TABLE holiday_photos (name TEXT)")
    error = await refused(path, StoreVersionMismatch, read_only=read_only)
    assert "not a Planwarden journal" in error.message


async def test_a_journal_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    await refused(tmp_path / "none" / "journal.sqlite", StoreUnavailable, read_only=True)
    assert contents(tmp_path / "journal.sqlite") == {}
    assert contents(tmp_path / "none" / "journal.sqlite") == {}


async def test_a_journal_opened_for_reading_refuses_to_write(tmp_path: Path) -> None:
    path = await make(tmp_path / "journal.sqlite")
    before = contents(path)
    opened = await open_journal(path, read_only=True)
    with pytest.raises(StoreUnavailable, match="opened for reading only"):
        await opened.acquire("r1", HERE)
    with pytest.raises(StoreUnavailable, match="opened for reading only"):
        await opened.post("r1", said("x"))
    await opened.aclose()
    assert contents(path) == before


async def test_a_full_disk_refuses_the_append_and_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(path: Path) -> sqlite3.Connection:
        connection = file.open_for_writing(path)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    monkeypatch.setattr(journal, "open_for_writing", small)
    opened = await open_journal(tmp_path / "journal.sqlite")
    lease, _ = await opened.create("r1", "default", HERE, [said("begun")])
    with pytest.raises(StoreUnavailable, match="the disk is full") as caught:
        await opened.append(lease, [said("small"), said("x" * 200_000)])
    assert "PLANWARDEN_HOME" in caught.value.remedy
    await opened.append(lease, [said("small enough")])
    assert [event.seq for event in await opened.read("r1")] == [1, 2]
    assert await opened.verify("r1") == ()
    await opened.aclose()


async def test_damage_found_while_working_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    path = await make(tmp_path / "journal.sqlite", events=400)
    data = bytearray(path.read_bytes())
    data[4096:-4096] = b"\xa5" * (len(data) - 8192)
    write(path, bytes(data))
    opened = await open_journal(path, read_only=True)
    with pytest.raises(StoreCorrupt) as caught:
        await opened.read("r1")
    await opened.aclose()
    assert str(path) in caught.value.message


async def test_a_table_that_is_gone_is_damage(tmp_path: Path) -> None:
    path = await make(tmp_path / "journal.sqlite")
    run_sql(path, "DROP TABLE payloads")
    opened = await open_journal(path)
    with pytest.raises(StoreCorrupt, match="no such table: payloads"):
        await opened.read("r1")
    await opened.aclose()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def cut(path: Path, share: float) -> None:
    with path.open("r+b") as opened:
        opened.truncate(int(path.stat().st_size * share))


def run_sql(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)


def _can_mount() -> bool:
    unshare = shutil.which("unshare")
    command = [str(unshare), "-rm", "true"]
    return unshare is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0


def _on_read_only_disk(folder: Path, what: str) -> str:
    """Run the worker where `folder` is mounted read-only, and give what it says."""
    place = shlex.quote(str(folder))
    worker = shlex.join([sys.executable, "-W", "error", str(WORKER), what, str(folder / "journal.sqlite")])
    script = f"mount --bind {place} {place} && mount -o remount,bind,ro {place} && exec {worker}"
    command = ["unshare", "-rm", "sh", "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


needs_mount = pytest.mark.skipif(not _can_mount(), reason="needs `unshare -rm` to mount a folder read-only")


@needs_mount
@pytest.mark.requirement("JRN-11")
async def test_a_journal_on_a_read_only_disk_can_be_read_and_verified(tmp_path: Path) -> None:
    await make(tmp_path / "journal.sqlite")
    assert _on_read_only_disk(tmp_path, "look") == "3 events, 0 faults\n"


@needs_mount
@pytest.mark.requirement("JRN-11")
async def test_what_is_left_in_the_log_by_a_crash_is_read_on_a_read_only_disk_too(tmp_path: Path) -> None:
    living = await open_journal(tmp_path / "journal.sqlite")
    lease, _ = await living.create("r1", "default", HERE, [said("begun")])
    await living.append(lease, [said("only in the log")])
    crashed = tmp_path / "crashed"
    shutil.copytree(tmp_path, crashed)  # as kill -9 leaves it: nothing is flushed from the log into the file
    await living.aclose()
    assert (crashed / "journal.sqlite-wal").stat().st_size > 0
    assert _on_read_only_disk(crashed, "look") == "2 events, 0 faults\n"
    (crashed / "journal.sqlite-shm").unlink()
    assert _on_read_only_disk(crashed, "look").startswith("store_unavailable: The journal ")


@needs_mount
async def test_a_read_only_disk_is_refused_for_writing(tmp_path: Path) -> None:
    assert _on_read_only_disk(tmp_path, "hold").startswith("store_unavailable: The journal ")
    await make(tmp_path / "journal.sqlite")
    said_there = _on_read_only_disk(tmp_path, "hold")
    assert said_there.startswith(
        f"store_unavailable: The journal {tmp_path}/journal.sqlite cannot be used: it "
    )
    assert "PLANWARDEN_HOME" in said_there


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_permission_is_refused_for_writing_but_can_be_read(tmp_path: Path) -> None:
    path = await make(tmp_path / "home" / "journal.sqlite")
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        await refused(path, StoreUnavailable)
        opened = await open_journal(path, read_only=True)
        assert await opened.verify("r1") == ()
        await opened.aclose()
    finally:
        path.parent.chmod(0o755)
