"""Each example runs, does what it says, and is short enough to read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.requirement("DOC-7")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "PLANNER_LLM__PROVIDER": "embedded",
        "LLM__PROVIDER": "embedded",
        "PLANWARDEN_HOME": str(home),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        cwd=home,
        env={**os.environ, **settings, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_every_example_is_at_most_eighty_lines_and_known_here() -> None:
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in EXAMPLES.glob("*.py")}
    assert set(lines) == {"route_a_task.py", "own_tool.py", "own_policy.py", "read_a_dossier.py"}
    assert max(lines.values()) <= 80


@pytest.mark.live
def test_a_task_is_routed_and_its_dossier_read_without_planwarden(tmp_path: Path) -> None:
    routed = run("route_a_task.py", tmp_path)
    assert routed.returncode == 0, routed.stdout + routed.stderr
    assert "planned s1: finance_agent" in routed.stdout
    [path] = (tmp_path / "dossiers").glob("*.json")

    read = run("read_a_dossier.py", tmp_path, str(path))
    assert read.returncode == 0, read.stdout + read.stderr
    assert "intact: " in read.stdout

    whole = json.loads(path.read_text("utf-8"))
    assert run("read_a_dossier.py", tmp_path, str(path), whole["head"]).returncode == 0
    whole["events"][2]["kind"] = "plan_approved"
    path.write_text(json.dumps(whole), "utf-8")
    assert run("read_a_dossier.py", tmp_path, str(path)).returncode == 6

    whole["events"] = []
    whole["head"] = "sha256:" + "0" * 64
    path.write_text(json.dumps(whole), "utf-8")
    assert run("read_a_dossier.py", tmp_path, str(path), "sha256:" + "1" * 64).returncode == 6


@pytest.mark.live
def test_a_tool_of_ones_own_is_planned_and_called(tmp_path: Path) -> None:
    done = run("own_tool.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "There are 300 washers in stock. [s1.1]" in done.stdout


def test_a_policy_of_ones_own_refuses_before_the_effect(tmp_path: Path) -> None:
    done = run("own_policy.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "intern files.save {'path': 'reports/a.md'}: denied (no-policy" in done.stdout
    assert "refused before it happened: policy_denied" in done.stdout
    assert "completed: saved reports/a.md" in done.stdout
