"""What the command line says about an answer, and `planwarden models measure`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surfaces_kit import Cli, Mind

TASK = "What is the latest price of IBM?"


@pytest.mark.requirement("ANS-6")
def test_what_was_matched_what_rests_on_nothing_and_what_leads_nowhere_is_shown(cli: Cli, mind: Mind) -> None:
    mind.answer = "IBM stood at 125.55. It may rise to 140 soon. As said [s7.1]."
    said = cli("run", TASK)
    assert said.code == 0
    flat = " ".join(said.out.split())
    assert "IBM stood at 125.55 [s1.1]." in flat
    assert "evidence: s1.1 (matched)" in flat
    assert "numbers that no evidence contains: 140" in flat
    assert "cited, but not there: s7.1" in flat
    assert "sentences without evidence: 2" in flat
    run_id = next(line.split()[1] for line in said.out.splitlines() if line.startswith("run "))
    page = cli("dossier", "show", run_id).out
    assert "Evidence: s1.1 (matched)." in page
    assert "Cited, but not there: s7.1." in page
    assert "- It may rise to 140 soon." in page
    assert "answers: prose (not measured" in page


@pytest.mark.requirement("ANS-6")
def test_an_answer_that_rests_on_no_call_is_the_models_own_word(cli: Cli, mind: Mind) -> None:
    mind.answer = "It went well."
    said = cli("run", TASK)
    assert "it was shown s1.1 and cites none" in " ".join(said.out.split())
    report = cli("run", TASK, "--json").json["answer"]
    assert (report["grounded"], report["evidence"], report["available"]) == (False, [], ["s1.1"])


@pytest.mark.requirement("ANS-2")
def test_the_setting_has_the_evidence_stand_in_place_of_invented_numbers(
    cli: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    mind.answer = "IBM stood at 999.99 [s1.1]."
    monkeypatch.setenv("LLM__UNSUPPORTED_NUMBERS", "render")
    report = cli("run", TASK, "--json").json["answer"]
    assert report["rendered_because"] == "unsupported_numbers"
    assert "999.99" not in report["text"]
    assert "125.55" in report["text"]
    monkeypatch.setenv("LLM__UNSUPPORTED_NUMBERS", "fail")
    said = cli("run", TASK, "--json")
    assert said.code == 3
    assert said.json["steps"][0]["failure_code"] == "unsupported_numbers"


@pytest.mark.requirement("ANS-3")
def test_a_measurement_is_kept_and_decides_who_writes_the_next_answer(
    cli: Cli, mind: Mind, home: Path
) -> None:
    mind.answer = "There is no information."
    measured = cli("models", "measure", "--json")
    assert measured.code == 0
    report = measured.json
    assert report["style"] == "evidence"
    assert len(report["scores"]) == report["items"] == 33
    kept = json.loads((home / "measurements.json").read_text("utf-8"))
    assert kept[report["model"]]["right"] == report["right"]
    answer = cli("run", TASK, "--json").json["answer"]
    assert (answer["style"], answer["rendered_because"]) == ("evidence", "answer_style")
    said = cli("models", "measure", "--role", "planner")
    assert said.code == 0
    assert "right of 33" in said.out


@pytest.mark.requirement("ANS-3")
def test_a_model_that_is_not_there_cannot_be_measured(offline: Cli) -> None:
    offline("models", "measure", "--json").error(3, "model_unavailable")
