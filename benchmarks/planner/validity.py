"""Whether a plan is valid whatever model stands behind the planner."""

from __future__ import annotations

from statistics import fmean

from benchmarks.planner.bench import Bench, Mode
from benchmarks.planner.hostile import HOSTILE, HostileLLM
from benchmarks.planner.results import Cell, Measured, Section, reached_figure, table

from planwarden.evaluation.plan_benchmark import difference, summarise
from planwarden.evaluation.plan_tasks import evenly

SEED = 20261124
ASKING: tuple[Mode, ...] = ("model", "fused")


async def with_hostile_models(bench: Bench) -> Section:
    """Plan with models that are worth nothing; the plans have to be valid, and fused ones no worse."""
    sample = evenly(bench.tasks, bench.sizes.hostile)
    shipped = bench.makes.shipped()
    alone = await bench.judge("hostile, prior", sample, shipped.contestant("prior", bench.llm))
    rows: list[dict[str, Cell]] = []
    valid: list[float] = []
    for kind, says in HOSTILE.items():
        for mode in ASKING:
            contestant = shipped.contestant(mode, HostileLLM(kind, says, SEED))
            judged = await bench.judge(f"hostile, {kind}, {mode}", sample, contestant)
            whole = next(each for each in summarise(judged) if each.name == "all")
            valid += [each.score.valid for each in judged]
            changed = difference(alone, judged, "node_f1")
            rows.append(
                {
                    "model": kind,
                    "planner": mode,
                    "valid": whole.scores["valid"].mean,
                    "node f1": Measured.of(whole.scores["node_f1"]),
                    "minus prior": Measured.of(changed) if changed else None,
                    "plans by source": ", ".join(f"{name} {n}" for name, n in whole.sources.items()),
                }
            )
    share = fmean(valid)
    return Section(
        name="hostile models",
        notes=(f"{len(sample)} tasks with each; the models draw lots from seed {SEED}.",),
        tables=(table("hostile", "Plans with models that are worth nothing", rows),),
        figures=(reached_figure("valid, with models that return anything", share, 1.0),),
    )
