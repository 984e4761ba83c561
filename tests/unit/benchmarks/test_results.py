from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.planner.comparison import ratio_figures
from benchmarks.planner.layout import section_lines
from benchmarks.planner.page import BEGIN, END, filled_in, rivals_lines
from benchmarks.planner.plots import draw_all
from benchmarks.planner.results import Figure, Measured, Results, Section, reached_figure, status, table

from planwarden.contracts.model import ModelUsage
from planwarden.evaluation.contestants import Attempted
from planwarden.evaluation.intervals import Estimate, Spread
from planwarden.evaluation.plan_benchmark import Judged
from planwarden.evaluation.plan_scores import score_plan
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, OfferedTool, PlanTask, Prediction


def judged(number: int, seconds: float, prompt: int, output: int) -> Judged:
    gold = GoldPlan(steps=(GoldStep(tool="a"),))
    task = PlanTask(id=f"t{number}", source="s", request="r", tools=(OfferedTool(name="a"),), gold=gold)
    said = Prediction(id=task.id, steps=gold.steps)
    usage = ModelUsage(prompt_tokens=prompt, output_tokens=output)
    attempted = Attempted(prediction=said, usage=usage, seconds=seconds, source="planner")
    return Judged(task=task, attempted=attempted, score=score_plan(task, said))


@pytest.mark.requirement("BEN-4")
def test_ratios_are_of_medians_and_only_over_tasks_that_the_frameworks_model_could_read() -> None:
    ours = [judged(n, 1.0, 300, 20) for n in range(3)] + [judged(3, 900.0, 9_000, 900)]
    theirs = [judged(0, 10.0, 3_000, 100), judged(1, 25.0, 6_000, 200), judged(2, 90.0, 9_000, 512)]
    theirs.append(judged(3, 0.01, 0, 0))  # did not fit its context: no ratio to it means anything
    faster, fewer_in, fewer_out = ratio_figures(ours, theirs)
    assert (faster.value, faster.reached) == (25.0, True)
    assert (fewer_in.value, fewer_in.reached) == (0.05, True)
    assert (fewer_out.value, fewer_out.reached) == (0.1, True)
    slower, more, _ = ratio_figures([judged(0, 5.0, 2_000, 20)], [judged(0, 10.0, 3_000, 100)])
    assert (slower.value, slower.reached) == (2.0, False)
    assert more.reached is False


@pytest.mark.requirement("BEN-4")
def test_a_ratio_to_nothing_is_not_measured() -> None:
    assert [each.value for each in ratio_figures([judged(0, 1.0, 3, 1)], [judged(0, 1.0, 0, 0)])] == [
        None
    ] * 3


@pytest.mark.requirement("BEN-6")
def test_a_figure_says_whether_the_value_itself_reached_its_target_from_either_side() -> None:
    assert status(reached_figure("f1", Estimate(0.85, 0.8, 0.9, 9), 0.85)) == "reached"
    assert status(reached_figure("f1", Estimate(0.849, 0.8, 0.9, 9), 0.85)) == "not reached"
    assert status(reached_figure("s", Spread(0.9, 0.8, 1.4), 1.0, at_most=True)) == "reached"
    assert status(reached_figure("s", 1.1, 1.0, at_most=True)) == "not reached"
    assert status(reached_figure("s", None, 1.0)) == "not measured"


