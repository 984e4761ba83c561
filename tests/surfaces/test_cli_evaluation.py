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
    cli("eval", "plans", tasks(tmp_path), "--limit", "1", "--model", "llama3.1:8b", "--json")
    assert mind.server.bodies[-1]["model"] == "llama3.1:8b"


def test_files_that_cannot_be_read_or_written_are_said_before_anything_is_planned(
    cli: Cli, mind: Mind, tmp_path: Path
) -> None:
    assert mind.server is not None
    cli("eval", "plans", str(tmp_path / "none.jsonl"), "--json").error(2, "data_rejected")
    cli("eval", "plans", tasks(tmp_path), "--out", str(tmp_path), "--json").error(2, "data_rejected")
    assert mind.server.bodies == []
