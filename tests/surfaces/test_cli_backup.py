"""`planwarden journal backup`, `restore`, `upgrade`: whole or not at all, and nothing lost unsaid."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from planwarden.app.archive.scratch import left_in, scratch
from planwarden.app.system import SystemClock, SystemIds
from planwarden.contracts.event import GENESIS
from planwarden.contracts.facts import CancelRequested, RunEnded, RunStarted
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.task import Task
from planwarden.journal.owner import is_dead, this_process
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.journal.sqlite.schema import SCHEMA_VERSION
from surfaces_kit import Cli, Mind, Said, drop_the_last_event

TASK = "What is the latest price of IBM?"
SECRET = "Erika-Mustermann-4711"
MODEL = ModelIdentity(provider="p", model="m")
HERE = this_process("test")
VERSION_1 = Path(__file__).parents[1] / "conformance" / "journal_v1.sql"
VERSION_2 = Path(__file__).parents[1] / "conformance" / "journal_v2.sql"


def a_real_run(cli: Cli, task: str = TASK) -> str:
    """Have a model plan and answer; such a run teaches, too."""
    said = cli("run", task, "--json")
    assert said.code == 0, said
    return said.json["run_id"]


def a_run(home: Path, task: str = TASK) -> str:
    """Write a run that ended as one that asked back."""
    return asyncio.run(_written(home, task))


async def _written(home: Path, task: str) -> str:
    journal = await _opened(home)
    run_id = SystemIds().run_id()
    lease, _ = await journal.create(run_id, "default", HERE, [begun(task), RunEnded(outcome="asked")])
    await journal.release(lease)
    await journal.aclose()
    return run_id


def begun(task: str) -> RunStarted:
    return RunStarted(
        task=Task(prompt=task),
        planner=MODEL,
        agents=MODEL,
        catalog_digest=GENESIS,
        policy_digest=GENESIS,
        planwarden_version="0",
    )


async def _opened(home: Path) -> SqliteJournal:
    dead = partial(is_dead, here=HERE)
    return await SqliteJournal.open(
        home / "journal.db", SystemClock(), SystemIds(), is_dead=dead, lease_s=600
    )


def backed_up(cli: Cli, path: Path, *, code: int = 0) -> dict[str, Any]:
    said = cli("journal", "backup", str(path), "--json")
    assert said.code == code, said
    return said.json


def restored(cli: Cli, path: Path, *more: str) -> dict[str, Any]:
    said = cli("journal", "restore", str(path), "--json", *more)
    assert said.code == 0, said
    return said.json


def erase(cli: Cli, run: str) -> None:
    assert cli("journal", "erase", run, "--reason", "asked to", "--by", "dpo", "--yes").code == 0


def ids(cli: Cli) -> list[str]:
    return [row["run_id"] for row in cli("runs", "--json").json]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm"))}


# ---- backup ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("KEEP-8")
def test_a_backup_holds_journal_and_memory_and_says_what_is_in_it(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    a_real_run(cli)
    told = backed_up(cli, tmp_path / "b.zip")
    assert (told["runs"], told["schema_version"], told["damaged"]) == (1, SCHEMA_VERSION, 0)
    assert [each["name"] for each in told["files"]] == ["journal.db", "memory.db"]
    assert told["bytes"] == (tmp_path / "b.zip").stat().st_size
    assert (tmp_path / "b.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("manifest.json"))["heads"] == told["heads"]
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    said = cli("journal", "backup", str(tmp_path))
    assert "backed up 1 run to" in said.out
    assert len(list(tmp_path.glob("planwarden-*Z.zip"))) == 1


@pytest.mark.requirement("KEEP-8")
def test_a_backup_overwrites_nothing_and_wants_a_journal_that_is_sound(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "b.zip"
    cli("journal", "backup", str(path), "--json").error(2, "input_error")
    run = a_run(home)
    path.write_bytes(b"mine")
    cli("journal", "backup", str(path), "--json").error(2, "input_error")
    assert path.read_bytes() == b"mine"
    told = cli("journal", "backup", str(path / "below.zip"), "--json").error(2, "store_unavailable")
    assert "No file was left" in told["remedy"]
    drop_the_last_event(home, run)
    assert backed_up(cli, tmp_path / "damaged.zip", code=6)["damaged"] == 1
    journal = home / "journal.db"
    journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])
    cli("journal", "backup", str(tmp_path / "c.zip"), "--json").error(6, "store_corrupt")
    assert not (tmp_path / "c.zip").exists()


@pytest.mark.requirement("KEEP-8")
def test_a_backup_is_taken_while_another_process_writes(cli: Cli, home: Path, tmp_path: Path) -> None:
    run = a_run(home)
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        busy.execute("UPDATE runs SET tenant = 'half-written'")
        told = backed_up(cli, tmp_path / "b.zip")
        busy.execute("ROLLBACK")
    assert told["runs"] == 1
    restored(cli, tmp_path / "b.zip")
    assert cli("dossier", "verify", run).code == 0
    assert cli("dossier", "show", run, "--format", "json").json["task"]["tenant"] == "default"


async def _busy(home: Path, over: threading.Event, at_work: threading.Event) -> None:
    journal = await _opened(home)
    while not over.is_set():
        lease, _ = await journal.create(SystemIds().run_id(), "default", HERE, [CancelRequested(by="x")])
        for _ in range(5):
            await journal.append(lease, [CancelRequested(by="y"), CancelRequested(by="z")])
        await journal.release(lease)
        at_work.set()
    await journal.aclose()


@pytest.mark.requirement("KEEP-8")
def test_whatever_moment_of_busy_runs_a_backup_holds_each_of_them_is_whole(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, at_work = threading.Event(), threading.Event()
    writer = threading.Thread(target=lambda: asyncio.run(_busy(home, over, at_work)))
    writer.start()
    assert at_work.wait(60)
    told = [backed_up(cli, tmp_path / f"{number}.zip") for number in range(3)]
    over.set()
    writer.join(60)
    assert told[0]["runs"] <= told[1]["runs"] <= told[2]["runs"] <= len(ids(cli))
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "elsewhere"))
    assert restored(cli, tmp_path / "1.zip")["events"] == told[1]["events"]

    async def faults() -> list[object]:
        journal = await _opened(tmp_path / "elsewhere")
        runs = [run_id for _, run_id in await journal.runs_after(0, limit=100_000)]
        assert len(runs) == told[1]["runs"]
        found = [fault for run_id in runs for fault in await journal.verify(run_id)]
        await journal.aclose()
        return list(found)

    assert asyncio.run(faults()) == []


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from planwarden.cli.main import main; main()
"""