def results() -> Results:
    measures = ("valid", "node f1", "edge f1", "exact set", "exact plan", "order")
    wide = Measured(mean=0.7219, low=0.6912, high=0.75)
    rows = [{"planner": "prior, sample", "over": "macro", "tasks": 1_053, **dict.fromkeys(measures, wide)}]
    sources = [
        {"source": "easy", "tasks": 50, **by(prior=0.7, model=0.4, fused=0.8, top=0.5)},
        {"source": "hard", "tasks": 50, **by(prior=0.31, model=0.1, fused=0.3, top=0.4)},
        {"source": "all", "tasks": 100, **by(prior=0.5, model=0.2, fused=0.6, top=0.6)},
    ]
    bins = [{"plans": 9, "confidence": 0.3, "exactly right": Measured(mean=0.4, low=0.2, high=0.6)}]
    curve = [{"coverage": 0.5, "wrong": 0.2, "least confidence": 0.7}]
    section = Section(
        name="cross-validation",
        notes=("1,053 tasks in 5 folds.",),
        tables=(
            table("cross_validation", "All tasks alike", rows),
            table("by_source", "Node F1 by source", sources),
            table("reliability_fused", "Reliability", bins),
            table("risk_fused", "Risk", curve),
        ),
        figures=(
            reached_figure("node f1, fused", Estimate(0.6, 0.5, 0.7, 100), 0.85),
            reached_figure("valid, fused", 1.0, 1.0),
            Figure(name="order, fused", value=None, target=0.75),
        ),
        seconds=90.0,
    )
    return Results(
        machine="two cores",
        model="smollm2",
        version="0.1.0",
        commit="abc",
        measured_on="2026-11-24",
        sizes={"tasks": 100},
        sections=(section,),
    )


def by(**means: float) -> dict[str, Measured]:
    return {
        name.replace("top", "top 2"): Measured(mean=mean, low=mean - 0.05, high=mean + 0.05)
        for name, mean in means.items()
    }


@pytest.mark.requirement("BEN-6")
def test_what_is_printed_fits_a_hundred_columns_with_intervals_under_their_means() -> None:
    lines = list(section_lines(results().sections[0]))
    assert max(map(len, lines)) <= 100
    mean = next(place for place, line in enumerate(lines) if "0.722" in line)
    assert "0.69–0.75" in lines[mean + 1]
    assert any(re.search(r"node f1, fused .*0\.600 .*≥ 0\.85 +not reached", line) for line in lines)


@pytest.mark.requirement("BEN-7")
def test_the_page_says_what_was_measured_what_was_missed_and_where_something_simpler_wins() -> None:
    page = filled_in(f"# Benchmark\n\n{BEGIN}\noutdated\n{END}\n\nafter\n", results())
    assert page.startswith("# Benchmark\n")
    assert page.endswith("after\n")
    assert "outdated" not in page
    assert "two cores" in page
    assert "Not reached: node f1, fused." in page
    assert "| order, fused | – |  | ≥ 0.75 | not measured |" in page
    assert "| easy | 50 | 0.700 (0.65 to 0.75) |" in page
    assert (
        "- On hard the fused planner (0.300) is behind plain retrieval, `top 2` (0.400), the prior alone"
        in page
    )
    assert "On easy" not in page
    assert "Over all tasks" not in page  # a tie is no win
    with pytest.raises(ValueError, match="needs the marks"):
        filled_in("# Benchmark", results())


@pytest.mark.requirement("BEN-7")
def test_where_nothing_simpler_wins_the_page_says_that_and_without_the_table_nothing() -> None:
    whole = results()
    rows = [row for row in whole.sections[0].tables[1].rows if row["source"] == "easy"]
    only = table("by_source", "Node F1 by source", rows)
    section = whole.sections[0].model_copy(update={"tables": (only,)})
    said = "\n".join(rivals_lines(whole.model_copy(update={"sections": (section,)})))
    assert "On no source, and not over all" in said
    assert list(rivals_lines(whole.model_copy(update={"sections": ()}))) == []


@pytest.mark.requirement("BEN-7")
def test_a_picture_is_drawn_for_each_table_that_was_measured_and_for_no_other(tmp_path: Path) -> None:
    drawn = draw_all(results(), tmp_path)
    assert [each.name for each in drawn] == ["by-source.png", "reliability.png", "risk-coverage.png"]
    assert all(each.read_bytes().startswith(b"\x89PNG") for each in drawn)


@pytest.mark.requirement("BEN-7")
def test_results_are_read_back_as_they_were_written() -> None:
    assert Results.model_validate_json(results().model_dump_json()) == results()
