"""`planwarden runs` finds runs by what they did."""

from __future__ import annotations

from pathlib import Path

import pytest

from surfaces_kit import Cli, Mind

pytestmark = pytest.mark.requirement("IDX-2")
TASK = "What is the latest price of IBM?"


def found(cli: Cli, *options: str) -> list[str]:
    said = cli("runs", "--json", *options)
    assert said.code == 0, said
    return [row["task"] for row in said.json]


def test_runs_are_found_by_agent_tool_status_and_time(cli: Cli, mind: Mind) -> None:
    assert cli("run", TASK).code == 0
    mind.steps = ["files.write"]
    assert cli("run", "Write hello to notes.md").code == 5
    assert found(cli) == ["Write hello to notes.md", TASK]
    assert found(cli, "--tool", "finance.snapshot") == [TASK]
    assert found(cli, "--agent", "finance_agent", "--status", "completed") == [TASK]
    assert found(cli, "--status", "waiting") == ["Write hello to notes.md"]
    assert found(cli, "--since", "1h", "--tool", "files.write") == ["Write hello to notes.md"]
    assert found(cli, "--until", "1h") == []
    assert found(cli, "--tenant", "nobody") == []
    assert "no such runs" in cli("runs", "--deviation", "tool_failed").out


def test_a_run_is_found_by_a_deviation_and_by_the_tool_that_was_refused(cli: Cli, mind: Mind) -> None:
    mind.steps = ["nobody/nothing"]
    cli("run", TASK)
    assert found(cli, "--deviation", "fallback_plan_used") == [TASK]
    assert found(cli, "--deviation", "tool_failed") == []


@pytest.mark.parametrize(
    "options", [("--deviation", "nope"), ("--status", "nope"), ("--since", "nope"), ("--until", "nope")]
)
def test_what_cannot_be_searched_by_is_refused_with_what_can(cli: Cli, options: tuple[str, str]) -> None:
    told = cli("runs", "--json", *options).error(2, "input_error")
    assert "nope" in told["message"]


def test_what_was_asked_can_be_read_by_its_owner_alone(cli: Cli, home: Path) -> None:
    assert cli("run", TASK).code == 0
    kept = [home / "journal.db", home / "memory.db", *(home / "dossiers").iterdir()]
    assert {file.name: file.stat().st_mode & 0o077 for file in kept} == {file.name: 0 for file in kept}
