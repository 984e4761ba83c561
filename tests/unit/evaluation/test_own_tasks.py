from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from planwarden.contracts.verdict import Denied
from planwarden.errors import DataRejected
from planwarden.evaluation.own_benchmark import shipped_world
from planwarden.evaluation.own_tasks import (
    handoff_of,
    parse_own_tasks,
    read_own_tasks,
    shipped_own_tasks,
    split_of,
)

TASKS = shipped_own_tasks()
GUIDE = Path(__file__).parents[3] / "docs" / "reference" / "own-tasks.md"


def row(task_id: str = "a", **changes: Any) -> dict[str, Any]:
    step = {"agent": "one", "tools": ["t.first"], "fallback_tools": [], "depends_on": []}
    gold = {"steps": [step], "handoff": "sequential", "way_out": None}
    told = {"id": task_id, "source": "own", "split": split_of(task_id), "language": "en"}
    return {**told, "request": "Do it", "gold": gold, **changes}


def gold_of(
    *steps: dict[str, Any], handoff: str = "sequential", way_out: str | None = None
) -> dict[str, Any]:
    return {"steps": list(steps), "handoff": handoff, "way_out": way_out}


def said_of(*rows: dict[str, Any]) -> str:
    text = "\n".join(json.dumps(each) for each in rows)
    with pytest.raises(DataRejected) as caught:
        parse_own_tasks(text, "mine.jsonl")
    assert caught.value.remedy
    return caught.value.message


@pytest.mark.requirement("OWN-1")
def test_tasks_are_read_from_a_file_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{json.dumps(row('a'))}\n\n{json.dumps(row('b'))}\n", "utf-8")
    assert [task.id for task in read_own_tasks(path)] == ["a", "b"]
    with pytest.raises(DataRejected, match=r"gone\.jsonl cannot be read"):
        read_own_tasks(tmp_path / "gone.jsonl")


@pytest.mark.requirement("OWN-1")
def test_a_line_that_is_no_task_is_refused_with_file_line_and_field() -> None:
    first = {"agent": "one", "tools": ["t.first"]}
    assert said_of(row("a"), {"id": "b"}).startswith("mine.jsonl, line 2: source:")
    assert "gold.steps.0.tools" in said_of(row(gold=gold_of({"agent": "one", "tools": ["a", "b"]})))
    assert "surprise" in said_of(row(surprise=1))
    assert "either steps or a way out" in said_of(row(gold=gold_of()))
    assert "either steps or a way out" in said_of(row(gold=gold_of(first, way_out="ask_user")))
    assert "not before it" in said_of(row(gold=gold_of({**first, "depends_on": [0]})))
    assert "handoff is sequential where" in said_of(row(gold=gold_of(first, first)))
    assert "handoff is sequential where" in said_of(row(alternatives=[gold_of(first, handoff="parallel")]))
    wrong = "train" if split_of("a") == "held_out" else "held_out"
    assert f"belongs to {split_of('a')}" in said_of(row(split=wrong))
    assert "line 2: the task id 'a' occurs twice" in said_of(row("a"), row("a"))
    with pytest.raises(DataRejected, match="line 1: the line"):
        parse_own_tasks("{", "mine.jsonl")
    with pytest.raises(DataRejected, match="holds no tasks"):
        parse_own_tasks("\n", "mine.jsonl")


@pytest.mark.requirement("OWN-1")
def test_the_hand_off_is_sequential_where_every_step_depends_on_the_one_before() -> None:
    assert handoff_of([()]) == "sequential"
    assert handoff_of([(), (0,)]) == "sequential"
    assert handoff_of([(), (0,), (0, 1)]) == "sequential"
    assert handoff_of([(), ()]) == "parallel"
    assert handoff_of([(), (), (0, 1)]) == "parallel"
    assert handoff_of([(), (0,), (0,)]) == "parallel"


@pytest.mark.requirement("OWN-2")
def test_the_shipped_tasks_are_enough_a_third_is_held_out_and_a_fifth_has_no_fitting_tool() -> None:
    assert len(TASKS) >= 260
    held_out = [task for task in TASKS if task.split == "held_out"]
    assert 0.3 < len(held_out) / len(TASKS) < 0.37
    for some in (TASKS, held_out):
        none_fits = [task for task in some if task.gold.way_out]
        assert 0.2 <= len(none_fits) / len(some) < 0.3
        assert {task.gold.way_out for task in none_fits} == {"answer_without_tools", "ask_user"}
        handoffs = Counter(task.gold.handoff for task in some if len(task.gold.steps) > 1)
        assert min(handoffs["sequential"], handoffs["parallel"]) >= 10
        assert {len(task.gold.steps) for task in some} >= {1, 2, 3}


@pytest.mark.requirement("OWN-2")
def test_every_label_names_what_the_shipped_catalog_and_policy_allow(tmp_path: Path) -> None:
    world = shipped_world(tmp_path)
    planned: set[str] = set()
    for step in (step for task in TASKS for gold in task.golds for step in gold.steps):
        for tool in (*step.tools, *step.fallback_tools):
            assert tool in world.catalog.agents[step.agent].tools, step
            assert not isinstance(world.policy.decide(step.agent, tool), Denied), step
        assert set(step.fallback_tools) <= set(world.catalog.tools[step.tool].alternatives), step
        planned.add(step.tool)
    assert planned == set(world.catalog.tools)


@pytest.mark.requirement("OWN-2")
def test_no_request_occurs_twice_or_is_an_example_of_a_tool(tmp_path: Path) -> None:
    world = shipped_world(tmp_path)
    examples = {plain(each.request) for tool in world.catalog.tools.values() for each in tool.examples}
    requests = [plain(task.request) for task in TASKS]
    assert len(set(requests)) == len(requests)
    assert examples
    assert not examples.intersection(requests)


def plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


@pytest.mark.requirement("OWN-2")
def test_the_guide_says_how_many_tasks_there_are_in_how_many_languages() -> None:
    languages = Counter(task.language for task in TASKS)
    guide = GUIDE.read_text("utf-8")
    assert f"{len(TASKS)} requests, {languages['en']} in English" in guide
    assert len(languages) == 16
    example = re.search(r"```json\n(.*?)```", guide, re.DOTALL)
    assert example
    (told,) = parse_own_tasks(" ".join(example[1].split()), "the guide")
    assert told in TASKS
