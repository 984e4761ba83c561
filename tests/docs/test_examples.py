"""Each example runs, does what it says, and is short enough to read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from planwarden.configuration.settings import load_settings
from planwarden.llm.embedded import model_file
from planwarden.llm.embedded.engine import EngineOptions, load_llama
from planwarden.testing.scripted_llm import asking
from surfaces_kit import Mind

pytestmark = pytest.mark.requirement("DOC-7")

SHOWN = {
    "conversation.py",
    "metrics_text.py",
    "openai_server.py",
    "own_model.py",
    "own_policy.py",
    "own_tool.py",
    "read_a_dossier.py",
    "route_a_task.py",
    "tried_tool.py",
}
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "PLANNER_LLM__PROVIDER": "embedded",
        "LLM__PROVIDER": "embedded",
        "PLANWARDEN_HOME": str(home),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        cwd=home,
        env={**os.environ, **settings, **environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_every_example_is_at_most_eighty_lines_and_known_here() -> None:
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in EXAMPLES.glob("*.py")}
    assert set(lines) == SHOWN
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


def test_the_readme_names_every_example() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text("utf-8")
    assert not [name for name in SHOWN if f"(examples/{name})" not in readme]


@pytest.mark.live
def test_the_second_turn_of_a_conversation_leans_on_the_first(tmp_path: Path) -> None:
    done = run("conversation.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = done.stdout.split("you: ")[1:]
    assert "IBM was at 125.55" in first
    assert "called finance.snapshot {'symbol': 'MSFT'}" in second


def test_metrics_are_printed_from_the_journal(tmp_path: Path) -> None:
    done = run("metrics_text.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'planwarden_runs_total{outcome="completed"} 0.0' in done.stdout


def test_a_tool_is_tried_by_its_own_examples(tmp_path: Path) -> None:
    done = run("tried_tool.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok: ") == 2


def test_an_agent_with_a_model_of_its_own_calls_its_tool_freely(tmp_path: Path, mind: Mind) -> None:
    assert mind.server is not None
    mind.calls = [asking(("utils.calculator", {"expression": "6*7"}))]
    mind.answer = "It is 42 [s1.1]."
    done = run("own_model.py", tmp_path, OWN_URL=mind.server.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "counting_agent works with llama3.1:8b" in done.stdout
    assert "s1 was executed free" in done.stdout
    assert "called utils.calculator {'expression': '6*7'}: returned" in done.stdout
    assert "completed: It is 42 [s1.1]." in done.stdout


@pytest.mark.live
def test_a_task_runs_on_a_real_llama_cpp_server(tmp_path: Path) -> None:
    weights = model_file.find(load_settings().planwarden_cache / "models")
    assert weights is not None, "run `planwarden models fetch`"
    server: Any = load_llama(EngineOptions(path=weights, n_ctx=4096, listener_key="k" * 32))
    done = run(
        "openai_server.py",
        tmp_path,
        SERVER_URL=f"{server.listening_address}/v1",
        SERVER_MODEL=str(weights),
        SERVER_KEY="k" * 32,
    )
    del server
    assert not done.stderr
    assert f"planner: {weights} at http://127.0.0.1" in done.stdout
    assert re.search(r"^planned by (planner|prior|fallback); (completed|failed): ", done.stdout, re.MULTILINE)


def test_without_its_server_the_openai_example_says_what_to_do(tmp_path: Path) -> None:
    done = run("openai_server.py", tmp_path, SERVER_URL="http://127.0.0.1:1/v1")
    assert done.returncode == 1
    assert "No answer from http://127.0.0.1:1/v1" in done.stdout
    assert "What to do: Start the server" in done.stdout
