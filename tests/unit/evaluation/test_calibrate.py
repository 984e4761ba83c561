"""Calibration of whole models on the tasks that ship, with doubles that know everything or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from planwarden.app.assembly import make_planner
from planwarden.app.calibration import Basis
from planwarden.configuration.settings import PlannerModel
from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelUnavailable
from planwarden.evaluation.calibration.calibrate import Calibrated, calibrate, calibration_of
from planwarden.evaluation.calibration.collecting import Asked, ask_all
from planwarden.evaluation.calibration.reading import evenly, read_tasks, shipped_tasks
from planwarden.evaluation.calibration.tasks import CalibrationTask, Wanted, judge
from planwarden.evaluation.own_benchmark import shipped_world
from planwarden.llm.service import LLMRequest
from planwarden.testing.scripted_llm import FunctionLLM, Reply

TASKS = 60


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> tuple[CalibrationTask, ...]:
    return evenly(shipped_tasks(shipped_world(tmp_path_factory.mktemp("state"))), TASKS)


def nobody(_asked: Asked) -> None:
    """Hear of each task and say nothing."""


def asked_by(tasks: tuple[CalibrationTask, ...], mind: Callable[[LLMRequest], Reply]) -> tuple[Asked, ...]:
    planner = make_planner(PlannerModel(reasons="catalog"), FunctionLLM(mind))
    try:
        return anyio.run(ask_all, tasks, planner, (), nobody)
    finally:
        planner.close()


def knows_all(tasks: tuple[CalibrationTask, ...]) -> Callable[[LLMRequest], str]:
    """Answer with the right plan, as far as its tools are shown."""

    def mind(request: LLMRequest) -> str:
        said, schema = request.messages[-1].content, request.output_schema or {}
        task = max((each for each in tasks if each.request in said), key=lambda each: len(each.request))
        wanted, items = task.wanted[0], list[str]()
        for tool, agent in zip(wanted.tools, wanted.agents, strict=True):
            allowed: list[str] = cast("Any", schema)["$defs"][f"p{len(items) + 1}"]["enum"]
            items += [name for name in (tool, f"{agent}/{tool}") if name in allowed][:1]
        return json.dumps({"plan": items or ["none"]}, separators=(",", ":"))

    return mind


@pytest.mark.requirement("CAL-5")
def test_a_model_that_is_right_gets_a_large_weight_and_better_plans(
    tasks: tuple[CalibrationTask, ...],
) -> None:
    found = calibrate(asked_by(tasks, knows_all(tasks)))
    assert found.tools.helps
    assert found.weights.model > 1.0
    assert found.node_f1_gain.low > 0.05
    assert found.moved > 0.1
    assert found.unusable == 0
    assert found.confidence.plans.cases == TASKS


@pytest.mark.requirement("CAL-5")
def test_a_model_that_returns_garbage_changes_nothing(tasks: tuple[CalibrationTask, ...]) -> None:
    found = calibrate(asked_by(tasks, lambda _: "\x00 lorem ipsum"))
    assert found.unusable == TASKS
    assert not found.weights.model_counts
    assert (found.node_f1_gain.low, found.node_f1_gain.high, found.moved) == (0.0, 0.0, 0.0)
    assert found.node_f1.mean == found.node_f1_alone.mean


@pytest.mark.requirement("CAL-5")
def test_a_model_that_always_says_the_same_is_not_heard(tasks: tuple[CalibrationTask, ...]) -> None:
    found = calibrate(asked_by(tasks, lambda _: '{"plan":["none"]}'))
    assert found.unusable == 0
    assert found.weights.model == 0.0
    assert found.node_f1_gain.mean >= 0.0


@pytest.mark.requirement("CAL-5")
def test_a_model_that_cannot_be_had_any_more_ends_the_calibration(
    tasks: tuple[CalibrationTask, ...],
) -> None:
    with pytest.raises(ModelUnavailable):
        asked_by(tasks[:1], lambda _: ModelUnavailable("gone", remedy="start it"))


@pytest.mark.requirement("CAL-5")
def test_what_is_written_down_is_what_was_found(tasks: tuple[CalibrationTask, ...]) -> None:
    asked = asked_by(tasks, knows_all(tasks))
    found: Calibrated = calibrate(asked)
    made = calibration_of(
        found,
        asked,
        ModelIdentity(provider="ollama", model="m"),
        basis=Basis(prompt_version="p", prior_version="q"),
        catalog_digest="c",
        planwarden_version="v",
        at="2026-11-24",
    )
    assert made.measured
    assert made.weights == found.weights
    assert made.tasks == TASKS
    assert made.confidence.points == found.confidence.plan_points != ()
    assert made.figures["ece"] == pytest.approx(found.confidence.plans.ece.mean, abs=1e-4)
    assert type(made).model_validate_json(made.model_dump_json()) == made


@pytest.mark.requirement("CAL-6")
def test_the_shipped_tasks_leave_out_the_third_that_nothing_is_fitted_on(tmp_path: Path) -> None:
    tasks = shipped_tasks(shipped_world(tmp_path))
    assert 200 < len(tasks) < 300
    assert {task.source for task in tasks} == {"own"}
    assert sum(task.right_way_out("none") for task in tasks) > 10


@pytest.mark.requirement("CAL-6")
def test_tasks_of_both_formats_are_read_and_limited_evenly(tmp_path: Path) -> None:
    own = {
        "id": "own-001",
        "source": "own",
        "split": "train",
        "language": "en",
        "request": "IBM?",
        "gold": {
            "steps": [{"agent": "finance_agent", "tools": ["finance.snapshot"]}],
            "handoff": "sequential",
        },
    }
    brought = {
        "id": "t1",
        "source": "mine",
        "request": "Weather, then news",
        "tools": [{"name": "my weather"}, {"name": "news"}],
        "gold": {"steps": [{"tool": "my weather"}, {"tool": "news"}], "edges": [[0, 1]], "kind": "dag"},
    }
    paths = [tmp_path / "own.jsonl", tmp_path / "brought.jsonl"]
    for path, row in zip(paths, (own, brought), strict=True):
        path.write_text(json.dumps(row), "utf-8")
    first, second = read_tasks(paths, shipped_world(tmp_path / "state"))
    assert first.right_step("finance.snapshot", "finance_agent")
    assert not first.right_step("finance.snapshot", "general_agent")
    assert second.wanted[0].tools == ("my_weather", "news")
    assert second.right_link("my_weather", "news") is True
    assert second.right_link("news", "my_weather") is False
    assert second.right_link("news", "other") is None
    assert {task.source for task in evenly([first, second, second], 2)} == {"own", "mine"}


@pytest.mark.requirement("CAL-6")
def test_a_plan_is_exactly_right_with_the_tools_and_their_order_or_the_right_way_out(
    tasks: tuple[CalibrationTask, ...],
) -> None:
    two = next(task for task in tasks if len(task.wanted[0].edges) == 1 and len(task.wanted[0].tools) == 2)
    gold = two.wanted[0]
    assert judge(two, gold).exact
    loose = judge(two, Wanted(tools=gold.tools))
    assert (loose.exact, loose.node_f1) == (False, 1.0)
    assert judge(two, Wanted(way_out="none")).node_f1 == 0.0
    none = next(task for task in tasks if task.right_way_out("none"))
    assert judge(none, Wanted(way_out="none")).exact
