"""Free execution from the command line: chosen by setting or by agent, shown while it happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.testing.scripted_llm import asking
from surfaces_kit import Cli, Mind

TASK = "What is the latest price of IBM?"


@pytest.mark.requirement("FREE-7")
@pytest.mark.requirement("FREE-4")
def test_a_run_with_free_agents_shows_that_the_model_called_its_tools(
    cli: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM__EXECUTION", "free")
    mind.calls = [asking(("files_write", {"path": "x"}), ("finance_snapshot", {"symbol": "IBM"}))]
    said = cli("run", TASK)
    assert said.code == 0
    lines = said.out.splitlines()
    assert "s1 finance_agent free" in lines
    assert any("files_write  refused (unplanned_tool_blocked)" in line for line in lines)
    assert any('s1.1 finance.snapshot {"symbol": "IBM"}' in line for line in lines)
    assert "IBM stood at 125.55 [s1.1]." in said.out


@pytest.mark.requirement("FREE-4")
def test_a_step_that_falls_says_so_and_why(cli: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM__EXECUTION", "free")
    said = cli("run", TASK)
    assert said.code == 0
    why = "the model answered 2 times before 'finance.snapshot' was used"
    assert f"   goes on directed (answered_early) {why}" in said.out.splitlines()
    run_id = cli("runs", "--json").json[0]["run_id"]
    (step,) = cli("dossier", "show", run_id, "--format", "json").json["steps"]
    assert (step["execution"], step["fell"]) == ("free", f"answered_early: {why}")
    assert cli("dossier", "verify", run_id).code == 0


@pytest.mark.requirement("FREE-7")
def test_without_any_choice_steps_are_directed_and_no_tools_are_offered(cli: Cli, mind: Mind) -> None:
    said = cli("run", TASK, "--json")
    (step,) = said.json["steps"]
    assert (said.code, step["execution"], step["fell"]) == (0, "directed", "")
    assert mind.server is not None
    assert not any("tools" in body for body in mind.server.bodies)


@pytest.mark.requirement("FREE-7")
@pytest.mark.parametrize(("setting", "own"), [("directed", "free"), ("free", "directed")])
def test_an_agents_own_choice_in_the_catalog_goes_before_the_setting(
    cli: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch, setting: str, own: str
) -> None:
    monkeypatch.setenv("LLM__EXECUTION", setting)
    assert cli("init").code == 0
    path = Path("planwarden.yaml")
    text = path.read_text()
    tools = "    tools: [finance.snapshot, finance.analytics, finance.quote]\n"
    assert text.count(tools) == 1
    path.write_text(text.replace(tools, f"{tools}    execution: {own}\n"))
    mind.calls = [asking(("finance_snapshot", {"symbol": "IBM"}))]
    (step,) = cli("run", TASK, "--json").json["steps"]
    assert step["execution"] == own


@pytest.mark.requirement("FREE-7")
def test_a_choice_that_there_is_not_is_refused_with_its_place(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("init").code == 0
    path = Path("planwarden.yaml")
    tools = "    tools: [finance.snapshot, finance.analytics, finance.quote]\n"
    text = path.read_text().replace(tools, f"{tools}    execution: wild\n")
    path.write_text(text)
    line = text.splitlines().index("    execution: wild") + 1
    refused = cli("agents", "--json")
    assert refused.code == 2
    assert f"planwarden.yaml, line {line}: agents.finance_agent.execution" in refused.out
    monkeypatch.setenv("LLM__EXECUTION", "wild")
    refused = cli("agents")
    assert refused.code == 2
    assert "LLM__EXECUTION" in refused.err
