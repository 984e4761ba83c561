"""The labelled tasks over our own catalog: agents, stand-ins, that nothing fits, hand-off."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.planner.bench import MODES, Bench, Mode
from benchmarks.planner.results import Cell, Measured, Section, Table, table

from planwarden.evaluation.intervals import paired_estimate, spread_of
from planwarden.evaluation.own_benchmark import (
    OwnAttempt,
    OwnContestant,
    run_own,
    shipped_world,
    spread,
    summarise_own,
)
from planwarden.evaluation.own_tasks import OwnTask, shipped_own_tasks

SHOWN: Final[Mapping[str, str]] = {
    "agents": "agent",
    "fallbacks": "fallback",
    "none_fits": "none fits",
    "handoff": "hand-off",
    "node_f1": "node f1",
    "exact_set": "exact set",
    "exact_plan": "exact plan",
}
"""Measure → how it is called here."""


async def own_catalog(bench: Bench) -> Section:
    """Plan the held-out tasks in every mode, with what a newcomer has."""
    held_out = [task for task in shipped_own_tasks() if task.split == "held_out"]
    tasks = spread(held_out, bench.sizes.own)
    found: dict[Mode, tuple[OwnAttempt, ...]] = {}
    with tempfile.TemporaryDirectory(prefix="planwarden-own-") as state:
        world = await asyncio.to_thread(shipped_world, Path(state))
        for mode in MODES:
            contestant = OwnContestant(
                planner=bench.makes.shipped().planner(mode, bench.llm),
                catalog=world.catalog,
                policy=world.policy,
                clock=bench.clock,
            )
            bench.tell(f"own catalog, {mode}: {len(tasks)} tasks")
            found[mode] = await run_own(tasks, contestant, lambda _: None)
    return Section(
        name="own catalog",
        notes=(
            f"{len(tasks)} of the {len(held_out)} held-out tasks; nothing is fitted on them.",
            f"{_lacking(tasks)} of them have no fitting tool; stand-ins count where the tools are right.",
        ),
        tables=(_scores(found), _groups(found["fused"]), _paired(found)),
    )


def _lacking(tasks: Sequence[OwnTask]) -> int:
    return sum(task.gold.way_out is not None for task in tasks)


def _scores(found: Mapping[Mode, Sequence[OwnAttempt]]) -> Table:
    rows: list[dict[str, Cell]] = []
    for mode, attempts in found.items():
        whole = summarise_own(attempts)[0]
        rows.append(
            {
                "planner": mode,
                "tasks": whole.tasks,
                **{
                    label: Measured.of(whole.scores[measure]) if measure in whole.scores else None
                    for measure, label in SHOWN.items()
                },
                "seconds": spread_of([each.seconds for each in attempts]).median,
            }
        )
    return table("own", "Accuracy on the held-out tasks over our own catalog", rows)


def _groups(attempts: Sequence[OwnAttempt]) -> Table:
    rows: list[dict[str, Cell]] = [
        {
            "fused, by kind": summary.name,
            "tasks": summary.tasks,
            **{
                label: Measured.of(summary.scores[measure]) if measure in summary.scores else None
                for measure, label in SHOWN.items()
            },
        }
        for summary in summarise_own(attempts)
    ]
    return table("own_groups", "The same, by kind of task", rows)


def _paired(found: Mapping[Mode, Sequence[OwnAttempt]]) -> Table:
    rows: list[dict[str, Cell]] = []
    for mode in ("fused", "model"):
        cells: dict[str, Cell] = {"difference": f"{mode} − prior"}
        for measure, label in SHOWN.items():
            pairs = [
                (before, after)
                for one, other in zip(found["prior"], found[mode], strict=True)
                if (before := getattr(one.score, measure)) is not None
                and (after := getattr(other.score, measure)) is not None
            ]
            cells[label] = Measured.of(paired_estimate({"": pairs})) if pairs else None
        rows.append(cells)
    return table("own_paired", "What the model adds on them, paired", rows)