@pytest.mark.requirement("KEEP-8")
@pytest.mark.parametrize("room", [0, 5_000, 60_000])
def test_a_backup_that_finds_no_room_leaves_no_file(
    cli: Cli, home: Path, tmp_path: Path, program: list[str], room: int
) -> None:
    a_run(home)
    folder = tmp_path / "full"
    folder.mkdir()
    command = [program[0], "-c", LIMITED, str(room), "journal", "backup", str(folder / "b.zip"), "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    said = Said(code=done.returncode, out=done.stdout, err=done.stderr)
    said.error(2, "store_unavailable")
    assert list(folder.iterdir()) == []


@pytest.mark.requirement("KEEP-9")
@pytest.mark.parametrize("room", [0, 60_000])
def test_a_restore_that_finds_no_room_replaces_nothing(
    cli: Cli, home: Path, tmp_path: Path, program: list[str], room: int
) -> None:
    first = a_run(home)
    backed_up(cli, tmp_path / "b.zip")
    second, before = a_run(home), files(home)
    command = [program[0], "-c", LIMITED, str(room), "journal", "restore", str(tmp_path / "b.zip"), "--force"]
    done = subprocess.run([*command, "--json"], check=False, capture_output=True, text=True, timeout=120)
    Said(code=done.returncode, out=done.stdout, err=done.stderr).error(2, "store_unavailable")
    assert (ids(cli), files(home)) == ([second, first], before)


# ---- restore -----------------------------------------------------------------------------------------------


@pytest.mark.requirement("KEEP-9")
def test_a_backup_is_restored_where_there_is_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_real_run(cli)
    backed_up(cli, tmp_path / "b.zip")
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "elsewhere"))
    told = restored(cli, tmp_path / "b.zip")
    assert (told["aside"], told["lost"], told["runs"]) == ([], 0, 1)
    assert ids(cli) == [run]
    assert cli("dossier", "verify", run).code == 0
    assert [row["run_id"] for row in cli("memory", "list", "--json").json] == [run]
    assert files(tmp_path / "elsewhere") == {"journal.db", "memory.db"}


