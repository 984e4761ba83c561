"""`planwarden chat`: piped lines, and a real terminal with a person at it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from planwarden.cli.chat.lines import Lines
from surfaces_kit import Cli, Mind

TASK = "What is the latest price of IBM?"
WAIT_S = 60


class Terminal:
    """A process whose terminal we are."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self._master = master
        self.process = process
        self.seen = ""
        self._at = 0

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, words: str) -> str:
        """Read on until these words are on the screen; give what came since the words before."""
        deadline = time.monotonic() + WAIT_S
        while words not in self.seen[self._at :]:
            ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{words!r} never came: {self.seen[self._at :]}"
            with suppress(OSError):
                self.seen += os.read(self._master, 65536).decode("utf-8", "replace")
        start, self._at = self._at, self.seen.index(words, self._at) + len(words)
        return self.seen[start : self._at]


MAKE_IT_THE_TERMINAL = (
    "import os, signal, sys; os.login_tty(0); signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Run in the child: the terminal has to be its own, so that Ctrl-C reaches it and no one else; a shell that
started the tests in the background has it ignored, which children inherit."""


@contextmanager
def terminal(program: list[str], *arguments: str) -> Generator[Terminal]:
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40", "NO_COLOR": "1"}
    own = [sys.executable, "-c", MAKE_IT_THE_TERMINAL, *program, "chat", *arguments]
    with subprocess.Popen(own, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        try:
            yield Terminal(master, process)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            os.close(master)


# ---- piped -------------------------------------------------------------------------------------------


@pytest.mark.requirement("CHAT-1")
def test_piped_lines_are_tasks_of_one_conversation_without_any_prompt(cli: Cli, mind: Mind) -> None:
    said = cli("chat", "--conversation", "talk", stdin=f"{TASK}\n\nAnd for MSFT?\n".encode())
    assert said.code == 0
    assert said.out.count("125.55") == 2
    assert "> " not in said.out
    assert "Earlier" not in mind.planned[0]
    assert f"Earlier request: {TASK}" in mind.planned[1]
    assert mind.planned[1].endswith("And for MSFT?")
    assert "adherence 100%" in said.out
    assert "dossiers/" in said.out


@pytest.mark.requirement("CHAT-1")
def test_a_conversation_is_gone_on_with_another_time_and_a_new_one_knows_nothing_of_it(
    cli: Cli, mind: Mind
) -> None:
    cli("chat", "--conversation", "talk", stdin=TASK.encode())
    cli("chat", "--conversation", "talk", stdin=b"And for MSFT?")
    cli("chat", stdin=b"And for AMZN?")
    cli("chat", "--conversation", "talk", stdin=b"/new\nAnd for AAPL?")
    assert [f"Earlier request: {TASK}" in asked for asked in mind.planned] == [False, True, False, False]


@pytest.mark.requirement("CHAT-2")
def test_slash_commands_show_the_plan_the_runs_the_dossier_and_the_data(
    cli: Cli, tmp_path: Path, home: Path
) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("symbol,date,price\nIBM,2024-01-01,5\nIBM,2024-02-01,6\n")
    lines = ["/plan", "/runs", "/dossier", "/data", TASK, "/plan", "/runs", "/dossier", f"/data {prices}"]
    said = cli("chat", stdin="\n".join([*lines, "/help", "/nope", "//slash", "/quit", TASK]).encode())
    assert said.code == 0, said
    before, after = said.out.split("planner · hand-off", 1)
    for told in ("no plan yet", "no runs yet", "no run yet", "the samples that ship"):
        assert told in before
    for told in ("completed", "# Dossier", str(prices), "/quit"):
        assert told in after
    assert "/nope is no command" in said.err
    assert len(list((home / "dossiers").glob("r*.json"))) == 2


@pytest.mark.requirement("CHAT-3")
def test_a_task_that_fails_or_data_that_is_missing_does_not_end_the_chat(cli: Cli, mind: Mind) -> None:
    mind.arguments.insert(0, {"symbol": "NOPE"})
    said = cli("chat", stdin=f"{'x' * 40_000}\n/data /not/there\n{TASK}\n/runs".encode())
    assert "task_rejected" in said.err
    assert "data_rejected" in said.err
    assert "failed" in said.out
    assert said.code in (3, 4)


@pytest.mark.requirement("CHAT-4")
def test_piped_lines_are_never_taken_for_an_approval(cli: Cli, mind: Mind, home: Path) -> None:
    mind.steps = ["files.write"]
    said = cli("chat", stdin=b"Write hello to notes.md\nyes\n/runs")
    assert said.out.count("needs approval") == 1
    assert "planwarden resolve" in said.out
    assert "waiting" in said.out.split("adherence")[-1]
    assert any(asked.endswith("yes") for asked in mind.planned)
    assert not (home / "workspace" / "notes.md").exists()


@pytest.mark.requirement("CHAT-5")
def test_nothing_that_a_task_or_an_answer_says_is_obeyed_by_the_terminal(cli: Cli, mind: Mind) -> None:
    mind.answer = "IBM \x1b[2Jstood \x07at [bold]125.55[/]"
    said = cli("chat", stdin=b"Price of IBM \x1b]0;owned\x07 please\n/runs\n\x1b[31m\n")
    assert "\x1b" not in said.out + said.err
    assert "\x07" not in said.out + said.err
    assert "[bold]125.55[/]" in said.out


@pytest.mark.requirement("CHAT-3")
def test_a_chat_that_cannot_begin_ends_with_an_error(offline: Cli, tmp_path: Path) -> None:
    assert offline("chat", "--config", str(tmp_path / "none.yaml"), stdin=b"").code == 2
    assert offline("chat", "--data", str(tmp_path / "none"), stdin=b"").code == 2
    assert offline("chat", "--conversation", "", stdin=b"").code == 2


# ---- a person ----------------------------------------------------------------------------------------


@pytest.mark.requirement("CHAT-6")
def test_a_person_talks_recalls_what_was_typed_and_leaves_with_ctrl_d(
    cli: Cli, program: list[str], home: Path
) -> None:
    with terminal(program, "--conversation", "talk") as screen:
        screen.until("> ")
        screen.type(f"{TASK}\n")
        assert "finance.snapshot" in screen.until("dossiers/")
        screen.until("> ")
        screen.type("\x1b[A\n")  # arrow up: the line before
        screen.until("dossiers/")
        screen.until("> ")
        screen.type("\x03")
        screen.until("> ")
        screen.type("\x04")
        screen.until("planwarden chat --conversation talk")
        assert screen.process.wait(WAIT_S) == 0
    kept = home / "chat_history"
    assert TASK in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.requirement("CHAT-4")
@pytest.mark.parametrize(("said", "written", "status"), [("y", True, "completed"), ("no", False, "failed")])
def test_a_person_is_shown_a_call_that_needs_approval_and_says_yes_or_no(
    cli: Cli, mind: Mind, program: list[str], home: Path, said: str, written: bool, status: str
) -> None:
    mind.steps = ["files.write"]
    with terminal(program) as screen:
        screen.until("> ")
        screen.type("Write hello to notes.md\n")
        asked = screen.until("may it happen?")
        for told in ("files.write", '"content": "hello"', "writes-need-a-person"):
            assert told in asked
        screen.type("what\n")
        screen.until("may it happen?")
        screen.type(f"{said}\n")
        assert status in screen.until("dossiers/")
        screen.until("> ")
        screen.type("\x04")
        assert screen.process.wait(WAIT_S) == 0
    assert (home / "workspace" / "notes.md").exists() is written


@pytest.mark.requirement("CHAT-6")
def test_ctrl_c_cancels_the_running_task_on_record_and_the_chat_goes_on(
    cli: Cli, mind: Mind, program: list[str], home: Path
) -> None:
    import threading

    asked, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        go_on.wait(WAIT_S)

    mind.on_answer = hang
    with terminal(program) as screen:
        screen.until("> ")
        screen.type(f"{TASK}\n")
        assert asked.wait(WAIT_S)
        screen.type("\x03")
        screen.until("stopping")
        assert "cancelled" in screen.until("dossiers/")
        go_on.set()
        mind.on_answer = lambda: None
        screen.until("> ")
        screen.type(f"{TASK}\n")
        assert "completed" in screen.until("dossiers/")
        screen.type("/quit\n")
        assert screen.process.wait(WAIT_S) == 0
    rows = cli("runs", "--json").json
    assert [row["status"] for row in rows] == ["completed", "cancelled"]
    assert cli("dossier", "verify", rows[1]["run_id"]).code == 0


@pytest.mark.requirement("CHAT-4")
def test_a_script_is_asked_nothing() -> None:
    assert Lines(interactive=False).choose("may it happen?", {"yes": "approve"}) is None
