"""Each command as its user meets it: what it prints, what it leaves behind, how it ends."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from planwarden.app.system import VERSION
from planwarden.cli import main as command_line
from planwarden.contracts.plan import PlannerPlan
from planwarden.runtime.agent import AgentRuntime
from surfaces_kit import (
    Cli,
    Mind,
    drop_the_last_event,
    flip_a_payload_byte,
    plan_file,
    spoil_a_payload,
)

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
    for part in (
        "finance.snapshot",
        '{"symbol": "IBM"}',
        "allowed",
        "market-data",
        "125.55",
        "evidence: s1.1",
    ):
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
    listed = offline("agents").out
    assert [name for name in (*agents, "needs_approval") if name not in listed] == []
    listed = offline("tools").out
    assert [name for name in tools if name not in listed] == []


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
def test_a_dry_run_shows_every_verdict_and_runs_and_records_nothing(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
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


# ---- init, runs --------------------------------------------------------------------------------------


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
def test_init_overwrites_only_when_told_so_and_leaves_nothing_else_behind(
    offline: Cli, tmp_path: Path
) -> None:
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


@pytest.mark.requirement("CLI-8")
def test_runs_lists_the_newest_first(cli: Cli) -> None:
    assert "no runs yet" in cli("runs").out
    first, second = a_run(cli), a_run(cli)
    rows = cli("runs", "--json").json
    assert [row["run_id"] for row in rows] == [second, first]
    assert rows[0]["task"] == TASK
    assert {row["status"] for row in rows} == {"completed"}
    assert len(cli("runs", "--json", "--limit", "1").json) == 1
    assert first in cli("runs").out


@pytest.mark.requirement("CLI-8")
def test_runs_lists_a_damaged_run_as_damaged_beside_the_others(cli: Cli, home: Path) -> None:
    bad, good = a_run(cli), a_run(cli)
    spoil_a_payload(home, bad)
    rows = {row["run_id"]: row for row in cli("runs", "--json").json}
    assert rows[good]["status"] == "completed"
    assert rows[bad]["status"] == "damaged"
    assert "damaged" in cli("runs").out


# ---- the dossier -------------------------------------------------------------------------------------


@pytest.mark.requirement("CLI-9")
def test_a_dossier_is_shown_as_json_and_as_markdown(cli: Cli, home: Path) -> None:
    run_id = a_run(cli)
    shown = cli("dossier", "show", run_id, "--format", "json")
    assert shown.code == 0
    assert shown.out.encode() == (home / "dossiers" / f"{run_id}.json").read_bytes()
    assert shown.json["task"]["prompt"] == TASK
    page = cli("dossier", "show", run_id).out
    assert page.startswith(f"# Dossier of run {run_id}")
    for part in (f"> {TASK}", "finance.snapshot", "> IBM stood at 125.55 [s1.1].", shown.json["head"]):
        assert part in page


@pytest.mark.requirement("CLI-10")
def test_an_intact_record_is_verified(cli: Cli) -> None:
    run_id = a_run(cli)
    said = cli("dossier", "verify", run_id, "--json")
    assert said.code == 0
    assert said.json["ok"] is True
    assert said.json["head"].startswith("sha256:")
    assert "intact" in cli("dossier", "verify", run_id).out


@pytest.mark.requirement("CLI-10")
@pytest.mark.parametrize("damage", ["payload byte", "dropped event", "edited file", "truncated file"])
def test_an_altered_record_is_found(cli: Cli, home: Path, damage: str) -> None:
    run_id, other = a_run(cli), a_run(cli)
    exported = home / "dossiers" / f"{run_id}.json"
    match damage:
        case "payload byte":
            flip_a_payload_byte(home, run_id)
        case "dropped event":
            drop_the_last_event(home, run_id)
        case "edited file":
            exported.write_bytes(exported.read_bytes().replace(b"125.55", b"225.55"))
        case _:
            exported.write_bytes(exported.read_bytes()[:-1])
    said = cli("dossier", "verify", run_id, "--json")
    assert said.code == 6
    assert said.json["ok"] is False
    assert said.json["faults"]
    told = cli("dossier", "verify", run_id)
    assert told.code == 6
    assert "altered" in told.err
    assert cli("dossier", "verify", other).code == 0


# ---- waiting runs ------------------------------------------------------------------------------------


@pytest.mark.requirement("CLI-11")
def test_an_approved_call_is_made_and_the_run_ends(cli: Cli, home: Path, tmp_path: Path) -> None:
    run_id = a_waiting_run(cli, tmp_path)
    written = home / "workspace" / "notes.md"
    assert not written.exists()
    assert cli("resume", run_id, "--json").code == 5
    said = cli("resolve", run_id, "--approve", "--by", "ada", "--call", "s1.1", "--json")
    assert said.code == 0
    assert said.json["status"] == "completed"
    assert written.read_text() == "hello"
    (approval,) = cli("dossier", "show", run_id, "--format", "json").json["approvals"]
    assert (approval["by"], approval["decision"], approval["subject"]) == ("ada", "approved", "s1.1")
    again = cli("resolve", run_id, "--approve", "--json")
    assert "over already" in again.error(2, "input_error")["message"]


@pytest.mark.requirement("CLI-11")
def test_a_denied_call_is_never_made(cli: Cli, home: Path, tmp_path: Path) -> None:
    run_id = a_waiting_run(cli, tmp_path)
    said = cli("resolve", run_id, "--deny", "--json")
    assert said.code == 4
    assert said.json["status"] == "failed"
    assert "approval_denied" in {deviation["kind"] for deviation in said.json["deviations"]}
    assert not (home / "workspace" / "notes.md").exists()


@pytest.mark.requirement("CLI-11")
def test_a_waiting_run_says_what_to_type_next_and_shows_all_of_what_waits(
    cli: Cli, mind: Mind, tmp_path: Path
) -> None:
    text = "x" * 400 + "END"
    mind.arguments = [{"path": "notes.md", "content": text}]
    said = cli("run", "Write hello to notes.md", "--plan", plan_file(tmp_path, WRITE))
    assert said.code == 5
    assert text in said.out
    (line,) = [line for line in said.out.splitlines() if "planwarden resolve" in line]
    run_id = line.split("planwarden resolve ")[1].split()[0]
    assert cli("resolve", run_id, "--approve").code == 0


@pytest.mark.requirement("CLI-11")
def test_resolve_refuses_what_the_run_does_not_wait_for(cli: Cli, tmp_path: Path) -> None:
    run_id = a_waiting_run(cli, tmp_path)
    before = cli("dossier", "verify", run_id, "--json").json
    for wrong in (
        (),
        ("--approve", "--deny"),
        ("--done",),
        ("--not-done",),
        ("--approve", "--call", "s9.9"),
        ("--done", "--result", "{not json"),
    ):
        cli("resolve", run_id, *wrong, "--json").error(2, "input_error")
    assert cli("dossier", "verify", run_id, "--json").json == before


@pytest.mark.requirement("CLI-11")
def test_a_cancelled_run_stays_cancelled(cli: Cli, home: Path, tmp_path: Path) -> None:
    run_id = a_waiting_run(cli, tmp_path)
    said = cli("cancel", run_id, "--by", "ada", "--json")
    assert said.code == 0
    assert said.json["status"] == "cancelled"
    (decided,) = cli("dossier", "show", run_id, "--format", "json").json["approvals"]
    assert (decided["by"], decided["decision"]) == ("ada", "cancel")
    assert cli("resume", run_id, "--json").code == 3
    cli("resolve", run_id, "--approve", "--json").error(2, "input_error")
    cli("cancel", run_id, "--json").error(2, "input_error")
    assert not (home / "workspace" / "notes.md").exists()


CRASHING = """
import os
from pathlib import Path

