"""`planwarden metrics --listen`: a process of its own, scraped while runs and journal come and go."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from surfaces_kit import Cli, Mind

TASK = "What is the latest price of IBM?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The command while it listens, and all that it says on stderr."""

    process: subprocess.Popen[str]
    url: str

    def scrape(self, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}/metrics", headers=headers, timeout=60)

    def value(self, name: str, **labels: str) -> float:
        answer = self.scrape()
        assert answer.status_code == 200, answer.text
        (found,) = (
            sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        )
        return found

    def said(self) -> str:
        """Read a line of stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Give how it ended, and what it said last."""
        self.process.send_signal(how)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def listening(program: list[str], *, env: dict[str, str] | None = None) -> Generator[Listening]:
    command = [*program, "metrics", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        (url,) = re.findall(r"at (http://127\.0\.0\.1:\d+)/metrics$", first)
        yield Listening(process=process, url=url)
    finally:
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.requirement("MET-7")
def test_each_scrape_shows_the_runs_as_they_are_by_then(cli: Cli, mind: Mind, program: list[str]) -> None:
    with listening(program) as served:
        assert served.value("planwarden_runs_total", outcome="completed") == 0
        cli("run", TASK)
        mind.steps = ["files.write"]
        cli("run", "Write hello to notes.md")
        assert served.value("planwarden_runs_total", outcome="completed") == 1
        assert served.value("planwarden_approvals_waiting", kind="call") == 1
        cli("resolve", cli("runs", "--status", "waiting", "--json").json[0]["run_id"], "--approve")
        assert served.value("planwarden_runs_total", outcome="completed") == 2
        assert served.value("planwarden_approvals_waiting", kind="call") == 0
        printed = cli("metrics").out
        assert served.scrape().text == printed


@pytest.mark.requirement("MET-6")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(offline: Cli, program: list[str], how: signal.Signals) -> None:
    with listening(program) as served:
        assert httpx.get(f"{served.url}/healthz", timeout=60).text == "ok\n"
        code, last = served.stop(how)
    assert (code, last) == (0, "stopping\n")


@pytest.mark.requirement("MET-6")
def test_scrapes_at_the_same_time_all_get_the_same(cli: Cli, program: list[str]) -> None:
    cli("run", TASK)
    with listening(program) as served, ThreadPoolExecutor(16) as pool:

        def ask(_: int) -> str:
            return served.scrape().text

        answers = set(pool.map(ask, range(32)))
    assert answers == {cli("metrics").out}


@pytest.mark.requirement("MET-2")
def test_the_other_form_is_read_by_its_own_parser(cli: Cli, program: list[str]) -> None:
    cli("run", TASK)
    with listening(program) as served:
        answer = served.scrape(Accept="application/openmetrics-text;version=1.0.0")
    families = cast("Iterable[Metric]", openmetrics.text_string_to_metric_families(answer.text))  # pyright: ignore[reportUnknownMemberType] - untyped there
    names = {family.name for family in families}
    assert {"planwarden_runs", "planwarden_adherence_ratio"} <= names


@pytest.mark.requirement("MET-8")
def test_a_journal_that_breaks_or_goes_is_503_and_said_once_and_counts_again_when_it_is_back(
    cli: Cli, home: Path, program: list[str], tmp_path: Path
) -> None:
    cli("run", TASK)
    kept = tmp_path / "kept"
    with listening(program, env={"PLANWARDEN_LOG": "json"}) as served:
        assert served.value("planwarden_runs_total", outcome="completed") == 1
        shutil.move(home / "journal.db", kept)
        for _ in range(2):
            assert served.scrape().status_code == 503
        assert '"event": "journal_unreadable"' in served.said()
        assert "store_unavailable" in served.said()
        assert "what to do" in served.said()
        assert not (home / "journal.db").exists()
        (home / "journal.db").write_bytes(b"no journal at all, but something else")
        answer = served.scrape()
        assert (answer.status_code, answer.text) == (503, "store_corrupt: the log says more\n")
        assert "journal_unreadable" in served.said()
        assert httpx.get(f"{served.url}/healthz", timeout=60).status_code == 200
        kept.replace(home / "journal.db")
        assert served.value("planwarden_runs_total", outcome="completed") == 1
        assert "can be read again" in served.stop()[1]


@pytest.mark.requirement("MET-8")
def test_another_journal_in_its_place_is_counted_from_the_beginning(
    cli: Cli, home: Path, program: list[str]
) -> None:
    cli("run", TASK)
    shutil.copy(home / "journal.db", home / "older.db")
    cli("run", TASK)
    with listening(program) as served:
        assert served.value("planwarden_runs_total", outcome="completed") == 2
        for name in ("journal.db-wal", "journal.db-shm"):
            (home / name).unlink(missing_ok=True)
        (home / "older.db").replace(home / "journal.db")
        assert served.value("planwarden_runs_total", outcome="completed") == 1


@pytest.mark.requirement("MET-6")
def test_an_address_that_others_can_reach_is_warned_about(offline: Cli) -> None:
    said = offline("metrics", "--listen", "203.0.113.7:9464")  # no machine has it: it ends at once
    assert said.code == 2
    assert "203.0.113.7:9464 can be reached from other machines" in said.err
    assert "address_unusable" in said.err
    assert "other machines" not in offline("metrics", "--listen", "[::1]:99999").err
