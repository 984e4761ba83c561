"""`plan_validation_failed` in the structured log, for each rung, by faults through the command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.audit.log import safe_field
from surfaces_kit import Cli, Mind, plan_file

TASK = "What is the latest price of IBM?"
SECRET = "sk-very-secret-0123456789"
Logged = Callable[..., tuple[list[dict[str, Any]], str]]


@pytest.fixture
def logged(cli: Cli, program: list[str]) -> Logged:
    """Run a command in a process of its own with the log on; give its refusals and its stdout."""

    def run(*arguments: str, **settings: str) -> tuple[list[dict[str, Any]], str]:
        env = {**os.environ, "PLANWARDEN_LOG": "json", **settings}
        done = subprocess.run(
            [*program, *arguments], capture_output=True, text=True, check=False, timeout=120, env=env
        )
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        assert SECRET not in "".join(map(json.dumps, lines))
        return [line for line in lines if line["event"] == "plan_validation_failed"], done.stdout

    return run


def rungs(found: list[dict[str, Any]]) -> list[tuple[str, str | None, str, str]]:
    return [(each["rung"], each["inner_rung"], each["reason"], each["field"]) for each in found]


@pytest.mark.requirement("LOG-1")
def test_a_broken_notation_is_logged_for_a_plan_and_again_for_its_repair(logged: Logged, mind: Mind) -> None:
    mind.steps = [f"{SECRET}/finance.snapshot"]
    found, out = logged("plan", TASK, "--json")
    assert json.loads(out)["metadata"]["source"] == "fallback"
    assert [(each["rung"], each["inner_rung"]) for each in found] == [("schema", None), ("repair", "schema")]
    for each in found:
        assert each["run_id"] is None
        assert each["planner_model"] == "llama3.2:1b"
        assert each["plan_source"] == "fallback"
        assert each["catalog_digest"].startswith("sha256:")
        assert each["policy_digest"].startswith("sha256:")
        assert each["level"] == "warning"


@pytest.mark.requirement("LOG-1")
def test_what_a_run_refused_is_logged_with_its_id_and_stdout_stays_one_document(
    logged: Logged, mind: Mind
) -> None:
    mind.steps = [f"nobody/{SECRET}"]
    found, out = logged("run", TASK, "--json")
    assert [each["run_id"] for each in found] == [json.loads(out)["run_id"]] * 2


@pytest.mark.requirement("LOG-1")
def test_a_model_that_is_not_there_is_the_first_rung(logged: Logged, mind: Mind) -> None:
    assert mind.server is not None
    found, _ = logged("plan", TASK, "--json", PLANNER_LLM__TIMEOUT_S="0.000001")
    assert rungs(found) == [("constrained_output", None, "model_timed_out", "")]


@pytest.mark.requirement("LOG-1")
def test_an_unsure_plan_is_refused_at_semantics(logged: Logged) -> None:
    found, _ = logged("plan", TASK, "--json", PLANNER_LLM__MIN_CONFIDENCE="1")
    assert ("semantics", None, "confidence_too_low", "") in rungs(found)


@pytest.mark.requirement("LOG-1")
@pytest.mark.parametrize(
    ("step", "reason", "field", "place"),
    [
        ({"id": "s1", "agent": "nobody", "tools": ["x"]}, "unknown_agent", "steps[0].agent", 0),
        (
            {"id": "s1", "agent": "finance_agent", "tools": ["files.write"]},
            "tool_not_of_agent",
            "steps[0].tools[0]",
            0,
        ),
        ({"id": "S 1", "agent": "finance_agent"}, "contract_broken", "steps[0].id", 0),
        (
            {"id": "s1", "agent": "finance_agent", "tools": ["finance.snapshot"], SECRET: 1},
            "contract_broken",
            "steps[0].*",
            0,
        ),
    ],
)
def test_a_plan_that_somebody_brings_is_logged_with_field_and_step(
    logged: Logged, tmp_path: Path, step: dict[str, Any], reason: str, field: str, place: int
) -> None:
    found, _ = logged("run", TASK, "--json", "--plan", plan_file(tmp_path, step))
    assert [(each["reason"], each["field"], each["step"]) for each in found] == [(reason, field, place)]
    assert found[0]["plan_source"] == "edited"
    assert found[0]["planner_model"] is None


@pytest.mark.requirement("LOG-1")
def test_a_plan_file_that_is_no_json_is_refused_at_parse(logged: Logged, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(f'{{"steps": "{SECRET}')
    found, _ = logged("run", TASK, "--plan", str(path))
    assert rungs(found) == [("parse", None, "not_json", "")]


@pytest.mark.requirement("LOG-1")
def test_where_policy_leaves_nothing_the_last_rung_is_logged(logged: Logged, tmp_path: Path) -> None:
    catalog = tmp_path / "planwarden.yaml"
    catalog.write_text(
        "version: 1\nagents:\n  general_agent: {description: None, tools: [utils.clock]}\npolicies: {}\n"
    )
    found, _ = logged("plan", TASK, "--config", str(catalog))
    assert [each[0] for each in rungs(found)] == ["constrained_output", "fallback"]
    assert {each["plan_source"] for each in found} == {None}


@pytest.mark.requirement("LOG-2")
@given(st.text(max_size=80))
def test_a_logged_field_holds_only_names_of_the_contract(field: str) -> None:
    assert SECRET not in safe_field(field + SECRET)
    known = {"steps", "agent", "tools", "metadata", "*", ""}
    assert all(
        part.split("[")[0] in known or part.split("[")[0].isidentifier()
        for part in safe_field(field).split(".")
    )


@pytest.mark.requirement("LOG-2")
@pytest.mark.parametrize(
    ("field", "logged_as"),
    [
        ("steps[0].tools[1]", "steps[0].tools[1]"),
        ("steps[2].bindings.files.write.path", "steps[2].bindings.*.*.*"),
        ("metadata.hunter2", "metadata.*"),
        ("hunter2", "*"),
        ("", ""),
    ],
)
def test_names_that_somebody_made_up_are_left_out_of_the_logged_field(field: str, logged_as: str) -> None:
    assert safe_field(field) == logged_as
