from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from planwarden.errors import ModelUnavailable
from planwarden.evaluation.own_benchmark import (
    OwnAttempt,
    OwnContestant,
    run_own,
    shipped_world,
    spread,
    summarise_own,
)
from planwarden.evaluation.own_tasks import OwnTask, shipped_own_tasks
from planwarden.planning.planner import LLMOrchestrationPlanner, PlannerSettings
from planwarden.policy.rules import ToolPolicy
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.ticking_clock import TickingClock

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("OWN-4")]

TASKS = shipped_own_tasks()


def task_of(request: str) -> OwnTask:
    return next(task for task in TASKS if task.request == request)


async def test_the_planner_is_measured_over_the_shipped_catalog_whatever_is_configured_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planwarden.yaml").write_text("version: 1\nagents: {}\n", "utf-8")
    tasks = task_of("AAPL now?"), task_of("it's wrong"), task_of("UTC time")
    replies = (
        json.dumps({"plan": ["finance.snapshot"]}),
        json.dumps({"plan": ["ask"]}),
        ModelUnavailable("gone", remedy="start it"),
    )
    world = shipped_world(tmp_path)
    seen: list[OwnAttempt] = []
    with ScriptedLLM(*replies) as llm:
        planner = LLMOrchestrationPlanner(llm, PlannerSettings(mode="model"))
        contestant = OwnContestant(
            planner=planner, catalog=world.catalog, policy=world.policy, clock=TickingClock()
        )
        attempts = await run_own(tasks, contestant, seen.append)
        denied = replace(contestant, policy=ToolPolicy())
        attempts += await run_own([task_of("rollback procedure")], denied, seen.append)
        planner.close()
    assert tuple(seen) == attempts
    assert [each.score.exact_plan for each in attempts] == [1.0, 1.0, 0.0, 0.0]
    assert [each.source for each in attempts] == ["planner", "planner", "fallback", "none"]
    assert "gone" in attempts[2].error
    assert "may do nothing here" in attempts[3].error
    assert attempts[0].prompt_tokens > 0
    assert attempts[0].output_tokens > 0
    by_name = {each.name: each for each in summarise_own(attempts)}
    assert {name: each.tasks for name, each in by_name.items()} == {
        "all": 4,
        "english": 4,
        "one step": 3,
        "nothing fits": 1,
    }
    whole = by_name["all"].scores
    assert whole["agents"].mean == 0.5
    assert whole["none_precision"].mean == 0.5
    assert whole["none_recall"].mean == 1.0
    assert (whole["fallbacks"].mean, whole["fallbacks"].count) == (1.0, 1)
    assert "handoff" not in whole
    assert by_name["all"].sources == {"planner": 2, "fallback": 1, "none": 1}


def test_a_limit_takes_tasks_from_all_over_in_their_order() -> None:
    assert spread(TASKS, None) == TASKS
    assert spread(TASKS, 10_000) == TASKS
    assert spread(TASKS[:9], 3) == (TASKS[0], TASKS[3], TASKS[6])
    assert spread((), 3) == ()
