"""Each command as its user meets it: what it prints, what it leaves behind, how it ends."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

import pytest
import yaml

from planwarden.app import VERSION
from planwarden.cli import main as command_line
from planwarden.contracts.plan import PlannerPlan
from surfaces_kit import Cli, Mind, plan_file, wire_step

TASK = "What is the latest price of IBM?"
WRITE = {"id": "s1", "agent": "enterprise_agent", "tools": ["files.write"]}


def a_run(cli: Cli, *more: str) -> str:
    said = cli("run", TASK, "--json", *more)
    assert said.code == 0, said
    return said.json["run_id"]


def a_waiting_run(cli: Cli, folder: Path) -> str:
    said = cli("run", "Write hello to notes.md", "--json", "--plan", plan_file(folder, WRITE))
    assert said.code == 5, said
    assert said.json["status"] == "waiting"
    return said.json["run_id"]


# ---- plan, run ---------------------------------------------------------------------------------------


@pytest.mark.requirement("CLI-1")
def test_plan_with_json_prints_the_plan_of_schema_version_2_and_nothing_else(cli: Cli, home: Path) -> None:
    said = cli("plan", TASK, "--json")
    assert said.code == 0
    plan = PlannerPlan.model_validate_json(said.out)
    assert plan.schema_version == 2
    assert [step.tools for step in plan.steps] == [("finance.snapshot",)]
    assert plan.metadata.source == "planner"
    assert set(said.json) == {"schema_version", "steps", "metadata", "confidence"}
    assert not home.exists()


@pytest.mark.requirement("CLI-1")
def test_a_planned_plan_can_be_brought_along_to_run(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(cli("plan", TASK, "--json").out)
    said = cli("run", TASK, "--plan", str(path), "--json")
    assert said.code == 0
    assert said.json["plan"]["metadata"]["source"] == "edited"


@pytest.mark.requirement("CLI-2")
def test_run_with_json_prints_one_document_of_nine_fields(cli: Cli, home: Path) -> None:
    said = cli("run", TASK, "--json")
    assert said.code == 0
    report = said.json
    assert set(report) == {
        "run_id", "status", "answer", "plan", "steps", "calls", "deviations", "adherence", "usage",
    }  # fmt: skip
    assert report["status"] == "completed"
    assert report["answer"]["text"] == "IBM stood at 125.55 [s1.1]."
    assert report["answer"]["evidence"] == ["s1.1"]
    assert report["calls"][0]["arguments"] == {"symbol": "IBM"}
    assert report["adherence"] == 1.0
    assert report["usage"]["model_calls"] == 3
    assert (home / "dossiers" / f"{report['run_id']}.json").is_file()


@pytest.mark.requirement("CLI-2")
def test_run_tells_people_plan_calls_verdicts_answer_evidence_and_the_dossiers_place(
    cli: Cli, home: Path
) -> None:
    said = cli("run", TASK)
    assert said.code == 0
    for part in ("finance.snapshot", '{"symbol": "IBM"}', "allowed", "market-data", "125.55", "evidence: s1.1"):
        assert part in said.out
    (line,) = [line for line in said.out.splitlines() if line.startswith("dossier")]
    assert Path(line.split(maxsplit=1)[1]).is_file()
    assert "planner: llama3.2:1b (ollama)" in said.err


@pytest.mark.requirement("CLI-3")
def test_agents_and_tools_are_listed_with_their_fields(offline: Cli) -> None:
    agents = {agent["name"]: agent for agent in offline("agents", "--json").json}
    assert set(agents) == {
        "general_agent", "research_agent", "finance_agent", "creative_agent", "enterprise_agent",
    }  # fmt: skip
    verdicts = {tool["tool"]: tool["verdict"] for tool in agents["enterprise_agent"]["tools"]}
    assert verdicts["files.write"] == "needs_approval"
    assert verdicts["data.query"] == "allowed"
    tools = {tool["name"]: tool for tool in offline("tools", "--json").json}
    assert tools["files.write"]["effect"] == "write"
    assert tools["finance.snapshot"]["aliases"] == ["quote"]
    assert tools["finance.snapshot"]["agents"] == ["finance_agent"]
    assert "symbol" in tools["finance.snapshot"]["parameters"]["properties"]
    for name in (*agents, "needs_approval"):
        assert name in offline("agents").out
    for name in tools:
        assert name in offline("tools").out


@pytest.mark.requirement("CLI-4")
def test_errors_with_json_are_one_document_on_stdout_too(offline: Cli) -> None:
    offline("runs", "--json")
    offline("plan", TASK, "--json").error(3, "model_unavailable")
    for command in (("dossier", "show", "nix", "--format", "json"), ("dossier", "verify", "nix", "--json")):
        assert "planwarden runs" in offline(*command).error(2, "run_not_found")["remedy"]


@pytest.mark.requirement("CLI-4")
def test_a_mistake_in_the_command_line_is_json_too_where_json_was_asked_for(
    offline: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["planwarden", "plan", "--json"])
    with pytest.raises(SystemExit) as end:
        command_line.main()
    assert end.value.code == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["message"] == "Missing argument 'TASK'."
    assert "Missing argument" in captured.err


@pytest.mark.requirement("CLI-5")
def test_a_dry_run_shows_every_verdict_and_runs_and_records_nothing(cli: Cli, home: Path, tmp_path: Path) -> None:
    plan = plan_file(tmp_path, WRITE)
    said = cli("run", "Write hello to notes.md", "--plan", plan, "--dry-run", "--json")
    assert said.code == 0
    assert set(said.json) == {"dry_run", "plan", "verdicts"}
    (verdict,) = said.json["verdicts"]
    assert (verdict["tool"], verdict["verdict"]) == ("files.write", "needs_approval")
    told = cli("run", TASK, "--dry-run")
    assert told.code == 0
    assert "finance.snapshot: allowed (market-data" in told.out
    assert "nothing was run" in told.out
    assert not list(home.rglob("*.json"))
    assert not (home / "workspace" / "notes.md").exists()
    assert cli("runs", "--json").json == []


# ---- init, doctor, runs ------------------------------------------------------------------------------


@pytest.mark.requirement("CLI-6")
def test_init_writes_a_catalog_that_loads_and_is_taken_from_the_working_directory(offline: Cli) -> None:
    assert offline("init").code == 0
    path = Path("planwarden.yaml")
    text = path.read_text()
    assert len(offline("agents", "--json").json) == 5
    catalog = yaml.safe_load(text)
    del catalog["agents"]["creative_agent"], catalog["policies"]["creative_agent"]
    path.write_text(yaml.safe_dump(catalog))
    assert len(offline("agents", "--json").json) == 4


@pytest.mark.requirement("CLI-6")
def test_init_overwrites_only_when_told_so_and_leaves_nothing_else_behind(offline: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert offline("init", str(folder)).code == 0
    path = folder / "planwarden.yaml"
    path.write_text("mine")
    refused = offline("init", str(folder))
    assert refused.code == 2
    assert "--force" in refused.err
    assert path.read_text() == "mine"
    assert offline("init", str(folder), "--force").code == 0
    assert "general_agent" in path.read_text()
    assert [each.name for each in folder.iterdir()] == ["planwarden.yaml"]
    assert offline("init", str(path)).code == 2


@pytest.mark.requirement("CLI-7")
def test_doctor_finds_nothing_wrong_where_nothing_is(cli: Cli) -> None:
    said = cli("doctor", "--json")
    assert said.code == 0
    assert said.json["ok"] is True
    assert [check["check"] for check in said.json["checks"]] == [
        "full-text search", "catalog", "store", "planner model", "agents model",
    ]  # fmt: skip


@pytest.mark.requirement("CLI-7")
def test_doctor_names_each_trouble_with_its_remedy(
    offline: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "journal.db").write_bytes(b"not a journal at all" * 100)
    catalog = tmp_path / "c.yaml"
    catalog.write_text("version: 1\nagents: 7\n")
    said = offline("doctor", "--json", "--config", str(catalog))
    assert said.code == 2
    bad = {check["check"]: check for check in said.json["checks"] if not check["ok"]}
    assert set(bad) == {"catalog", "store", "models"}
    assert all(check["remedy"] for check in bad.values())
    assert "c.yaml" in bad["catalog"]["detail"]
    told = offline("doctor", "--config", str(catalog))
    assert told.out.count("what to do") == 3


@pytest.mark.requirement("CLI-8")
def test_runs_lists_the_newest_first(cli: Cli) -> None:
    assert "no runs yet" in cli("runs").out
    first, second = a_run(cli), a_run(cli)
    rows = cli("runs", "--json").json
    assert [row["run_id"] for row in rows] in ([second, first], [first, second])
    assert rows[0]["task"] == TASK
    assert {row["status"] for row in rows} == {"completed"}
    assert len(cli("runs", "--json", "--limit", "1").json) == 1
    assert first in cli("runs").out


@pytest.mark.requirement("CLI-8")
def test_runs_lists_a_damaged_run_as_damaged_beside_the_others(cli: Cli, home: Path) -> None:
    bad, good = a_run(cli), a_run(cli)
    flip_a_payload_byte(home, bad)
    rows = {row["run_id"]: row for row in cli("runs", "--json").json}
    assert rows[good]["status"] == "completed"
    assert rows[bad]["status"] == "damaged"
    assert "damaged" in cli("runs").out


# ---- the dossier -------------------------------------------------------------------------------------


def flip_a_payload_byte(home: Path, run_id: str) -> None:
    with sqlite3.connect(home / "journal.db") as database:
        table, column = payload_column(database)
        for name in [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='trigger'")]:
            database.execute(f"DROP TRIGGER {name}")
        found = f"SELECT rowid, {column} FROM {table} WHERE CAST({column} AS TEXT) LIKE '%run_started%' OR 1 ORDER BY rowid"
        events = {row[0] for row in database.execute(f"SELECT rowid FROM {table}")}
        assert events
        key = database.execute(
            f"SELECT {table}.rowid FROM {table} JOIN events USING (run_id, seq) WHERE run_id = ? ORDER BY seq LIMIT 1", (run_id,)
        ).fetchone()[0] if table != "events" else database.execute(
            "SELECT rowid FROM events WHERE run_id = ? ORDER BY seq LIMIT 1", (run_id,)
        ).fetchone()[0]
        del found
        payload = bytes(database.execute(f"SELECT {column} FROM {table} WHERE rowid=?", (key,)).fetchone()[0])
        place = payload.index(b"IBM")
        flipped = payload[:place] + b"J" + payload[place + 1 :]
        database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (flipped, key))
    database.close()
