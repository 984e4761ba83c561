"""Whether a plan is valid whatever model stands behind the planner."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.planner.bench import Bench, Mode
from benchmarks.planner.hostile import HOSTILE, HostileLLM
from benchmarks.planner.results import Cell, Measured, Section, reached_figure, table

from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.contracts.plan import PlannerPlan
from planwarden.evaluation.own_benchmark import OwnContestant, run_own, shipped_world, spread
from planwarden.evaluation.own_tasks import OwnTask, shipped_own_tasks
from planwarden.evaluation.plan_benchmark import difference, summarise
from planwarden.evaluation.plan_tasks import PlanTask, evenly
from planwarden.llm.service import LLMService
from planwarden.planning.validate import PlanLimits, plan_issues

SEED = 20261124
ASKING: tuple[Mode, ...] = ("model", "fused")


async def with_hostile_models(bench: Bench) -> Section:
    """Plan with models that are worth nothing; the plans have to be valid, and fused ones no worse."""
    sample = evenly(bench.tasks, bench.sizes.hostile) if bench.tasks else ()
    own = spread(shipped_own_tasks(), bench.sizes.hostile)
    rows = [*await _over_offered(bench, sample), *await _over_own(bench, own)]
    valid = [row["valid"] for row in rows]
    share = fmean(each for each in valid if isinstance(each, float))
    return Section(
        name="hostile models",
        notes=(
            f"{len(sample)} tasks with tools of their own and {len(own)} over our own catalog, with each.",
            f"The models draw lots from seed {SEED}, pose as the real one and are always asked.",
            "Valid: as plan tasks are scored; over our own catalog, by all that is checked before a run.",
        ),
        tables=(table("hostile", "Plans with models that are worth nothing", rows),),
        figures=(reached_figure("valid, with models that return anything", share, 1.0),),
    )


async def _over_offered(bench: Bench, sample: Sequence[PlanTask]) -> list[dict[str, Cell]]:
    if not sample:
        return []
    shipped = bench.makes.shipped(always_asks=True)
    alone = await bench.judge("hostile, prior", sample, shipped.contestant("prior", bench.llm))
    rows: list[dict[str, Cell]] = []
    for kind, mode, llm in _hostile(bench):
        judged = await bench.judge(f"hostile, {kind}, {mode}", sample, shipped.contestant(mode, llm))
        whole = next(each for each in summarise(judged) if each.name == "all")
        changed = difference(alone, judged, "node_f1")
        rows.append(
            {
                "tasks": "offered",
                "model": kind,
                "planner": mode,
                "valid": whole.scores["valid"].mean,
                "node f1": Measured.of(whole.scores["node_f1"]),
                "minus prior": Measured.of(changed) if changed else None,
                "plans by source": _counted(each.attempted.source for each in judged),
            }
        )
    return rows


async def _over_own(bench: Bench, tasks: Sequence[OwnTask]) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory(prefix="planwarden-own-") as state:
        world = await asyncio.to_thread(shipped_world, Path(state))
        for kind, mode, llm in _hostile(bench):
            planner = bench.makes.shipped(always_asks=True).planner(mode, llm)
            contestant = OwnContestant(
                planner=planner, catalog=world.catalog, policy=world.policy, clock=bench.clock
            )
            attempts = await run_own(tasks, contestant, lambda _: None)
            bench.tell(f"hostile, own catalog, {kind}, {mode}: {len(tasks)} tasks")
            rows.append(
                {
                    "tasks": "own",
                    "model": kind,
                    "planner": mode,
                    "valid": fmean(float(_may_be_followed(each.plan, world)) for each in attempts),
                    "node f1": fmean(each.score.node_f1 for each in attempts),
                    "minus prior": None,
                    "plans by source": _counted(each.source for each in attempts),
                }
            )
    return rows


def _may_be_followed(plan: PlannerPlan | None, world: AssembledCatalog) -> bool:
    return plan is not None and not plan_issues(plan, world.catalog, world.policy, PlanLimits())


def _hostile(bench: Bench) -> list[tuple[str, Mode, LLMService]]:
    known = bench.llm.identity
    return [
        (kind, mode, HostileLLM(kind, says, SEED, known)) for kind, says in HOSTILE.items() for mode in ASKING
    ]


def _counted(sources: Iterable[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(sources).most_common())
