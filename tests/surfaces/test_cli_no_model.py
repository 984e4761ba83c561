"""A model server that is down as a task comes: the error is said, and the failed run is on record."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from planwarden.contracts.dossier import Dossier
from planwarden.contracts.facts import Fact, ModelNotOpened
from record_kit import OWNER, begun, opened
from surfaces_kit import Cli, Mind, Said, plan_file

pytestmark = pytest.mark.requirement("GAP-1")
TASK = "What is the price of IBM?"


def failed_run(said: Said) -> str:
    """Check that a command ended for want of a model; give the run that is on record of it."""
    assert said.code == 3
    assert said.json["error"]["code"] == "model_unavailable"
    assert said.json["error"]["remedy"]
    run_id = str(said.json["run_id"])
    assert f"planwarden dossier show {run_id}" in said.err
    return run_id


def dossier_of(offline: Cli, run_id: str) -> Dossier:
    return Dossier.model_validate(offline("dossier", "show", run_id, "--format", "json").json)


def test_a_server_that_is_down_leaves_a_failed_run_that_says_whose_model_it_was_and_why(
    offline: Cli, home: Path
) -> None:
    said = offline("run", TASK, "--json")
    run_id = failed_run(said)
    dossier = dossier_of(offline, run_id)
    assert (dossier.status, dossier.outcome_code) == ("failed", "model_unavailable")
    assert dossier.outcome_message == said.json["error"]["message"]
    assert (dossier.task.prompt, dossier.decision, dossier.calls) == (TASK, None, ())
    missing = dossier.not_opened
    assert missing is not None
    assert (missing.role, missing.agent, missing.code) == ("planner", None, "model_unavailable")
    assert missing.remedy == said.json["error"]["remedy"]
    asked = dossier.planner
    assert (asked.provider, asked.model, asked.digest) == ("ollama", "llama3.2:1b", None)
    assert (asked.endpoint, asked.chosen_because) == (
        "http://127.0.0.1:1",
        "set by PLANNER_LLM__PROVIDER; not opened",
    )
    assert (home / "dossiers" / f"{run_id}.json").is_file()
    assert offline("dossier", "verify", run_id).code == 0
    for form in ("md", "html"):
        shown = offline("dossier", "show", run_id, "--format", form).out
        assert "not there" in shown
        assert missing.remedy.split("`")[0].strip() in shown


def test_it_is_counted_listed_and_reported(offline: Cli) -> None:
    run_id = failed_run(offline("run", TASK, "--json"))
    (row,) = offline("runs", "--status", "failed", "--json").json
    assert row["run_id"] == run_id
    counted = offline("metrics").out.splitlines()
    for line in (
        'planwarden_model_errors_total{code="model_unavailable",role="planner"} 1.0',
        'planwarden_model_calls_total{role="planner"} 1.0',
        'planwarden_model_errors_total{code="model_unavailable",role="agents"} 0.0',
        'planwarden_runs_total{outcome="failed"} 1.0',
    ):
        assert line in counted
    assert offline("report", "--json").json["outcomes"] == {"failed": 1}


def test_the_agents_model_alone_is_told_apart_and_the_planners_is_as_it_was_opened(
    cli: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM__MODEL", "not-there:1b")
    dossier = dossier_of(cli, failed_run(cli("run", TASK, "--json")))
    assert dossier.not_opened is not None
    assert dossier.not_opened.role == "agents"
    assert dossier.planner.digest is not None
    assert (dossier.agents.model, dossier.agents.digest) == ("not-there:1b", None)
    assert mind.planned == []


def test_a_plan_that_was_brought_along_is_on_record_and_none_of_its_steps_ran(
    offline: Cli, tmp_path: Path
) -> None:
    plan = plan_file(tmp_path, {"id": "s1", "agent": "finance_agent", "tools": ["finance.snapshot"]})
    dossier = dossier_of(offline, failed_run(offline("run", TASK, "--plan", plan, "--json")))
    assert dossier.decision is not None
    assert dossier.decision.plan is not None
    assert dossier.decision.plan.metadata.source == "edited"
    assert [(each.kind, each.step) for each in dossier.deviations] == [("step_not_run", "s1")]
    assert dossier.calls == ()


def test_to_resume_it_says_how_it_ended_and_asks_no_model_and_the_task_given_again_is_another_run(
    offline: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = failed_run(offline("run", TASK, "--json"))
    before = dossier_of(offline, run_id)
    again = offline("resume", run_id, "--json")
    assert (again.code, again.json["status"], again.json["run_id"]) == (3, "failed", run_id)
    assert dossier_of(offline, run_id) == before
    assert mind.server is not None
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__BASE_URL", mind.server.url)
    other = offline("run", TASK, "--json")
    assert (other.code, other.json["status"]) == (0, "completed")
    assert other.json["run_id"] != run_id
    assert offline("resume", run_id, "--json").json["status"] == "failed"


def test_a_run_whose_process_died_as_it_failed_to_begin_is_ended_without_asking_for_its_model_again(
    offline: Cli, home: Path
) -> None:
    why = ModelNotOpened(role="planner", code="model_unavailable", message="Nobody is there.", remedy="Wait.")
    started = begun("Look")[0].model_copy(update={"snapshots_kept": False})
    asyncio.run(die_after(home, "rd", [started, why]))
    resumed = offline("resume", "rd", "--json")
    assert (resumed.code, resumed.json["status"]) == (3, "failed")
    dossier = dossier_of(offline, "rd")
    assert (dossier.outcome_code, dossier.outcome_message) == (why.code, why.message)
    assert offline("dossier", "verify", "rd").code == 0
    said = offline("resume", "rd")
    assert "give the task again: planwarden run …" in said.out


async def die_after(home: Path, run_id: str, facts: list[Fact]) -> None:
    """Record a run as a process does that dies then and there."""
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        lease, _ = await journal.create(run_id, "red", OWNER, facts)
        await journal.release(lease)


def test_what_is_wrong_with_the_settings_begins_no_run(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANNER_LLM__BASE_URL", "not an address")
    offline("run", TASK, "--json").error(2, "settings_rejected")
    assert offline("runs", "--json").json == []


def test_the_secrets_of_the_settings_are_not_on_record(
    offline: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANNER_LLM__PROVIDER", "openai")
    monkeypatch.setenv("PLANNER_LLM__API_KEY", "sk-very-secret-indeed")
    run_id = failed_run(offline("run", TASK, "--json"))
    assert dossier_of(offline, run_id).planner.provider == "openai"
    for path in home.rglob("*"):
        assert path.is_dir() or b"very-secret" not in path.read_bytes(), path
