from __future__ import annotations

import json
from pathlib import Path

import pytest

from planwarden.errors import DataRejected, ModelUnavailable, PromptTooLong
from planwarden.evaluation.contestants import (
    Attempted,
    BareJsonContestant,
    PlannerContestant,
    read_bare,
)
from planwarden.evaluation.intervals import estimate, macro_estimate
from planwarden.evaluation.offered import catalog_of
from planwarden.evaluation.plan_benchmark import Judged, run_benchmark, summarise
from planwarden.evaluation.plan_tasks import OfferedTool, PlanTask, evenly, read_plan_tasks
from planwarden.planning.attempt import PlannerSettings
from planwarden.planning.planner import LLMOrchestrationPlanner
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.ticking_clock import TickingClock

pytestmark = pytest.mark.anyio


def line(task_id: str, source: str = "one", gold: str = "weather") -> str:
    tools = [
        {"name": "weather", "description": "The weather of a city", "parameters": {"type": "dict"}},
        {"name": "first aid", "description": "Call for help", "parameters": {"type": "object"}},
    ]
    steps = {"steps": [{"tool": gold}], "edges": [], "kind": "parallel"}
    return json.dumps(
        {"id": task_id, "source": source, "request": "How is it?", "tools": tools, "gold": steps}
    )


def tasks(tmp_path: Path, *lines: str) -> tuple[PlanTask, ...]:
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return read_plan_tasks([path])


@pytest.mark.requirement("EVAL-2")
def test_a_line_that_is_no_task_is_refused_with_its_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=r"tasks\.jsonl, line 2: request"):
        tasks(tmp_path, line("a"), json.dumps({"id": "b", "source": "one"}))
    with pytest.raises(DataRejected, match="line 1: the line"):
        tasks(tmp_path, "{")


@pytest.mark.requirement("EVAL-2")
def test_an_edge_to_nowhere_a_repeated_id_and_no_tasks_at_all_are_refused(tmp_path: Path) -> None:
    broken = json.loads(line("a"))
    broken["gold"]["edges"] = [[0, 3]]
    with pytest.raises(DataRejected, match="edge names a step that is not there"):
        tasks(tmp_path, json.dumps(broken))
    with pytest.raises(DataRejected, match="'a' occurs twice"):
        tasks(tmp_path, line("a"), line("a"))
    with pytest.raises(DataRejected, match="no tasks"):
        tasks(tmp_path, "", "")
    with pytest.raises(DataRejected, match="cannot be read"):
        read_plan_tasks([tmp_path / "missing.jsonl"])


@pytest.mark.requirement("EVAL-2")
def test_a_limit_takes_evenly_from_every_source(tmp_path: Path) -> None:
    read = tasks(tmp_path, *(line(f"a{n}") for n in range(5)), line("b0", "two"), line("b1", "two"))
    assert [task.id for task in evenly(read, 4)] == ["a0", "a1", "b0", "b1"]
    assert [task.id for task in evenly(read, 6)] == ["a0", "a1", "a2", "a3", "b0", "b1"]


@pytest.mark.requirement("EVAL-3")
def test_offered_tools_become_a_catalog_whatever_they_are_called(tmp_path: Path) -> None:
    (task,) = tasks(tmp_path, line("a"))
    offered = (
        *task.tools,
        OfferedTool(name="first_aid"),
        OfferedTool(name="1st"),
        OfferedTool(name="x" * 80),
    )
    catalog, names = catalog_of(task.model_copy(update={"tools": offered}))
    assert sorted(names.values()) == sorted(tool.name for tool in offered)
    assert set(catalog.tools) == set(names)
    assert catalog.tools["weather"].parameters["type"] == "object"


