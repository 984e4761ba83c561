"""`planwarden eval own`: plans scored on the labelled tasks over the catalog that ships."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from planwarden.app import Planwarden
from planwarden.cli.output import err, out, plain, print_json, say
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.configuration.settings import PlannerModel

if TYPE_CHECKING:
    from planwarden.evaluation.own_benchmark import OwnAttempt
    from planwarden.evaluation.own_tasks import OwnTask
    from planwarden.evaluation.plan_benchmark import Summary


class OwnSplit(StrEnum):
    """Which of the tasks."""

    HELD_OUT = "held_out"
    TRAIN = "train"
    ALL = "all"


class OwnPlanner(StrEnum):
    """What may be measured."""

    DEFAULT = "default"
    PRIOR = "prior"
    MODEL = "model"


SETTINGS_OF: Mapping[OwnPlanner, Callable[[PlannerModel], PlannerModel]] = {
    OwnPlanner.DEFAULT: lambda configured: configured,
    OwnPlanner.PRIOR: lambda configured: configured.model_copy(update={"mode": "prior"}),
    OwnPlanner.MODEL: lambda configured: configured.model_copy(update={"mode": "model"}),
}
"""What each changes about the planner as it is configured."""


def own(
    split: Annotated[
        OwnSplit, typer.Option("--split", help="held_out: the third that nothing is fitted on.")
    ] = OwnSplit.HELD_OUT,
    planner: Annotated[
        OwnPlanner,
        typer.Option(
            "--planner",
            help="default: as configured; prior: no model is asked; model: it decides alone, constrained.",
        ),
    ] = OwnPlanner.DEFAULT,
    model: Annotated[str | None, typer.Option("--model", help="In place of PLANNER_LLM__MODEL.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most this many tasks, spread over them all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have the labelled tasks over the shipped catalog planned, and print how right the plans are."""
    # Imported here: only this command needs it, and it is not quick.
    from planwarden.evaluation.own_benchmark import spread, summarise_own  # noqa: PLC0415 - see above
    from planwarden.evaluation.own_tasks import shipped_own_tasks  # noqa: PLC0415 - see above

    tasks = [task for task in shipped_own_tasks() if split is OwnSplit.ALL or task.split == split.value]

    async def work(planwarden: Planwarden) -> tuple[OwnAttempt, ...]:
        return await _attempts(planwarden, spread(tasks, limit), planner)

    overrides = {"planner_llm": {"model": model}} if model else None
    attempts = with_planwarden(work, as_json=as_json, overrides=overrides)
    summaries = summarise_own(attempts)
    if as_json:
        told = {"planner": planner.value, "split": split.value}
        print_json({**told, "summaries": [asdict(each) for each in summaries]})
    else:
        _show(summaries, attempts)


async def _attempts(
    planwarden: Planwarden, tasks: tuple[OwnTask, ...], which: OwnPlanner
) -> tuple[OwnAttempt, ...]:
    from planwarden.app.assembly import make_planner, make_prior  # noqa: PLC0415 - not quick
    from planwarden.app.calibration import calibrations_in_force  # noqa: PLC0415 - not quick
    from planwarden.evaluation.own_benchmark import OwnContestant, run_own, shipped_world  # noqa: PLC0415 - not quick

    llm = (await planwarden.models()).planner
    planner = make_planner(
        SETTINGS_OF[which](planwarden.settings.planner_llm),
        llm,
        calibrations_in_force(planwarden.settings),
        make_prior(planwarden.settings),
    )
    try:
        with tempfile.TemporaryDirectory(prefix="planwarden-own-") as state:
            world = await asyncio.to_thread(shipped_world, Path(state))
            contestant = OwnContestant(
                planner=planner, catalog=world.catalog, policy=world.policy, clock=planwarden.clock
            )
            with err.status(f"0 of {len(tasks)} tasks") as shown:
                done: list[str] = []

                def progress(attempt: OwnAttempt) -> None:
                    done.append(attempt.task.id)
                    shown.update(f"{len(done)} of {len(tasks)} tasks")

                return await run_own(tasks, contestant, progress)
    finally:
        planner.close()


def _show(summaries: tuple[Summary, ...], attempts: tuple[OwnAttempt, ...]) -> None:
    whole = summaries[0]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("measure", no_wrap=True)
    for each in summaries:
        table.add_column(f"{each.name}\n{each.tasks}", justify="right")
    for measure in whole.scores:
        table.add_row(measure.replace("_", " "), *(_cell(each, measure) for each in summaries))
    out.print(table)
    say("[dim]means with 95 % bootstrap intervals; docs/reference/own-tasks.md says what each is over[/]")
    say(
        f"a plan (medians): {whole.cost.seconds.median:.2f} s, "
        f"{whole.cost.prompt_tokens.median:.0f} tokens in, "
        f"{whole.cost.output_tokens.median:.0f} out; plans by source: "
        + ", ".join(f"{name} {count}" for name, count in whole.sources.items())
    )
    missing = [each for each in attempts if each.plan is None]
    if missing:
        said = plain(f"{missing[0].task.id}: {missing[0].error}"[:300])
        say(f"[yellow]{len(missing)} tasks got no plan[/], the first {said}")


def _cell(summary: Summary, measure: str) -> str:
    found = summary.scores.get(measure)
    return "–" if found is None else f"{found.mean:.3f}\n[dim]{found.low:.2f}–{found.high:.2f}[/]"