import planwarden


@planwarden.tool(name="mail.send", effect="external")
def send(text: str) -> dict[str, str]:
    \"\"\"Send a text to somebody.\"\"\"
    with Path("sent.txt").open("a") as sent:
        sent.write(text)
    os._exit(9)
"""
CATALOG = """
version: 1
agents:
  mail_agent: {description: Sends mail, tools: [mail.send]}
tools:
  mail.send: {python: "my_tools.py:send"}
policies:
  mail_agent:
    rules: [{name: own, allow: [mail.send]}]
"""


@pytest.mark.requirement("CLI-11")
@pytest.mark.parametrize("outcome", ["done", "not_done"])
def test_a_call_in_doubt_waits_for_a_person_and_is_not_repeated(
    cli: Cli, program: list[str], tmp_path: Path, outcome: str
) -> None:
    Path("my_tools.py").write_text(CRASHING)
    Path("planwarden.yaml").write_text(CATALOG)
    plan = plan_file(tmp_path, {"id": "s1", "agent": "mail_agent", "tools": ["mail.send"]})
    crashed = subprocess.run(
        [*program, "run", "Send hi", "--plan", plan, "--json"], capture_output=True, check=False, timeout=100
    )
    assert crashed.returncode == 9, crashed
    (row,) = cli("runs", "--json").json
    assert row["status"] == "running"
    said = cli("resume", row["run_id"], "--json")
    assert said.code == 5
    assert said.json["calls"][0]["status"] == "in_doubt"
    assert "planwarden resolve" in cli("resume", row["run_id"]).out
    if outcome == "done":
        told = cli(
            "resolve", row["run_id"], "--done", "--call", "s1.1", "--result", '{"id": "m-1"}', "--json"
        )
        assert told.code == 0
        assert told.json["calls"][0]["result"] == {"id": "m-1"}
        assert cli("dossier", "verify", row["run_id"]).code == 0
    else:
        Path("my_tools.py").write_text(CRASHING.replace("os._exit(9)", 'return {"id": "m-2"}'))
        told = cli("resolve", row["run_id"], "--not-done", "--json")
        assert told.code == 0
        assert told.json["calls"][0]["result"] == {"id": "m-2"}
    assert Path("sent.txt").read_text() == ("hi" if outcome == "done" else "hihi")


@pytest.mark.requirement("CLI-12")
def test_a_conversations_second_run_sees_the_first_and_others_do_not(cli: Cli, mind: Mind) -> None:
    a_run(cli, "--conversation", "c1")
    assert cli("run", "And of MSFT?", "--json", "--conversation", "c1").code == 0
    assert cli("run", "And of AAPL?", "--json", "--conversation", "c2").code == 0
    first, second, third = mind.planned
    assert first == TASK
    assert TASK in second
    assert "IBM stood at 125.55" in second
    assert second.endswith("And of MSFT?")
    assert third == "And of AAPL?"


# ---- exit codes, help, start -------------------------------------------------------------------------


@pytest.mark.requirement("CLI-13")
def test_a_run_without_a_good_answer_ends_with_3(cli: Cli, mind: Mind) -> None:
    mind.arguments = [{"symbol": "NOSUCH"}]
    said = cli("run", TASK, "--json")
    assert said.code == 3
    assert said.json["status"] == "failed"
    assert said.json["answer"] is None
    assert cli("runs", "--json").json[0]["status"] == "failed"


@pytest.mark.requirement("CLI-13")
def test_a_model_that_nobody_serves_ends_with_3_and_a_remedy(offline: Cli) -> None:
    told = offline("run", TASK, "--json").error(3, "model_unavailable")
    assert "127.0.0.1:1" in told["message"]


@pytest.mark.requirement("CLI-13")
def test_an_interrupted_run_ends_with_130_says_how_to_go_on_and_does(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = AgentRuntime.run_step

    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AgentRuntime, "run_step", interrupted)
    said = cli("run", TASK)
    assert said.code == 130
    assert "planwarden resume" in said.err
    monkeypatch.setattr(AgentRuntime, "run_step", ask)
    assert "interrupted" in cli("runs").out
    (row,) = cli("runs", "--json").json
    assert (row["status"], row["owned"]) == ("running", False)
    assert cli("resume", row["run_id"], "--json").code == 0


@pytest.mark.requirement("CLI-14")
def test_every_command_explains_itself_within_80_columns(offline: Cli) -> None:
    for command in (
        "", "plan", "run", "runs", "resume", "resolve", "cancel", "init", "agents", "tools", "models",
        "models fetch", "doctor", "dossier", "dossier show", "dossier verify",
    ):  # fmt: skip
        said = offline(*command.split(), "--help")
        assert said.code == 0
        assert f"Usage: planwarden {command}".rstrip() in said.out.replace("root", "planwarden")
        assert max(len(line) for line in said.out.splitlines()) <= 80
        assert "list[str]" not in said.out
    assert offline("--version").out == f"planwarden {VERSION}\n"


@pytest.mark.requirement("CLI-14")
def test_listing_runs_loads_none_of_the_heavy_libraries(program: list[str]) -> None:
    heavy = "duckdb, httpx, jsonschema, xllamacpp, yaml"
    code = (
        "import sys; from planwarden.cli.main import main\n"
        "sys.argv = ['planwarden', 'runs', '--json']\n"
        "try: main()\n"
        f"finally: print([name for name in '{heavy}'.split(', ') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([program[0], "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done
    assert json.loads(done.stdout) == []
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.requirement("CLI-15")
@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_plan_keeps_its_names_and_reasons_whole_at_any_width(
    cli: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    mind.steps = [
        "files.write",
        "finance.analytics",
    ]
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("planwarden.cli.output.out._width", width)
    said = cli("plan", "Calculate the volatility of IBM and write it to a file")
    assert said.code == 0, said
    for name in ("enterprise_agent", "files.write", "finance_agent", "finance.analytics", "finance.snapshot"):
        assert name in said.out
    assert " ".join(said.out.split()).count("as it was asked") == 2
    if width >= 80:
        assert "step  agent" in said.out
    table = said.out.split("source planner")[0]
    assert max(len(line) for line in table.splitlines()) <= width


@pytest.mark.requirement("CLI-15")
def test_nothing_that_a_model_or_a_person_wrote_is_obeyed_by_the_terminal(cli: Cli, mind: Mind) -> None:
    mind.answer = "Done \x1b[2J\x1b]0;owned\x07 [bold]x[/] :boom: [s1.1]."
    said = cli("run", "What \x1b[31mis the price of IBM?")
    assert said.code == 0
    assert "\x1b" not in said.out + said.err
    assert "[bold]x[/] :boom:" in said.out
    assert "\x1b" not in cli("runs").out
    assert "\x1b" not in cli("dossier", "show", cli("runs", "--json").json[0]["run_id"]).out
