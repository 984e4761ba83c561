"""How plans fare over catalogs that nobody planned over before, asked as people ask: the worlds that ship."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from benchmarks.planner.bench import MODES, Bench, Crossed, Mode, crossed
from benchmarks.planner.results import Cell, Measured, Section, Table, table
from benchmarks.planner.splits import without_groups

from planwarden.evaluation.plan_benchmark import Judged, summarise
from planwarden.evaluation.plan_scores import MEASURES
from planwarden.evaluation.plan_tasks import evenly
from planwarden.evaluation.worlds import shipped_worlds

GROUPS: Final = 4


async def new_catalogs(bench: Bench) -> Section:
    """Judge each world by planners that were neither fitted on it nor remember it, three worlds at a time."""
    worlds = shipped_worlds()
    tasks = evenly([task for world in worlds for task in world.plan_tasks()], bench.sizes.tasks)
    asked = evenly(tasks, bench.sizes.worlds)
    found = await crossed(
        bench, without_groups(tasks, bench.tasks, GROUPS), frozenset(task.id for task in asked)
    )
    return Section(
        name="new catalogs",
        notes=(
            f"{len(tasks)} requests over {len(worlds)} made-up catalogs; with a model {len(asked)} of them.",
            "Fitted on and remembered: the other catalogs' tasks, and the dev set's where it is there.",
            "The adapter that ships was trained on none of them.",
        ),
        tables=(_scores(found), _nothing_fits(found)),
    )


def _scores(found: Crossed) -> Table:
    rows: list[dict[str, Cell]] = []
    for label, judged in _contestants(found):
        summary = next(
            each for each in summarise([one for one in judged if one.task.gold.steps]) if each.name == "all"
        )
        rows.append(
            {
                "planner": label,
                "tasks": summary.tasks,
                **{
                    measure.replace("_", " "): Measured.of(summary.scores[measure])
                    for measure in MEASURES
                    if measure in summary.scores
                },
            }
        )
    return table("new_catalogs", "Requests that tools can do, over catalogs never seen", rows)


def _nothing_fits(found: Crossed) -> Table:
    """Say how often it is seen that nothing fits, and how often it is said where something does."""
    rows: list[dict[str, Cell]] = []
    for label, judged in _contestants(found):
        nothing = [not one.attempted.prediction.steps for one in judged if not one.task.gold.steps]
        something = [not one.attempted.prediction.steps for one in judged if one.task.gold.steps]
        rows.append(
            {
                "planner": label,
                "nothing fits": len(nothing),
                "seen": fmean(nothing) if nothing else None,
                "something fits": len(something),
                "said wrongly": fmean(something) if something else None,
            }
        )
    return table("new_catalogs_nothing_fits", "Requests that no tool can do, over catalogs never seen", rows)


def _contestants(found: Crossed) -> list[tuple[str, Sequence[Judged]]]:
    asked = {each.task.id for each in found.judged["fused"]}
    sample = [each for each in found.judged["prior"] if each.task.id in asked]
    every: list[tuple[str, Sequence[Judged]]] = [("prior", found.judged["prior"]), ("prior, sample", sample)]
    asking: tuple[Mode, ...] = tuple(mode for mode in MODES if mode != "prior")
    return [
        (label, judged)
        for label, judged in (*every, *((mode, found.judged[mode]) for mode in asking))
        if judged
    ]
