"""How plans fare over catalogs that nobody planned over before, asked as people ask: the worlds that ship."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.planner.bench import MODES, Bench, Crossed, Mode, crossed
from benchmarks.planner.results import Cell, Measured, Section, Table, table
from benchmarks.planner.splits import without_groups

from planwarden.evaluation.own_benchmark import spread
from planwarden.evaluation.plan_benchmark import Judged, summarise
from planwarden.evaluation.plan_scores import MEASURES
from planwarden.evaluation.plan_tasks import evenly
from planwarden.evaluation.worlds import shipped_worlds

GROUPS: Final = 4


async def new_catalogs(bench: Bench) -> Section:
    """Judge each world by planners that were neither fitted on it nor remember it, three worlds at a time."""
    worlds = shipped_worlds()
    planned = [task for world in worlds for task in world.plan_tasks() if task.gold.steps]
    tasks = evenly(planned, bench.sizes.tasks)
    asked = spread(tasks, bench.sizes.worlds)
    found = await crossed(
        bench, without_groups(tasks, bench.tasks, GROUPS), frozenset(task.id for task in asked)
    )
    return Section(
        name="new catalogs",
        notes=(
            f"{len(tasks)} requests over {len(worlds)} made-up catalogs, each of which some tools can do.",
            f"With a model {len(asked)} of them, evenly from all.",
            "Fitted on and remembered: the other catalogs' tasks, and the dev set's where it is there.",
            "The adapter that ships was trained on none of them.",
        ),
        tables=(_scores(found),),
    )


def _scores(found: Crossed) -> Table:
    rows: list[dict[str, Cell]] = []
    for label, judged in _contestants(found):
        summary = next(each for each in summarise(judged) if each.name == "all")
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
