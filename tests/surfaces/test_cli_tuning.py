"""`planwarden tune planner` on the command line: what it refuses before any hour is spent."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from planwarden.tuning.libraries import NEEDED
from surfaces_kit import Cli


def tasks(folder: Path, count: int) -> str:
    path = folder / "tasks.jsonl"
    tools = [{"name": "weather", "description": "The weather", "parameters": {"type": "object"}}]
    gold = {"steps": [{"tool": "weather"}], "edges": [], "kind": "parallel"}
    row = {"source": "mine", "tools": tools, "gold": gold}
    asked = [{"id": f"t{n}", "request": f"How is the weather on day {n}?", **row} for n in range(count)]
    path.write_text("".join(json.dumps(each) + "\n" for each in asked), "utf-8")
    return str(path)


@pytest.mark.requirement("TUNE-6")
def test_nothing_to_learn_from_and_too_few_tasks_are_refused(cli: Cli, tmp_path: Path) -> None:
    nothing = cli("tune", "planner", "--json")
    assert (nothing.code, nothing.json["error"]["message"]) == (2, "There is nothing to learn from.")
    few = cli("tune", "planner", "--data", tasks(tmp_path, 20), "--json")
    assert few.code == 2
    assert "nobody could say whether tuning helped" in few.json["error"]["message"]


@pytest.mark.requirement("TUNE-7")
@pytest.mark.parametrize("missing", ["gguf", "tokenizers", "torch"])
def test_without_the_libraries_the_command_says_what_installs_them(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    real = importlib.import_module

    def without_one(name: str, package: str | None = None) -> object:
        if name == missing:
            raise ImportError(f"No module named {name!r}")
        # Where these tests run, the others of the extra may be missing too.
        return object() if name in NEEDED else real(name, package)

    monkeypatch.setattr(importlib, "import_module", without_one)
    monkeypatch.setenv("PLANNER_LLM__MODEL_FILE", str(tmp_path / "any.gguf"))
    told = cli("tune", "planner", "--data", tasks(tmp_path, 200), "--json")
    assert told.code == 2
    assert f"Tuning needs {missing}, which" in told.json["error"]["message"]
    assert "`pip install '.[tune]'` in a checkout" in told.json["error"]["remedy"]
