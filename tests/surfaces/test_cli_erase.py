"""`planwarden journal erase` and `retain`: what runs said goes, everywhere; their chains and figures stay."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from planwarden.app.system import SystemClock, SystemIds
from planwarden.cli.task_input import this_person
from planwarden.contracts.event import GENESIS
from planwarden.contracts.facts import Fact, RunEnded, RunStarted
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.task import Task
from planwarden.journal.owner import this_process
from planwarden.journal.sqlite.journal import SqliteJournal
from surfaces_kit import (
    Cli,
    Mind,
    Said,
    drop_the_last_event,
    flip_a_payload_byte,
    plan_file,
    spoil_a_payload,
)

ME = this_person()
PLAIN = "What is the latest price of IBM?"
SECRET = "Erika-Mustermann-4711"
TASK = f"{PLAIN} Asked for {SECRET}."
MODEL = ModelIdentity(provider="p", model="m")
NOTE = {"id": "s1", "agent": "enterprise_agent", "tools": ["files.write"]}


class Then(SystemClock):
    """A clock of long ago."""

    def now(self) -> datetime:
        return datetime(2020, 1, 1, tzinfo=UTC)


def a_run(cli: Cli, task: str = TASK, *more: str) -> str:
    said = cli("run", task, "--json", *more)
    assert said.code == 0, said
    return said.json["run_id"]


def a_waiting_run(cli: Cli, folder: Path, *more: str) -> str:
    said = cli("run", f"Write notes.md for {SECRET}", "--json", "--plan", plan_file(folder, NOTE), *more)
    assert said.code == 5, said
    return said.json["run_id"]


def erase(cli: Cli, *arguments: str, code: int = 0) -> dict[str, Any]:
    said = cli("journal", "erase", *arguments, "--reason", "asked to", "--by", "dpo", "--yes", "--json")
    assert said.code == code, said
    return said.json


def holding(home: Path, secret: str = SECRET) -> set[str]:
    """Name the files under the home in whose bytes the secret stands."""
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) >= 2
    return {path.name for path in files if secret.encode() in path.read_bytes()}


def search(cli: Cli, *options: str) -> list[str]:
    said = cli("runs", "--json", *options)
    assert said.code == 0, said
    return [row["run_id"] for row in said.json]


@pytest.mark.requirement("KEEP-4")
def test_no_byte_of_what_an_erased_run_said_stays_under_the_home(cli: Cli, mind: Mind, home: Path) -> None:
    mind.answer = f"{SECRET}: IBM stood at 125.55 [s1.1]."
    run = a_run(cli, TASK, "--conversation", f"talk-of-{SECRET}")
    for wal in (home / "journal.db", home / "memory.db"):
        assert wal.exists()
    assert holding(home) >= {"journal.db", "memory.db", f"{run}.json"}
    told = erase(cli, run)
    assert (told["runs"], told["run_ids"], told["plans"], told["wiped"]) == (1, [run], 1, True)
    assert told["payloads"] >= 8
    assert holding(home) == set()
    assert cli("memory", "rebuild", "--json").json["remembered"] == 0
    assert holding(home) == set()


@pytest.mark.requirement("KEEP-4")
def test_what_an_older_planwarden_left_in_free_pages_is_wiped_too(cli: Cli, home: Path) -> None:
    run = a_run(cli, PLAIN)
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete = OFF")
        for number in range(200):
            row = (run, "2026-01-01", "n", f"{SECRET} {number} ".encode() * 20)
            database.execute("INSERT INTO inbox (run_id, at, nonce, body) VALUES (?, ?, ?, ?)", row)
        database.execute("DELETE FROM inbox")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert holding(home) == {"journal.db"}
    erase(cli, run)
    assert holding(home) == set()


@pytest.mark.requirement("KEEP-1")
def test_the_chain_of_an_erased_run_verifies_and_says_who_erased_it(cli: Cli, home: Path) -> None:
    run, other = a_run(cli), a_run(cli, PLAIN)
    before = cli("dossier", "verify", run, "--json").json
    erase(cli, run)
    after = cli("dossier", "verify", run, "--json")
    assert (after.code, after.json["ok"], after.json["events"]) == (0, True, before["events"] + 1)
    assert (after.json["erased"]["by"], after.json["erased"]["reason"]) == ("dpo", "asked to")
    said = cli("dossier", "verify", run).out
    assert "intact" in said
    assert "erased by dpo on 2" in said
    untouched = cli("dossier", "verify", other, "--json").json
    assert (untouched["ok"], untouched["erased"]) == (True, None)
    drop_the_last_event(home, run)
    assert cli("dossier", "verify", run).code == 6


@pytest.mark.requirement("KEEP-3")
def test_an_erased_run_is_shown_as_its_tombstone(cli: Cli, home: Path) -> None:
    run = a_run(cli)
    erase(cli, run)
    stone = cli("dossier", "show", run, "--format", "json").json
    assert (stone["tombstone_version"], stone["erased_by"], stone["reason"]) == (1, "dpo", "asked to")
    assert (stone["summary"]["status"], stone["summary"]["tools"][0]) == ("completed", "finance.snapshot")
    assert stone["head"] == stone["events"][-1]["hash"]
    exported = home / "dossiers" / f"{run}.json"
    assert json.loads(exported.read_text("utf-8")) == stone
    page = cli("dossier", "show", run).out
    for part in (f"# Run {run}: erased", "by dpo", "**Reason:** asked to", "completed", "finance.snapshot"):
        assert part in page
    web = cli("dossier", "show", run, "--format", "html").out
    for part in ("<!doctype html>", f"<code>{run}</code>", "asked to", "finance.snapshot", "payloads_erased"):
        assert part in web
    for form in ("md", "json", "html"):
        assert "asked to" not in cli("dossier", "show", run, "--format", form, "--redact", "personal").out
    exported.write_bytes(exported.read_bytes().replace(b"asked to", b"asked so"))
    (fault,) = cli("dossier", "verify", run, "--json").json["faults"]
    assert "differs from the journal" in fault["problem"]


@pytest.mark.requirement("KEEP-3")
@pytest.mark.parametrize(
    "command",
    [
        ("resume", "RUN"),
        ("resolve", "RUN", "--approve"),
        ("cancel", "RUN"),
        ("memory", "forget", "--run", "RUN"),
        ("replay", "RUN"),
    ],
)
def test_to_go_on_with_an_erased_run_is_refused(cli: Cli, command: tuple[str, ...]) -> None:
    run = a_run(cli)
    erase(cli, run)
    said = cli(*(run if part == "RUN" else part for part in command), "--json")
    told = said.error(2, "run_erased")
    assert run in told["message"]
    assert cli("dossier", "verify", run).code == 0


@pytest.mark.requirement("KEEP-2")
def test_an_erased_run_is_found_and_counted_as_before(cli: Cli) -> None:
    run, other = a_run(cli), a_run(cli, PLAIN)
    erase(cli, run)
    assert search(cli, "--tool", "finance.snapshot") == search(cli, "--status", "completed") == [other, run]
    assert cli("journal", "reindex", "--json").json == {"indexed": 1}
    assert search(cli, "--tool", "finance.snapshot") == [other, run]
    (_, row) = cli("runs", "--json").json
    assert (row["status"], row["answer"]) == ("erased", None)
    assert "erased" in cli("runs").out
    assert cli("metrics").code == 0
    checks = {each["check"] for each in cli("doctor", "--json").json["checks"]}
    assert "leases" in checks
    assert "unfinished runs" not in checks


@pytest.mark.requirement("KEEP-5")
def test_runs_are_chosen_by_conversation_and_later_ones_that_quote_them_are_named(
    cli: Cli, home: Path
) -> None:
    first = a_run(cli, TASK, "--conversation", "c1")
    second = a_run(cli, "And of MSFT?", "--conversation", "c1")
    apart = a_run(cli, PLAIN, "--conversation", "c2")
    told = erase(cli, first)
    assert told["quoted_in"] == [second]
    assert "journal.db" in holding(home)  # as what was said before, in the second
    told = erase(cli, "--conversation", "c1")
    assert (told["run_ids"], told["quoted_in"]) == ([second], [])
    assert holding(home) == set()
    assert cli("dossier", "show", apart, "--format", "json").json["task"]["prompt"] == PLAIN


@pytest.mark.requirement("KEEP-5")
def test_runs_are_chosen_by_who_asked_and_by_tenant_and_conditions_narrow(cli: Cli) -> None:
    runs = [a_run(cli), a_run(cli)]
    for nobody in (
        ("--principal", "someone"),
        ("--tenant", "red"),
        ("--principal", ME, "--tenant", "red"),
    ):
        assert erase(cli, *nobody)["runs"] == 0
    assert erase(cli, runs[0], "--principal", "someone")["runs"] == 0
    told = erase(cli, "--principal", ME, "--tenant", "default")
    assert (told["run_ids"], told["already"]) == (runs, 0)
    told = erase(cli, *runs)
    assert (told["runs"], told["already"]) == (0, 2)


@pytest.mark.requirement("KEEP-5")
def test_a_run_that_is_not_over_is_refused_by_name_and_left_otherwise(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    done, waiting = a_run(cli), a_waiting_run(cli, tmp_path)
    arguments = ("journal", "erase", done, waiting, "--reason", "asked to", "--yes")
    told = cli(*arguments, "--json").error(2, "run_not_over")
    assert f"planwarden cancel {waiting}" in told["remedy"]
    assert cli("dossier", "show", done, "--format", "json").json["status"] == "completed"
    told = erase(cli, "--principal", ME, code=5)
    assert (told["run_ids"], told["not_over_ids"]) == ([done], [waiting])
    assert cli("cancel", waiting).code == 0
    assert erase(cli, "--principal", ME)["run_ids"] == [waiting]
    assert holding(home) == set()


@pytest.mark.requirement("KEEP-5")
def test_a_dry_run_says_what_would_go_and_erases_nothing(cli: Cli, tmp_path: Path) -> None:
    first = a_run(cli, TASK, "--conversation", "c1")
    second = a_run(cli, PLAIN, "--conversation", "c1")
    told = cli("journal", "erase", first, "--dry-run", "--json").json
    assert (told["dry_run"], told["run_ids"], told["payloads"], told["quoted_in"]) == (
        True,
        [first],
        0,
        [second],
    )
    a_waiting_run(cli, tmp_path)
    said = cli("journal", "erase", "--principal", ME, "--dry-run")
    assert (said.code, "would erase what 2 runs said" in said.out) == (5, True)
    assert "1 run did not end, or are damaged, and stay" in said.err
    assert "not reached: backups" in said.err
    assert cli("dossier", "show", first, "--format", "json").json["status"] == "completed"


@pytest.mark.requirement("KEEP-5")
def test_erasing_asks_first_and_wants_a_reason_and_a_run_that_is_there(cli: Cli) -> None:
    run = a_run(cli)
    assert "--reason" in cli("journal", "erase", run, "--yes", "--json").error(2, "input_error")["remedy"]
    told = cli("journal", "erase", run, "--reason", "asked to", "--json").error(2, "input_error")
    assert "--yes" in told["remedy"]
    cli("journal", "erase", "r0", run, "--reason", "asked to", "--yes", "--json").error(2, "run_not_found")
    assert cli("dossier", "show", run, "--format", "json").json["status"] == "completed"


@pytest.mark.requirement("KEEP-5")
def test_what_a_damaged_run_said_can_be_erased(cli: Cli, home: Path) -> None:
    run = a_run(cli)
    spoil_a_payload(home, run)
    assert cli("dossier", "verify", run).code == 6
    cli("journal", "reindex")
    assert erase(cli, run)["runs"] == 1
    assert holding(home) == set()
    assert cli("dossier", "verify", run).code == 0
    assert cli("dossier", "show", run, "--format", "json").json["summary"] is None
    assert "Nothing but the chain" in cli("dossier", "show", run).out


@pytest.mark.requirement("KEEP-2")
def test_a_tools_name_that_a_model_made_up_does_not_stay(cli: Cli, home: Path) -> None:
    run = a_run(cli, PLAIN)
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as database:
        (body,) = database.execute("SELECT body FROM summaries").fetchone()
        summary = json.loads(body)
        summary["tools"].append(SECRET)
        summary["calls"].append({"tool": SECRET, "status": "refused", "refusal": "unplanned_tool_blocked"})
        database.execute("UPDATE summaries SET body = ?", (json.dumps(summary).encode(),))
        database.execute("INSERT INTO facets SELECT 'tool', ?, created_at, number FROM runs", (SECRET,))
    erase(cli, run)
    assert holding(home) == set()
    summary = cli("dossier", "show", run, "--format", "json").json["summary"]
    assert summary["tools"] == ["finance.snapshot", "finance.analytics", "(erased)"]
    assert [call["tool"] for call in summary["calls"]] == ["finance.snapshot", "(erased)"]


@pytest.mark.requirement("KEEP-7")
def test_retention_erases_what_ended_longer_ago_but_for_the_statuses_kept(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = "old", a_run(cli, PLAIN)
    asyncio.run(_written_long_ago(home, {old: [RunEnded(outcome="completed")], "waiting": []}))
    cli("journal", "retain", "--json").error(2, "input_error")
    cli("journal", "retain", "--older-than", "soon", "--json").error(2, "input_error")
    cli("journal", "retain", "--older-than", "90d", "--keep-status", "so", "--json").error(2, "input_error")
    kept = cli("journal", "retain", "--older-than", "90d", "--keep-status", "failed,completed", "--json")
    assert (kept.code, kept.json["runs"], kept.json["not_over"]) == (0, 0, 1)
    monkeypatch.setenv("PLANWARDEN_RETENTION_DAYS", "90")
    assert cli("journal", "retain", "--dry-run", "--json").json["run_ids"] == [old]
    told = cli("journal", "retain")
    assert (told.code, "erased what 1 run said" in told.out) == (0, True)
    stone = cli("dossier", "show", old, "--format", "json").json
    assert (stone["erased_by"], stone["reason"]) == ("planwarden journal retain", "older than 90d")
    assert cli("dossier", "show", young, "--format", "json").json["status"] == "completed"
    assert cli("journal", "retain", "--json").json["runs"] == 0


@pytest.mark.requirement("KEEP-7")
def test_retention_leaves_a_run_that_was_altered_and_says_so(cli: Cli, home: Path) -> None:
    ended = [RunEnded(outcome="completed")]
    asyncio.run(_written_long_ago(home, {"sound": ended, "altered": ended}))
    flip_a_payload_byte(home, "altered")
    before = cli("dossier", "verify", "altered", "--json")
    assert before.code == 6
    said = cli("journal", "retain", "--older-than", "90d", "--json")
    assert (said.code, said.json["run_ids"], said.json["altered_ids"]) == (6, ["sound"], ["altered"])
    assert cli("dossier", "verify", "altered", "--json").json == before.json
    assert cli("dossier", "verify", "--all").code == 6
    said = cli("journal", "retain", "--older-than", "90d")
    assert "the record of 1 run is not what was written, and stays (altered)" in said.err
    told = erase(cli, "altered")
    assert (told["runs"], told["unverified"]) == (1, 1)
    said = cli("dossier", "verify", "altered")
    assert (said.code, "when it was not what had been written" in said.out) == (0, True)
    for form in ("md", "html"):
        page = cli("dossier", "show", "altered", "--format", form).out
        assert "It was not what had been written when it was erased." in page


async def _written_long_ago(home: Path, runs: Mapping[str, Sequence[Fact]]) -> None:
    """Write runs as a process did in 2020."""
    journal = await SqliteJournal.open(
        home / "journal.db", Then(), SystemIds(), is_dead=lambda _: True, lease_s=1
    )
    for run_id, facts in runs.items():
        begun = RunStarted(
            task=Task(prompt=TASK),
            planner=MODEL,
            agents=MODEL,
            catalog_digest=GENESIS,
            policy_digest=GENESIS,
            planwarden_version="0",
        )
        lease, _ = await journal.create(run_id, "default", this_process("test"), [begun, *facts])
        await journal.release(lease)
    await journal.aclose()


KILLED = """
import os, signal, sys
from planwarden.app.archive import keeping
from planwarden.journal.sqlite import erasure, rows
module = {"keeping": keeping, "erasure": erasure, "rows": rows}[sys.argv[1]]
def killed(*given, **named):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, sys.argv[2], killed)
del sys.argv[1:3]
from planwarden.cli.main import main; main()
"""


@pytest.mark.requirement("KEEP-6")
@pytest.mark.parametrize(
    ("place", "name", "done"),
    [
        ("keeping", "delete_dossier", False),
        ("rows", "add_events", False),  # in the transaction, when the payloads are gone
        ("keeping", "write_tombstone", True),
        ("erasure", "wipe", True),
    ],
)
def test_an_erasure_that_is_killed_leaves_whole_runs_and_is_finished_by_doing_it_again(
    cli: Cli, home: Path, program: list[str], place: str, name: str, done: bool
) -> None:
    run = a_run(cli)
    script = [program[0], "-c", KILLED, place, name]
    command = ["journal", "erase", "--principal", ME, "--reason", "asked to", "--by", "dpo", "--yes"]
    assert subprocess.run([*script, *command], check=False, timeout=120).returncode == -9
    verified = cli("dossier", "verify", run, "--json")
    assert (verified.code, verified.json["erased"] is not None) == (0, done)
    again = erase(cli, "--principal", ME) if not done else cli("journal", "erase", "--json").json
    assert (again["runs"], again["wiped"]) == (0 if done else 1, True)
    assert holding(home) == set()
    assert cli("dossier", "verify", run, "--json").json["erased"]["by"] == "dpo"


@pytest.mark.requirement("KEEP-6")
def test_what_cannot_be_wiped_while_others_read_is_said_and_made_up_for(cli: Cli, home: Path) -> None:
    run = a_run(cli)
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchone()
        told = erase(cli, run, code=5)
        assert (told["runs"], told["wiped"]) == (1, False)
        assert "another process is in the way" in told["not_wiped"]
    assert cli("dossier", "verify", run).code == 0
    assert "erasure" in {each["check"] for each in cli("doctor", "--quick", "--json").json["checks"]}
    said = cli("journal", "erase")
    assert (said.code, "nothing to erase" in said.out) == (0, True)
    assert holding(home) == set()


LIMITED = """
import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from planwarden.cli.main import main; main()
"""


@pytest.mark.requirement("KEEP-6")
def test_an_erasure_that_finds_no_room_erases_nothing_of_the_record(
    cli: Cli, home: Path, program: list[str]
) -> None:
    run = a_run(cli)
    command = [program[0], "-c", LIMITED, "journal", "erase", run, "--reason", "asked to", "--yes", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    Said(code=done.returncode, out=done.stdout, err=done.stderr).error(2, "store_unavailable")
    assert cli("dossier", "show", run, "--format", "json").json["status"] == "completed"
    assert cli("dossier", "verify", run, "--json").json["ok"]
    assert erase(cli, run)["runs"] == 1
    assert holding(home) == set()


@pytest.mark.requirement("KEEP-4")
def test_files_of_spans_are_named_for_they_are_not_erased(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY__TRACES", "file")
    monkeypatch.setenv("TELEMETRY__CONTENT", "true")
    run_id = a_run(cli)
    spans = home / "traces.jsonl"
    assert SECRET in spans.read_text("utf-8")
    told = cli("journal", "erase", run_id, "--reason", "asked for", "--yes", "--json").json
    assert told["copies"] == [str(spans)]
    assert SECRET in spans.read_text("utf-8")  # appended to by whoever traces: it is yours to delete


@pytest.mark.requirement("KEEP-4")
def test_of_the_spool_files_with_something_in_them_are_named_and_one_that_was_sent_meanwhile_is_none(
    cli: Cli, home: Path
) -> None:
    run_id, spool = a_run(cli), home / "spool"
    (spool / "folder").mkdir(parents=True)
    (spool / "empty.spans").touch()
    (spool / "waits.spans").write_text("{}\n")
    (spool / "sent.spans").symlink_to(spool / "gone")  # as one that is gone when it is looked at
    told = cli("journal", "erase", run_id, "--reason", "asked for", "--yes", "--json").json
    assert (told["copies"], told["wiped"]) == ([str(spool / "waits.spans")], True)
