from __future__ import annotations

import json
from pathlib import Path

import pytest

from surfaces_kit import Cli, Mind

pytestmark = pytest.mark.requirement("EVAL-6")


def tasks(folder: Path) -> str:
    path = folder / "tasks.jsonl"
    tools = [{"name": "weather", "description": "The weather", "parameters": {"type": "object"}}]
    gold = {"steps": [{"tool": "weather"}], "edges": [], "kind": "parallel"}
    row = {"source": "mine", "request": "How is the weather?", "tools": tools, "gold": gold}
    path.write_text("".join(json.dumps({"id": f"t{n}", **row}) + "\n" for n in range(3)), "utf-8")
    return str(path)


def test_every_score_is_printed_and_the_predictions_are_written(cli: Cli, mind: Mind, tmp_path: Path) -> None:
    mind.steps = ["weather"]
    out = tmp_path / "predictions.jsonl"
    told = cli("eval", "plans", tasks(tmp_path), "--out", str(out), "--limit", "2", "--json").json
    assert [each["name"] for each in told["summaries"]] == ["mine", "all"]
    assert told["summaries"][0]["scores"]["exact_plan"]["mean"] == 1.0
    assert told["summaries"][0]["tasks"] == 2
    written = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert written == [{"id": f"t{n}", "steps": [{"tool": "weather"}], "edges": []} for n in range(2)]
    shown = cli("eval", "plans", tasks(tmp_path), "--limit", "1").out
    for word in ("node f1", "edge f1", "exact set", "exact plan", "order", "1.000", "planner 1"):
        assert word in shown


def test_the_frameworks_prompt_scores_what_its_free_text_holds(cli: Cli, mind: Mind, tmp_path: Path) -> None:
    mind.answer = 'The plan: {"steps": [{"tool": "weather"}]}'
    told = cli("eval", "plans", tasks(tmp_path), "--planner", "bare-json", "--json").json
    assert told["planner"] == "bare-json"
    assert told["summaries"][0]["scores"]["node_f1"]["mean"] == 1.0


def test_the_model_named_on_the_command_line_is_the_one_that_is_asked(
    cli: Cli, mind: Mind, tmp_path: Path
) -> None:
    assert mind.server is not None
    cli(
        "eval",
        "plans",
        tasks(tmp_path),
        "--limit",
        "1",
        "--planner",
        "model",
        "--model",
        "llama3.1:8b",
        "--json",
    )
    assert mind.server.bodies[-1]["model"] == "llama3.1:8b"


def test_files_that_cannot_be_read_or_written_are_said_before_anything_is_planned(
    cli: Cli, mind: Mind, tmp_path: Path
) -> None:
    assert mind.server is not None
    cli("eval", "plans", str(tmp_path / "none.jsonl"), "--json").error(2, "data_rejected")
    cli("eval", "plans", tasks(tmp_path), "--out", str(tmp_path), "--json").error(2, "data_rejected")
    assert mind.server.bodies == []


@pytest.mark.requirement("BEN-8")
def test_the_prior_alone_asks_no_model_and_says_what_was_remembered(
    cli: Cli, mind: Mind, tmp_path: Path
) -> None:
    assert mind.server is not None
    asked = tasks(tmp_path)
    known = tmp_path / "known.jsonl"
    rows = [json.loads(line) for line in Path(asked).read_text("utf-8").splitlines()]
    more = [{**row, "id": f"k{n}", "request": f"Weather number {n}?"} for n, row in enumerate(rows)]
    known.write_text("".join(json.dumps(row) + "\n" for row in more), "utf-8")
    told = cli("eval", "plans", asked, "--planner", "prior", "--memory", str(known), "--json").json
    assert told["planner"] == "prior"
    assert told["remembered"] == [str(known)]
    assert told["summaries"][0]["sources"] == {"prior": 3}
    cost = told["summaries"][-1]["cost"]
    assert set(cost["seconds"]) == {"median", "low", "high"}
    assert cost["prompt_tokens"]["median"] == cost["cached_tokens"]["median"] == 0
    assert [body for body in mind.server.bodies if "messages" in body] == []


@pytest.mark.requirement("BEN-8")
def test_a_file_of_memory_that_cannot_be_read_is_said_before_anything_is_planned(
    cli: Cli, mind: Mind, tmp_path: Path
) -> None:
    missing = str(tmp_path / "none.jsonl")
    cli("eval", "plans", tasks(tmp_path), "--memory", missing, "--json").error(2, "data_rejected")
