"""`planwarden calibrate`, and `planwarden init` that offers it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planwarden.cli import calibrating, inventory
from planwarden.evaluation.calibration import diagrams
from planwarden.testing.scripted_llm import FunctionLLM
from surfaces_kit import Cli, Mind


@pytest.fixture(autouse=True)
def babbling(mind: Mind) -> None:
    """Have the model return what is no plan."""
    assert mind.server is not None
    mind.server.service = FunctionLLM(lambda _: "lorem ipsum")


def no_spec(_name: str) -> None:
    """Have no library."""


def tasks(folder: Path, count: int) -> str:
    """Write tasks of which every second wants the one tool, every second the other."""
    path = folder / "tasks.jsonl"
    tools = [
        {"name": "weather", "description": "The weather of a town"},
        {"name": "news", "description": "News of the day"},
    ]
    rows = [
        {
            "id": f"t{n}",
            "source": "mine",
            "request": f"How is the weather in town {n}?",
            "tools": tools,
            "gold": {"steps": [{"tool": tools[n % 2]["name"]}], "edges": [], "kind": "parallel"},
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@pytest.mark.requirement("CAL-8")
def test_what_was_found_is_said_drawn_kept_and_in_force(
    cli: Cli, mind: Mind, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANNER_LLM__MODE", "fused")
    pictures = tmp_path / "pictures"
    said = cli("calibrate", "--tasks", tasks(tmp_path, 35), "--limit", "32", "--out", str(pictures))
    assert said.code == 0, said
    for word in (
        "What its word is worth",
        "node-F1",
        "by retrieval alone",
        "counts for nothing",
        "(ECE)",
        "AUROC",
        "Reliability",
        "Risk against coverage",
        "followed →",
    ):
        assert word in said.out
    assert all((pictures / name).stat().st_size > 10_000 for name in ("reliability.png", "risk_coverage.png"))
    (kept,) = (home / "calibrations").glob("*.json")
    made = json.loads(kept.read_text("utf-8"))
    assert (made["measured"], made["tasks"], made["weights"]["model"]) == (True, 32, 0.0)
    report = [line for line in said.out.splitlines() if not line.startswith(("wrote ", "kept "))]
    assert [line for line in report if len(line) > 80] == []
    checks = cli("doctor", "--quick", "--json").json["checks"]
    (check,) = [each for each in checks if each["check"] == "calibration"]
    assert "measured here" in check["detail"]
    assert check["status"] == "ok"


@pytest.mark.requirement("CAL-8")
def test_a_program_gets_one_document(cli: Cli, mind: Mind, tmp_path: Path) -> None:
    said = cli("calibrate", "--tasks", tasks(tmp_path, 4), "--install-anyway", "--json")
    assert said.code == 0
    told = said.json
    assert (told["installed"], told["beside"]) == (True, None)
    assert told["calibration"]["tasks"] == 4
    assert told["calibration"]["confidence"] == {"points": []}
    assert set(told["node_f1"]) == {"prior", "fused", "gain"}
    assert Path(told["kept"]).is_file()
    assert told["worth"]["tools"]["helps"] is False


@pytest.mark.requirement("GAP-4")
def test_too_few_tasks_install_nothing_and_it_is_said_what_was_measured(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    said = cli("calibrate", "--tasks", tasks(tmp_path, 12))
    assert said.code == 3
    assert "What its word is worth" in said.out
    assert "it was measured on 12 tasks, and with fewer than 30 nothing can be shown" in said.out
    assert "in force from now on" not in said.out
    assert not (home / "calibrations").exists()
    told = cli("calibrate", "--tasks", tasks(tmp_path, 12), "--json").json
    assert (told["installed"], told["kept"], told["calibration"]["tasks"]) == (False, None, 12)


@pytest.mark.requirement("GAP-4")
def test_one_that_is_no_better_on_the_same_tasks_leaves_what_is_in_force(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    given = tasks(tmp_path, 32)
    assert cli("calibrate", "--tasks", given, "--json").json["installed"] is True
    (kept,) = (home / "calibrations").glob("*.json")
    before = kept.read_bytes()
    said = cli("calibrate", "--tasks", given)
    assert said.code == 3
    assert "it is not better beyond doubt than the one in force, on the same tasks" in said.out
    assert "node-F1   +0.000" in said.out
    assert kept.read_bytes() == before
    told = cli("calibrate", "--tasks", given, "--install-anyway", "--json")
    assert (told.code, told.json["installed"]) == (0, True)
    assert told.json["against"]
    assert told.json["beside"]["node_f1_gain"]["mean"] == 0.0


@pytest.mark.requirement("CAL-8")
def test_the_model_named_is_the_one_that_is_asked(cli: Cli, mind: Mind, tmp_path: Path) -> None:
    assert mind.server is not None
    told = cli("calibrate", "--planner", "llama3.1:8b", "--tasks", tasks(tmp_path, 2), "--json").json
    assert mind.server.bodies[-1]["model"] == "llama3.1:8b"
    assert told["calibration"]["label"] == "ollama llama3.1:8b"


@pytest.mark.requirement("CAL-8")
def test_what_is_missing_is_said_before_anything_is_asked(
    cli: Cli, mind: Mind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mind.server is not None
    cli("calibrate", "--tasks", str(tmp_path / "none.jsonl"), "--json").error(2, "data_rejected")
    monkeypatch.setattr(diagrams, "find_spec", no_spec)
    refused = cli("calibrate", "--tasks", tasks(tmp_path, 2), "--out", str(tmp_path), "--json")
    assert "`pip install '.[plots]'` in a checkout" in refused.error(2, "configuration_error")["remedy"]
    assert mind.server.bodies == []


@pytest.mark.requirement("CAL-8")
def test_a_model_that_is_not_there_cannot_be_calibrated(offline: Cli) -> None:
    offline("calibrate", "--json").error(3, "model_unavailable")


@pytest.mark.requirement("CAL-9")
def test_init_calibrates_when_told_to_and_never_by_itself_in_a_script(
    offline: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(calibrating, "calibrate", lambda: done.append("calibrated"))
    assert offline("init", str(tmp_path / "a")).code == 0
    assert done == []
    assert offline("init", str(tmp_path / "b"), "--no-calibrate").code == 0
    assert done == []
    assert offline("init", str(tmp_path / "c"), "--calibrate").code == 0
    assert done == ["calibrated"]


@pytest.mark.requirement("CAL-9")
@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_init_asks_and_does_as_it_is_told(
    offline: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    done: list[str] = []
    monkeypatch.setattr(calibrating, "calibrate", lambda: done.append("calibrated"))
    monkeypatch.setattr(inventory, "_at_a_terminal", lambda: True)
    said = offline("init", str(tmp_path / "a"), stdin=b"y\n" if answer else b"\n")
    assert "Calibrate now?" in said.out
    assert done == (["calibrated"] if answer else [])
