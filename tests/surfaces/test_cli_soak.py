from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.contracts.deviations import DEVIATION_KINDS
from planwarden.contracts.run import RunState
from planwarden.runtime import admission, tool_session
from surfaces_kit import Cli

pytestmark = pytest.mark.requirement("SOAK-6")

RELIED_ON = [
    "runs",
    "unauthorised_calls",
    "seeded_violations",
    "caught_violations",
    "false_refusals",
    "adherence",
    "deviations",
]


def test_the_json_begins_with_the_seven_keys_that_scripts_rely_on(offline: Cli, tmp_path: Path) -> None:
    report = tmp_path / "soak.md"
    said = offline("soak", "--runs", "3", "--seed", "5", "--json", "--report", str(report))
    assert said.code == 0, said
    told = said.json
    assert list(told)[:7] == RELIED_ON
    assert told["runs"] == 3
    assert told["unauthorised_calls"] == told["false_refusals"] == told["record_faults"] == 0
    assert told["caught_violations"] == told["seeded_violations"] > 0
    assert list(told["deviations"]) == list(DEVIATION_KINDS)
    assert told["passed"] is True
    assert (told["seed"], told["planner"], told["recall"]) == (5, "scripted", 1.0)
    assert sum(each["seeded"] for each in told["by_kind"].values()) == told["seeded_violations"]
    assert report.read_text("utf-8").startswith("# Tool policy soak\n\n**Passed: ")


def test_people_are_told_what_was_tried_and_whether_it_passed(offline: Cli) -> None:
    said = offline("soak", "--runs", "3", "--seed", "5", "--planner", "adversarial")
    assert said.code == 0, said
    for words in ("unauthorised calls", "violation", "seeded", "caught", "adherence", "planner adversarial"):
        assert words in said.out
    assert said.out.rstrip().splitlines()[-1].startswith("Passed: no unauthorised call in ")


def test_a_journal_that_is_kept_can_be_read_like_any_other(
    offline: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    assert offline("soak", "--runs", "3", "--seed", "5", "--home", str(kept), "--json").code == 0
    again = offline("soak", "--runs", "3", "--home", str(kept), "--json")
    assert "already" in again.error(2, "data_rejected")["message"]
    monkeypatch.setenv("PLANWARDEN_HOME", str(kept))
    assert len(offline("runs", "--json").json) == 3
    for number in (1, 2, 3):
        assert offline("dossier", "verify", f"soak-5-scripted-{number}").code == 0


@pytest.mark.requirement("SOAK-4")
def test_a_product_that_lets_calls_past_ends_the_command_with_6(
    offline: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_schema(schema: object, value: object) -> tuple[str, ...]:
        return ()

    def no_budget(state: RunState, step: object) -> None:
        return None

    monkeypatch.setattr(tool_session, "schema_problems", no_schema)
    monkeypatch.setattr(admission, "_within_budget", no_budget)
    said = offline("soak", "--runs", "12", "--seed", "4")
    assert said.code == 6
    assert "found  soak-4-scripted-" in said.out
    assert said.out.rstrip().splitlines()[-1].startswith("Failed: ")
    told = offline("soak", "--runs", "12", "--seed", "4", "--json")
    assert told.code == 6
    assert told.json["passed"] is False
    assert told.json["unauthorised_calls"] > 0
    assert told.json["findings"]


def test_a_report_that_cannot_be_written_is_said_before_anything_runs(offline: Cli, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "no folder" / "soak.md")
    said = offline("soak", "--runs", "3", "--report", nowhere, "--json")
    assert nowhere in said.error(2, "data_rejected")["message"]


def test_what_is_no_planner_or_no_number_of_runs_is_a_mistake_of_the_command_line(offline: Cli) -> None:
    assert offline("soak", "--planner", "kind").code == 2
    assert offline("soak", "--runs", "0").code == 2
