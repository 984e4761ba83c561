"""`kill -9` of a real process at every position of a run's journal, and in the middle of every effect."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from killed_run import ANSWER, Order

from planwarden.testing.failing_journal import Moment

pytestmark = pytest.mark.requirement("RUN-13")

SCRIPT = Path(__file__).with_name("killed_run.py")
KILLED = -signal.SIGKILL
MAX_WRITES = 40


class Processes:
    """Starts one real process after the other, each forked from one that has paid for the imports."""

    def __init__(self, parent: subprocess.Popen[str]) -> None:
        self._parent = parent

    def carry_out(self, order: Order) -> tuple[int, dict[str, Any] | None]:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(asdict(order)) + "\n")
        self._parent.stdin.flush()
        for line in self._parent.stdout:
            if line.startswith(ANSWER):  # other lines are logs
                said = json.loads(line.removeprefix(ANSWER))
                return said["code"], said["outcome"]
        pytest.fail("the forking process ended")

    def finished(self, order: Order) -> dict[str, Any]:
        code, outcome = self.carry_out(order)
        assert code == 0, f"{order} ended with {code}"
        assert outcome is not None
        return outcome


@contextmanager
def forking() -> Generator[Processes]:
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            yield Processes(parent)
        finally:
            parent.kill()


@pytest.fixture(scope="module")
def processes() -> Generator[Processes]:
    with forking() as given:
        yield given


def essence(outcome: dict[str, Any]) -> dict[str, Any]:
    """What must be the same however often the run was killed."""
    names = ("status", "answer", "evidence", "adherence", "calls", "told", "written", "replaced")
    return {name: outcome[name] for name in names}


def brought_to_its_end(
    processes: Processes, folder: Path, outcome: dict[str, Any], *, free: bool = False
) -> dict[str, Any]:
    """Release a run that is parked in doubt, as a person would who looks at what is really there."""
    if outcome["status"] != "in_doubt":
        return outcome
    assert outcome["calls"]["s3.1"] == "in_doubt"
    assert set(outcome["calls"].values()) == {"returned", "in_doubt"}
    assert outcome["answer"] is not None
    verb = "done" if outcome["told"] else "not_done"
    return processes.finished(Order(str(folder), verb=verb, free=free))


@pytest.fixture(scope="module")
def undisturbed(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    outcome = processes.finished(Order(str(tmp_path_factory.mktemp("undisturbed"))))
    assert outcome["status"] == "completed"
    assert (len(outcome["told"]), outcome["written"]) == (1, "the number is 12\n")
    return outcome


@pytest.mark.requirement("FREE-5")
@pytest.mark.parametrize(("when", "free"), [("before", False), ("after", False), ("after", True)])
def test_a_run_killed_at_any_write_comes_to_the_same_end_with_no_effect_twice(
    processes: Processes, undisturbed: dict[str, Any], tmp_path: Path, when: Moment, free: bool
) -> None:
    if free:
        undisturbed = processes.finished(Order(str(tmp_path), free=True))
        assert (undisturbed["status"], len(undisturbed["told"])) == ("completed", 1)
    killed, parked = 0, 0
    for at in range(1, MAX_WRITES):
        folder = tmp_path / str(at)
        folder.mkdir()
        code, _ = processes.carry_out(Order(str(folder), at=at, when=when, free=free))
        if code == 0:
            break
        assert code == KILLED
        killed += 1
        if (at, when) == (1, "before"):
            continue  # nothing was acknowledged, and nothing is there
        outcome = processes.finished(Order(str(folder), verb="resume", free=free))
        parked += outcome["status"] == "in_doubt"
        outcome = brought_to_its_end(processes, folder, outcome, free=free)
        assert essence(outcome) == essence(undisturbed), f"killed {when} write {at}"
    assert killed == undisturbed["seq"] - 1  # the first write holds two events
    assert parked == 1  # around the open intent of the tool that cannot say


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("tool", ["look", "files.write", "tell"])
def test_a_run_killed_around_an_effect_never_repeats_it(
    processes: Processes, undisturbed: dict[str, Any], tmp_path: Path, tool: str, when: Moment
) -> None:
    code, _ = processes.carry_out(Order(str(tmp_path), tool=tool, when=when))
    assert code == KILLED
    outcome = processes.finished(Order(str(tmp_path), verb="resume"))
    assert outcome["status"] == ("in_doubt" if tool == "tell" else "completed")
    assert len(outcome["told"]) == (0 if (tool, when) == ("tell", "before") else 1)
    if tool == "files.write":
        assert outcome["settled"] == ({"s2.1": "verify"} if when == "after" else {})
        assert outcome["attempts"]["s2.1"] == (2 if when == "before" else 1)
    outcome = brought_to_its_end(processes, tmp_path, outcome)
    assert essence(outcome) == essence(undisturbed)
    if tool == "tell":
        assert outcome["settled"] == ({"s3.1": "ann"} if when == "after" else {})


def test_a_run_killed_again_and_again_while_it_resumes_comes_to_the_same_end(
    processes: Processes, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    order = Order(str(tmp_path), at=2, when="after")
    for _ in range(MAX_WRITES):
        code, outcome = processes.carry_out(order)
        assert code in (0, KILLED)
        if outcome is not None and outcome["status"] == "completed":
            assert essence(outcome) == essence(undisturbed)
            return
        verb = "resume" if outcome is None else ("done" if outcome["told"] else "not_done")
        order = Order(str(tmp_path), verb=verb, at=4, when="after")  # one step further in each life
    pytest.fail("it never ended")


def test_a_killed_process_of_its_own_leaves_a_run_that_another_one_finishes(
    undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    with forking() as first:
        code, _ = first.carry_out(Order(str(tmp_path), at=9, when="after"))
        assert code == KILLED
    with forking() as second:
        outcome = second.finished(Order(str(tmp_path), verb="resume"))
        assert essence(brought_to_its_end(second, tmp_path, outcome)) == essence(undisturbed)
