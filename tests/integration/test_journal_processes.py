"""Several real processes on one journal: one killed, one stopped, many at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from journal_worker import HERE, LEASE_S, open_journal, said

from planwarden.contracts.facts import StepFailed
from planwarden.errors import LeaseHeld
from planwarden.journal.port import Owner

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).with_name("journal_worker.py")


@contextmanager
def worker(what: str, path: Path) -> Generator[subprocess.Popen[str], None, None]:
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(WORKER), what, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


@pytest.mark.requirement("JRN-8")
@pytest.mark.parametrize("heard", [1, 2, 7, 30])
async def test_everything_acknowledged_is_there_after_kill_9_and_the_run_is_free_at_once(
    tmp_path: Path, heard: int
) -> None:
    path = tmp_path / "journal.sqlite"
    with worker("write", path) as process:
        for _ in range(heard):
            hear(process)
        process.kill()
        assert process.stdout is not None
        rest = process.stdout.read()
        process.wait()
    acknowledged = heard + rest.count("\n")

    journal = await open_journal(path)
    try:
        assert await journal.verify("r1") == ()
        told = [e.fact.message for e in await journal.read("r1") if isinstance(e.fact, StepFailed)]
        whole_batches = (len(told) - 1) // 3
        assert told == ["begun", *(f"{number}{part}" for number in range(whole_batches) for part in "abc")]
        assert whole_batches in {acknowledged, acknowledged + 1}
        lease = await journal.acquire("r1", HERE)
        assert lease.epoch == 2
        await journal.append(lease, [said("carried on")])
        assert await journal.verify("r1") == ()
    finally:
        await journal.aclose()


@pytest.mark.requirement("JRN-3")
async def test_a_stopped_owner_keeps_its_run_until_the_lease_ends_and_then_cannot_write(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.sqlite"
    with worker("hold", path) as process:
        assert hear(process) == "holding"
        process.send_signal(signal.SIGSTOP)
        now, later = await open_journal(path), await open_journal(path, later_s=LEASE_S)
        try:
            with pytest.raises(LeaseHeld, match=f"process {process.pid} on "):
                await now.acquire("r1", HERE)
            assert (await later.acquire("r1", HERE)).epoch == 2
            process.send_signal(signal.SIGCONT)
            tell(process, "go on")
            assert hear(process) == "lost"
            assert len(await now.read("r1")) == 1
        finally:
            await now.aclose()
            await later.aclose()


@pytest.mark.requirement("JRN-3")
async def test_of_two_processes_that_want_a_free_run_exactly_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    runs = [f"r{number}" for number in range(20)]
    gone = Owner(id="gone", host="elsewhere", pid=1)
    journal = await open_journal(path)
    for run_id in runs:
        lease, _ = await journal.create(run_id, "default", gone, [said("begun")])
        await journal.release(lease)
    with worker("contend", path) as one, worker("contend", path) as two:
        assert (hear(one), hear(two)) == ("ready", "ready")
        for run_id in runs:
            tell(one, run_id)
            tell(two, run_id)
            assert sorted((hear(one), hear(two))) == ["held", "won 2"]
    await journal.aclose()


@pytest.mark.requirement("JRN-10")
async def test_processes_that_make_the_same_journal_at_once_all_end_up_in_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.sqlite"
    with worker("contend", path) as one, worker("contend", path) as two, worker("contend", path) as three:
        assert {hear(process) for process in (one, two, three)} == {"ready"}
        journal = await open_journal(path)
        await journal.release((await journal.create("r1", "default", HERE, [said("begun")]))[0])
        for process in (one, two, three):
            tell(process, "r1")
        assert sorted(hear(process) for process in (one, two, three)) == ["held", "held", "won 2"]
        await journal.aclose()
    assert [file.name for file in path.parent.iterdir() if not file.name.startswith(path.name)] == []


@pytest.mark.requirement("JRN-8")
async def test_another_process_that_opens_and_leaves_the_journal_does_not_take_its_log_along(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.sqlite"
    with worker("hold", path) as holder:
        assert hear(holder) == "holding"
        with worker("contend", path) as other:
            assert hear(other) == "ready"
            tell(other, "")
            other.wait()
        tell(holder, "go on")
        assert hear(holder) == "written"
        holder.kill()
        holder.wait()
    journal = await open_journal(path)
    try:
        assert len(await journal.read("r1")) == 2
    finally:
        await journal.aclose()


SHORT = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM runs'); c.close()"
"""Another process that opens the file, looks, and closes: as the last one it would take the log away."""


@pytest.mark.requirement("JRN-8")
async def test_a_process_that_comes_and_goes_leaves_a_living_one_its_log(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    ours = await open_journal(path)
    lease, _ = await ours.create("r1", "default", HERE, [said("begun")])
    again, only_reading = await open_journal(path), await open_journal(path, read_only=True)
    await again.aclose()
    await only_reading.aclose()
    await anyio.run_process([sys.executable, "-c", SHORT, str(path)])
    assert path.with_name(f"{path.name}-wal").exists()
    await ours.append(lease, [said("after it had gone")])
    with worker("look", path) as process:  # sees what is on disk, not what we believe is
        assert hear(process) == "2 events, 0 faults"
    await ours.aclose()