@pytest.mark.requirement("KEEP-9")
def test_a_restore_that_would_lose_runs_is_refused_and_forced_keeps_what_was_there(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    first = a_real_run(cli)
    backed_up(cli, tmp_path / "b.zip")
    second = a_real_run(cli)
    told = cli("journal", "restore", str(tmp_path / "b.zip"), "--json").error(2, "backup_refused")
    assert f"1 are not in the backup ({second})" in told["message"]
    assert ids(cli) == [second, first]
    done = restored(cli, tmp_path / "b.zip", "--force")
    assert (done["lost"], ids(cli)) == (1, [first])
    aside = [Path(path) for path in done["aside"]]
    assert [path.name.partition(".before-restore-")[0] for path in aside] == ["journal.db", "memory.db"]
    with closing(sqlite3.connect(aside[0])) as before:
        assert before.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    assert files(home) == {"dossiers", "journal.db", "memory.db", *(path.name for path in aside)}
    said = cli("journal", "restore", str(tmp_path / "b.zip"))
    assert (said.code, "restored 1 run as of" in said.out) == (0, True)


@pytest.mark.requirement("KEEP-9")
def test_a_run_that_went_on_or_differs_since_the_backup_is_not_lost_unsaid(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    run = a_run(home)
    backed_up(cli, tmp_path / "b.zip")
    with closing(sqlite3.connect(home / "journal.db")) as database:
        database.execute("UPDATE runs SET last_seq = last_seq + 1, head = 'other' WHERE run_id = ?", (run,))
        database.commit()
    told = cli("journal", "restore", str(tmp_path / "b.zip"), "--json").error(2, "backup_refused")
    assert f"1 went on since ({run})" in told["message"]
    with closing(sqlite3.connect(home / "journal.db")) as database:
        database.execute("UPDATE runs SET last_seq = last_seq - 1 WHERE run_id = ?", (run,))
        database.commit()
    told = cli("journal", "restore", str(tmp_path / "b.zip"), "--json").error(2, "backup_refused")
    assert f"({run})" in told["message"]
    backed_up(cli, tmp_path / "c.zip", code=6)


Damage = Callable[[Path], None]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _repack(change: Callable[[dict[str, bytes]], None], path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _without_manifest(members: dict[str, bytes]) -> None:
    del members["manifest.json"]


def _with_another_manifest(members: dict[str, bytes]) -> None:
    members["manifest.json"] = b'{"backup_version": 2}'


def _with_a_guest(members: dict[str, bytes]) -> None:
    members["../../evil"] = b"evil"


def _with_other_bytes(members: dict[str, bytes]) -> None:
    members["journal.db"] = members["journal.db"].replace(b"IBM", b"JBM", 1)


def _with_fewer_runs(members: dict[str, bytes]) -> None:
    manifest = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps(manifest | {"runs": 7}).encode()


DAMAGES: list[Damage] = [
    _cut,
    _flip,
    *(
        partial(_repack, change)
        for change in (
            _without_manifest,
            _with_another_manifest,
            _with_a_guest,
            _with_other_bytes,
            _with_fewer_runs,
        )
    ),
]


@pytest.mark.requirement("KEEP-9")
def test_what_is_not_a_whole_backup_is_refused_and_nothing_changes(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    run = a_run(home)
    before = files(home)
    whole = tmp_path / "whole.zip"
    backed_up(cli, whole)
    for number, damage in enumerate(DAMAGES):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(whole.read_bytes())
        damage(path)
        cli("journal", "restore", str(path), "--force", "--json").error(2, "backup_refused")
    (tmp_path / "no.zip").write_bytes(b"no zip")
    cli("journal", "restore", str(tmp_path / "no.zip"), "--json").error(2, "backup_refused")
    cli("journal", "restore", str(tmp_path / "missing.zip"), "--json").error(2, "store_unavailable")
    assert ids(cli) == [run]
    assert files(home) == before == {"journal.db"}
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.requirement("KEEP-9")
def test_a_journal_that_cannot_be_read_is_put_aside_only_by_force(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    run = a_run(home)
    backed_up(cli, tmp_path / "b.zip")
    (home / "journal.db").write_bytes(b"not a journal")
    (home / "journal.db-wal").write_bytes(b"log")
    told = cli("journal", "restore", str(tmp_path / "b.zip"), "--json").error(2, "backup_refused")
    assert "--force" in told["remedy"]
    done = restored(cli, tmp_path / "b.zip", "--force")
    assert Path(done["aside"][0]).read_bytes() == b"not a journal"
    assert Path(done["aside"][0] + "-wal").read_bytes() == b"log"
    assert ids(cli) == [run]
    assert cli("dossier", "verify", run).code == 0


async def _held(home: Path, *, lease: bool) -> SqliteJournal:
    journal = await _opened(home)
    if lease:
        await journal.create("held", "default", HERE, [CancelRequested(by="x")])
    return journal


@pytest.mark.requirement("KEEP-9")
@pytest.mark.parametrize("lease", [True, False])
def test_a_journal_that_another_process_has_open_is_not_replaced(
    cli: Cli, home: Path, tmp_path: Path, lease: bool
) -> None:
    run = a_run(home)
    with asyncio.Runner() as runner:
        journal = runner.run(_held(home, lease=lease))
        backed_up(cli, tmp_path / "b.zip")
        told = cli("journal", "restore", str(tmp_path / "b.zip"), "--force", "--json").error(5, "lease_held")
        assert "open" in told["message"]
        runner.run(journal.aclose())
    assert run in ids(cli)
    if lease:
        told = cli("journal", "restore", str(tmp_path / "b.zip"), "--force", "--json").error(5, "lease_held")
        assert "at work on run held" in told["message"]
    else:
        restored(cli, tmp_path / "b.zip")


@pytest.mark.requirement("KEEP-10")
def test_a_restore_brings_back_nothing_that_was_erased_since(
    cli: Cli, mind: Mind, home: Path, tmp_path: Path
) -> None:
    mind.answer = f"{SECRET}: IBM stood at 125.55 [s1.1]."
    run, other = a_real_run(cli, f"{TASK} For {SECRET}."), a_real_run(cli)
    backed_up(cli, tmp_path / "b.zip")
    erase(cli, run)
    stone = cli("dossier", "show", run, "--format", "json").out
    done = restored(cli, tmp_path / "b.zip")
    assert (done["lost"], done["erased_again"], done["forgotten_again"]) == (0, 1, 1)
    assert SECRET.encode() not in (home / "memory.db").read_bytes()
    assert cli("dossier", "show", run, "--format", "json").out == stone
    assert cli("dossier", "verify", run).code == cli("dossier", "verify", other).code == 0
    assert cli("runs", "--tool", "finance.snapshot", "--json").json[1]["status"] == "erased"
    told = cli("journal", "erase", other, "--reason", "asked to", "--by", "dpo", "--yes", "--json").json
    assert told["copies"] == done["aside"]
    assert SECRET.encode() not in (home / "journal.db").read_bytes()
    for path in map(Path, done["aside"]):
        path.unlink()
    told = restored(cli, tmp_path / "b.zip")
    assert (told["erased_again"], ids(cli)) == (2, [other, run])
    assert SECRET.encode() not in (home / "journal.db").read_bytes()


async def _begun(home: Path, run_id: str, task: str) -> None:
    journal = await _opened(home)
    lease, _ = await journal.create(run_id, "default", HERE, [begun(task), CancelRequested(by="x")])
    await journal.release(lease)
    await journal.aclose()


async def _gone_on(home: Path, run_id: str, *, by: str) -> None:
    journal = await _opened(home)
    lease = await journal.acquire(run_id, HERE)
    await journal.append(lease, [CancelRequested(by=by), CancelRequested(by="z"), RunEnded(outcome="asked")])
    await journal.release(lease)
    await journal.aclose()


@pytest.mark.requirement("KEEP-10")
def test_a_run_that_went_on_after_the_backup_and_was_then_erased_stays_erased(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    asyncio.run(_begun(home, "r1", f"{TASK} For {SECRET}."))
    backed_up(cli, tmp_path / "b.zip")
    asyncio.run(_gone_on(home, "r1", by="y"))
    erase(cli, "r1")
    stone = cli("dossier", "show", "r1", "--format", "json").out
    a_run(home)
    cli("journal", "restore", str(tmp_path / "b.zip"), "--json").error(2, "backup_refused")
    done = restored(cli, tmp_path / "b.zip", "--force")
    assert (done["lost"], done["erased_again"], ids(cli)) == (1, 1, ["r1"])
    assert SECRET.encode() not in (home / "journal.db").read_bytes()
    assert cli("runs", "--json").json[0]["status"] == "erased"
    assert cli("dossier", "show", "r1", "--format", "json").out == stone
    assert cli("dossier", "verify", "r1").code == cli("journal", "reindex").code == 0


@pytest.mark.requirement("KEEP-10")
def test_an_erased_run_of_which_the_backup_has_another_course_comes_back_erased(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    asyncio.run(_begun(home, "r1", f"{TASK} For {SECRET}."))
    backed_up(cli, tmp_path / "early.zip")
    asyncio.run(_gone_on(home, "r1", by=f"Friend of {SECRET}"))
    backed_up(cli, tmp_path / "late.zip")
    restored(cli, tmp_path / "early.zip", "--force")
    asyncio.run(_gone_on(home, "r1", by="y"))
    erase(cli, "r1")
    told = cli("journal", "restore", str(tmp_path / "late.zip"), "--json").error(2, "backup_refused")
    assert "1 are not the same (r1)" in told["message"]
    done = restored(cli, tmp_path / "late.zip", "--force")
    assert (done["lost"], done["erased_again"]) == (1, 1)
    assert SECRET.encode() not in (home / "journal.db").read_bytes()
    assert cli("dossier", "verify", "r1").code == 0


KILLED = """
import os, signal, sys
from planwarden.app.archive import backups
from planwarden.journal.backup import archive, replacing
where, name, when = sys.argv[1:4]
module = {"app": backups, "replacing": replacing, "os": os}[where]
real = getattr(module, name)
def killed(*given, **named):
    done = real(*given, **named) if when == "after" else None
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, killed)
del sys.argv[1:4]
from planwarden.cli.main import main; main()
"""


def killed_at(program: list[str], point: tuple[str, str, str], *command: str) -> None:
    done = subprocess.run([program[0], "-c", KILLED, *point, *command], check=False, timeout=120)
    assert done.returncode == -9


@pytest.mark.requirement("KEEP-8")
@pytest.mark.parametrize(
    "point",
    [
        ("app", "copy_database", "after"),
        ("app", "write_archive", "before"),
        ("app", "write_archive", "after"),
        ("os", "link", "before"),
    ],
)
def test_a_backup_that_is_killed_leaves_no_file_of_its_name(
    cli: Cli, home: Path, tmp_path: Path, program: list[str], point: tuple[str, str, str]
) -> None:
    run = a_run(home)
    path = tmp_path / "b.zip"
    killed_at(program, point, "journal", "backup", str(path))
    assert not path.exists()
    assert cli("dossier", "verify", run).code == 0
    backed_up(cli, path)


@pytest.mark.requirement("KEEP-9")
@pytest.mark.requirement("KEEP-10")
@pytest.mark.parametrize(
    "point",
    [
        ("replacing", "compare", "before"),
        ("replacing", "carry_erasures", "before"),
        ("replacing", "carry_erasures", "after"),
        ("os", "link", "after"),
        ("replacing", "put_in_place", "after"),
    ],
)
def test_a_restore_that_is_killed_leaves_one_journal_or_the_other_and_is_done_by_doing_it_again(
    cli: Cli, home: Path, tmp_path: Path, program: list[str], point: tuple[str, str, str]
) -> None:
    kept, gone, late = a_run(home), a_run(home, f"{TASK} For {SECRET}."), a_run(home)
    backed_up(cli, tmp_path / "b.zip")
    erase(cli, gone)
    late = a_run(home)
    killed_at(program, point, "journal", "restore", str(tmp_path / "b.zip"), "--force")
    found = ids(cli)
    assert (late in found, kept in found) == (len(found) == 4, True)
    for run in found:
        assert cli("dossier", "verify", run).code == 0
    restored(cli, tmp_path / "b.zip", "--force")
    assert len(ids(cli)) == 3
    assert cli("dossier", "show", gone, "--format", "json").json["erased_by"] == "dpo"
    names = [path.stat().st_ino for path in home.glob("journal.db*")]
    assert len(names) == len(set(names)), "two names of one database"


@pytest.mark.requirement("KEEP-4")
@pytest.mark.requirement("KEEP-10")
@pytest.mark.parametrize("command", ["restore", "backup"])
def test_what_a_killed_restore_or_backup_unpacked_in_the_home_goes_with_the_next_erasure(
    cli: Cli, home: Path, tmp_path: Path, program: list[str], command: str
) -> None:
    gone = a_run(home, f"{TASK} For {SECRET}.")
    backed_up(cli, tmp_path / "b.zip")
    where = tmp_path / "b.zip" if command == "restore" else home
    point = ("replacing", "compare", "before") if command == "restore" else ("app", "write_archive", "before")
    killed_at(program, point, "journal", command, str(where))
    (left,) = left_in(home)
    assert SECRET.encode() in (left / "journal.db").read_bytes()
    look = cli("journal", "erase", gone, "--dry-run", "--json").json
    assert (look["copies"], left.exists()) == ([str(left)], True)
    with scratch(home, "other") as at_work:
        told = cli("journal", "erase", gone, "--reason", "asked to", "--by", "dpo", "--yes", "--json").json
        assert (told["copies"], at_work.exists()) == ([str(at_work)], True)
    assert [path for path in home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []


@pytest.mark.requirement("KEEP-9")
def test_what_a_killed_restore_left_goes_with_the_next_restore_or_wiping(
    cli: Cli, home: Path, tmp_path: Path, program: list[str]
) -> None:
    a_run(home)
    backed_up(cli, tmp_path / "b.zip")
    for then in (("journal", "restore", str(tmp_path / "b.zip")), ("journal", "erase")):
        killed_at(program, ("replacing", "compare", "before"), "journal", "restore", str(tmp_path / "b.zip"))
        assert len(left_in(home)) == 1
        assert cli(*then).code == 0
        assert left_in(home) == []


# ---- upgrade -----------------------------------------------------------------------------------------------


def an_old_journal(home: Path, version: int) -> None:
    home.mkdir()
    script = {1: VERSION_1, 2: VERSION_2}[version].read_text("utf-8")
    with closing(sqlite3.connect(home / "journal.db")) as database:
        database.executescript(script)
        assert database.execute("PRAGMA user_version").fetchone() == (version,)


def stored_version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.requirement("KEEP-11")
@pytest.mark.parametrize("version", [1, 2])
def test_an_older_journal_is_backed_up_and_upgraded(
    offline: Cli, home: Path, tmp_path: Path, version: int
) -> None:
    an_old_journal(home, version)
    said = offline("journal", "upgrade", "--json")
    assert said.code == 0, said
    assert (said.json["from"], said.json["to"]) == (version, SCHEMA_VERSION)
    assert stored_version(home / "journal.db") == SCHEMA_VERSION
    with closing(sqlite3.connect(home / "journal.db")) as database:
        found = database.execute("SELECT run_id FROM runs WHERE conversation = ?", ("Grüße \x00'",))
        assert found.fetchall() == [("r4",)]
    for run in ("r1", "r2", "r3", "r4", "r5"):
        assert not offline("dossier", "verify", run, "--json").json["faults"]
    with zipfile.ZipFile(said.json["backup"]) as archive:
        archive.extract("journal.db", tmp_path)
    assert stored_version(tmp_path / "journal.db") == version
    again = offline("journal", "upgrade")
    assert (again.code, f"nothing to do: schema version {SCHEMA_VERSION}" in again.out) == (0, True)
    assert restored(offline, Path(said.json["backup"]))["schema_version"] == version
    assert stored_version(home / "journal.db") == SCHEMA_VERSION


@pytest.mark.requirement("KEEP-11")
def test_an_upgrade_says_from_what_to_what_and_where_the_backup_is(
    offline: Cli, home: Path, tmp_path: Path
) -> None:
    offline("journal", "upgrade", "--json").error(2, "input_error")
    an_old_journal(home, 1)
    said = offline("journal", "upgrade", "--backup", str(tmp_path / "v1.zip"))
    assert said.code == 0
    assert f"from schema version 1 to {SCHEMA_VERSION}" in said.out
    assert str(tmp_path / "v1.zip") in said.out.replace("\n", "")
    with closing(sqlite3.connect(home / "journal.db")) as database:
        database.execute("PRAGMA user_version = 99")
    offline("journal", "upgrade", "--json").error(2, "store_version")


@pytest.mark.requirement("KEEP-11")
def test_an_upgrade_that_cannot_be_backed_up_changes_nothing(
    offline: Cli, home: Path, tmp_path: Path
) -> None:
    an_old_journal(home, 1)
    (tmp_path / "v1.zip").write_bytes(b"mine")
    offline("journal", "upgrade", "--backup", str(tmp_path / "v1.zip"), "--json").error(2, "input_error")
    assert stored_version(home / "journal.db") == 1


@pytest.mark.requirement("KEEP-11")
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_upgrade_that_is_killed_leaves_the_old_journal_or_the_new_one(
    offline: Cli, home: Path, program: list[str], when: str
) -> None:
    an_old_journal(home, 1)
    killed_at(program, ("app", "open_for_writing", when), "journal", "upgrade")
    assert stored_version(home / "journal.db") == (1 if when == "before" else SCHEMA_VERSION)
    assert offline("journal", "upgrade", "--json").code == 0
    assert stored_version(home / "journal.db") == SCHEMA_VERSION
    assert len(list(home.glob("before-upgrade-v1-*.zip"))) == (2 if when == "before" else 1)