@pytest.mark.requirement("EVAL-3")
async def test_the_products_planner_is_measured_on_the_tools_as_they_were_offered(tmp_path: Path) -> None:
    (task,) = tasks(tmp_path, line("a", gold="first aid"))
    with ScriptedLLM(json.dumps({"plan": ["first_aid"]})) as llm:
        planner = LLMOrchestrationPlanner(llm, PlannerSettings(mode="model"))
        contestant = PlannerContestant(planner=planner, clock=TickingClock())
        seen: list[Judged] = []
        (judged,) = await run_benchmark([task], contestant, seen.append)
    planner.close()
    assert seen == [judged]
    assert judged.attempted.prediction.tools == ("first aid",)
    assert judged.score.exact_plan == 1.0
    assert judged.attempted.source == "planner"
    assert judged.attempted.usage.prompt_tokens > 0


@pytest.mark.requirement("EVAL-4")
@pytest.mark.parametrize(
    ("text", "tools", "edges"),
    [
        ('{"steps":[{"id":0,"tool":"a"},{"id":1,"tool":"b","depends_on":[0]}]}', ("a", "b"), ((0, 1),)),
        ('Sure! Here it is:\n```json\n["a", "b"]\n```', ("a", "b"), ()),
        ('{"name": "a", "arguments": {}}', ("a",), ()),
        ('{"note": 1} then {"steps": [{"function": "a"}]}', ("a",), ()),
        ('{"steps": [{"tool": "a"', (), ()),
        ("I would use a.", (), ()),
        ("[" * 20_000, (), ()),
        ('{"steps": 3}', (), ()),
    ],
)
def test_free_text_is_read_as_leniently_as_a_framework_would(
    text: str, tools: tuple[str, ...], edges: tuple[tuple[int, int], ...]
) -> None:
    read = read_bare("t", text)
    assert read.tools == tools
    assert read.edges == edges


@pytest.mark.requirement("EVAL-4")
async def test_the_bare_prompt_carries_every_schema_and_no_constraint_and_a_failure_scores_nothing(
    tmp_path: Path,
) -> None:
    read = tasks(tmp_path, line("a"), line("b"), line("c"))
    failures = ModelUnavailable("gone", remedy="start it"), PromptTooLong("too long", remedy="shorten it")
    with ScriptedLLM('["weather"]', *failures) as llm:
        contestant = BareJsonContestant(llm=llm, clock=TickingClock())
        judged = await run_benchmark(read, contestant, lambda _: None)
    assert llm.requests[0].output_schema is None
    assert all(json.dumps(tool.parameters) in llm.requests[0].messages[0].content for tool in read[0].tools)
    assert [each.score.node_f1 for each in judged] == [1.0, 0.0, 0.0]
    assert [each.attempted.source for each in judged] == ["planner", "none", "none"]
    assert "too long" in judged[2].attempted.error


@pytest.mark.requirement("EVAL-5")
async def test_macro_counts_every_source_alike_and_all_every_task(tmp_path: Path) -> None:
    read = tasks(tmp_path, line("a"), line("b"), line("c"), line("d", "two"))

    class Some:
        async def attempt(self, task: PlanTask) -> Attempted:
            right = read_bare(task.id, '["weather"]' if task.source == "one" else "[]")
            from planwarden.contracts.model import ModelUsage

            return Attempted(prediction=right, usage=ModelUsage(), seconds=1.0, source="planner")

    judged = await run_benchmark(read, Some(), lambda _: None)
    by_name = {each.name: each for each in summarise(judged)}
    assert list(by_name) == ["one", "two", "all", "macro"]
    assert by_name["all"].scores["node_f1"].mean == 0.75
    assert by_name["macro"].scores["node_f1"].mean == 0.5
    assert "edge_f1" not in by_name["all"].scores
    assert by_name["all"].sources == {"planner": 4}


@pytest.mark.requirement("EVAL-5")
def test_an_interval_holds_its_mean_narrows_with_more_values_and_is_the_same_each_time() -> None:
    few, many = estimate([0.0, 1.0] * 5), estimate([0.0, 1.0] * 200)
    assert few == estimate([0.0, 1.0] * 5)
    assert few.low <= few.mean <= few.high
    assert many.high - many.low < few.high - few.low
    assert estimate([1.0, 1.0]).low == 1.0
    assert macro_estimate({"a": [1.0], "b": [0.0, 0.0]}).mean == 0.5
