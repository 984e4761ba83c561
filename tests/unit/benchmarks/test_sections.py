"""Each part of the benchmark from tasks to tables: retrieval stands for the planner, a double for a model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from benchmarks.planner.baselines import NearestPlan, PlainRetrieval
from benchmarks.planner.bench import Bench, Mode, Sizes
from benchmarks.planner.comparison import beside_a_framework
from benchmarks.planner.confidence import honesty
from benchmarks.planner.layout import section_lines
from benchmarks.planner.new_catalogs import new_catalogs
from benchmarks.planner.quality import cross_validated, left_out
from benchmarks.planner.results import Results, Section
from benchmarks.planner.speed import latency

from planwarden.evaluation.contestants import Contestant, Plans
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, OfferedTool, PlanTask
from planwarden.evaluation.worlds import shipped_worlds
from planwarden.llm.service import LLMService
from planwarden.planning.prior import PriorSource
from planwarden.testing.obedient_llm import ObedientLLM
from planwarden.testing.ticking_clock import TickingClock
from planwarden.tuning.held_out import is_held_out

pytestmark = pytest.mark.anyio

WORDS = ("weather", "mail", "price", "map", "song")
TOOLS = tuple(OfferedTool(name=f"get_{word}", description=f"Gives the {word}") for word in WORDS)


class Retrieving:
    """Remembers what it was given; `fused` copies the nearest plan, the others rank by words."""

    def __init__(self, clock: TickingClock, known: Sequence[PlanTask] = ()) -> None:
        self.clock, self.known = clock, known

    def fitted(self, known: Sequence[PlanTask]) -> Retrieving:
        return Retrieving(self.clock, known)

    def shipped(self, *, always_asks: bool = False) -> Retrieving:
        return Retrieving(self.clock)

    def source(self) -> PriorSource:
        raise NotImplementedError

    def planner(self, mode: Mode, llm: LLMService) -> Plans:
        raise NotImplementedError

    def contestant(self, mode: Mode, llm: LLMService) -> Contestant:
        return NearestPlan(self.known, self.clock) if mode == "fused" else PlainRetrieval(clock=self.clock)


def bench(**environment: str) -> Bench:
    tasks = [
        PlanTask(
            id=f"{source}-{n}",
            source=source,
            request=f"Give me the {WORDS[n % 5]}, please, for {source} {n}",
            tools=TOOLS,
            gold=GoldPlan(
                steps=(GoldStep(tool=f"get_{WORDS[n % 5]}"), GoldStep(tool=f"get_{WORDS[(n + 1) % 5]}")),
                edges=((0, 1),) if source == "chained" else (),
            ),
        )
        for source in ("chained", "plain")
        for n in range(15)
    ]
    clock = TickingClock()
    return Bench(
        tasks=tuple(tasks),
        sizes=Sizes.read(environment),
        llm=ObedientLLM(num_ctx=8_000),
        makes=Retrieving(clock),
        clock=clock,
        tell=lambda _: None,
    )


def check(section: Section) -> str:
    """Check that it can be printed, and kept; give what is printed."""
    lines = list(section_lines(section))
    assert max(map(len, lines)) <= 100
    whole = Results(
        machine="m", model="m", version="v", commit="c", measured_on="d", sizes={}, sections=(section,)
    )
    assert Results.model_validate_json(whole.model_dump_json()) == whole
    return "\n".join(lines)


@pytest.mark.requirement("BEN-9")
async def test_cross_validation_puts_prior_model_fused_and_plain_retrieval_side_by_side() -> None:
    section, found = await cross_validated(bench(PLANWARDEN_BENCH_MODEL_TASKS="20"))
    said = check(section)
    assert len(found.judged["prior"]) == 30
    held_out = [each.id for each in bench().tasks if is_held_out(each.id)]
    assert sorted(each.task.id for each in found.judged["fused"]) == sorted(held_out)
    assert len(found.judged["model"]) == len(held_out) > 3
    tables = {each.name: each for each in section.tables}
    planners = {str(row["planner"]) for row in tables["cross_validation"].rows}
    assert planners == {
        "prior", "prior, sample", "model", "fused", "top 1 (router)", "top 2", "nearest plan",
    }  # fmt: skip
    assert [row["source"] for row in tables["by_source"].rows] == ["chained", "plain", "all", "macro"]
    assert sum(int(str(row["tasks"])) for row in tables["by_source"].rows[:2]) == len(held_out)
    for measure in ("node f1", "node f1, macro", "edge f1", "exact set", "order", "valid"):
        assert f"{measure}, fused" in said
    lowers, raises = section.figures[-2:]
    assert lowers.reached is (lowers.value is not None and lowers.value >= 0)
    assert raises.reached is (raises.value is not None and raises.value > 0)
    check(honesty(found))


@pytest.mark.requirement("BEN-9")
async def test_without_a_model_sample_the_prior_is_measured_and_fused_figures_are_not() -> None:
    section, found = await cross_validated(bench(PLANWARDEN_BENCH_MODEL_TASKS="0"))
    assert len(found.judged["prior"]) == 30
    assert found.judged["fused"] == ()
    assert all(figure.reached is None for figure in section.figures if "prior" not in figure.name)
    assert any(figure.reached is not None for figure in section.figures)
    check(section)
    check(honesty(found))


@pytest.mark.requirement("BEN-9")
async def test_a_source_left_out_is_planned_from_what_the_others_teach() -> None:
    section = await left_out(bench(PLANWARDEN_BENCH_MODEL_TASKS="10"))
    said = check(section)
    assert "source left out: node f1, macro, fused" in said
    assert "source left out: node f1, macro, prior" in said


@pytest.mark.requirement("BEN-13")
async def test_catalogs_that_nobody_planned_over_are_judged_on_what_their_tools_can_do() -> None:
    worlds = shipped_worlds()
    section = await new_catalogs(bench(PLANWARDEN_BENCH_WORLDS="24"))
    (scores,) = section.tables
    rows = {row["planner"]: row for row in scores.rows}
    planned = sum(bool(task.steps) for world in worlds for task in world.tasks)
    assert {name: row["tasks"] for name, row in rows.items()} == {
        "prior": planned,
        "prior, sample": 24,
        "model": 24,
        "fused": 24,
    }
    assert "edge f1" in rows["fused"]  # tasks of several steps are among the sample
    assert f"{planned} requests over {len(worlds)} made-up catalogs" in check(section)


@pytest.mark.requirement("BEN-9")
async def test_latency_and_the_frameworks_prompt_are_measured_on_a_fixed_sample() -> None:
    slice_ = bench(PLANWARDEN_BENCH_TASKS="8", PLANWARDEN_BENCH_BARE="4")
    said = check(await latency(slice_))
    assert "seconds for a plan, no model" in said
    compared = await beside_a_framework(slice_)
    said = check(compared)
    for name in (
        "times faster than bare-json",
        "share of bare-json's prompt tokens",
        "prompt read anew, second plan",
    ):
        assert name in said
    rows = {row["planner"]: row for row in compared.tables[0].rows}
    assert set(rows) == {"planner, fused", "bare-json"}
