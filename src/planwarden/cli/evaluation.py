"""Commands that measure: `planwarden eval plans`, `planwarden eval own`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planwarden.app import Planwarden
from planwarden.cli.files import check_writable, write_file
from planwarden.cli.output import err, print_json
from planwarden.cli.own_evaluation import own
from planwarden.cli.plan_summary import show_summaries
from planwarden.cli.running import AsJson, with_planwarden

if TYPE_CHECKING:
    from planwarden.evaluation.contestants import Contestant
    from planwarden.evaluation.plan_benchmark import Judged, Summary
    from planwarden.evaluation.plan_tasks import PlanTask

app = typer.Typer(help="Measure: how good plans are, on tasks with gold plans.", no_args_is_help=True)


app.command("own")(own)


@app.callback()
def measuring() -> None:
    """Hold the commands that measure."""


class WhichPlanner(StrEnum):
    """What may be measured."""

    DEFAULT = "default"
    PRIOR = "prior"
    MODEL = "model"
    BARE_JSON = "bare-json"


@app.command("plans")
def plans(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tasks, one as JSON a line.")],
    planner: Annotated[
        WhichPlanner,
        typer.Option(
            "--planner",
            help="default: as configured; prior: no model is asked; model: the model decides alone, "
            "constrained; bare-json: the plain prompt of a framework, with full schemas.",
        ),
    ] = WhichPlanner.DEFAULT,
    model: Annotated[str | None, typer.Option("--model", help="In place of PLANNER_LLM__MODEL.")] = None,
    memory: Annotated[
        list[Path] | None,
        typer.Option(
            "--memory",
            metavar="FILE",
            help="Tasks whose plans may be remembered; may be given again. A task never remembers itself.",
        ),
    ] = None,
    fit: Annotated[
        bool,
        typer.Option(
            "--fit/--no-fit",
            help="Also fit the ranker on the remembered tasks, where there are 100 at least: takes minutes. "
            "Never on a task that is planned here.",
        ),
    ] = True,
    predictions: Annotated[
        Path | None, typer.Option("--out", help="Write the predictions here, one as JSON a line.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most this many tasks, evenly from each source.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have tasks planned, score the plans against gold ones, print every score with its 95 % interval."""
    # Imported here: only this command needs it, and it is not quick.
    from planwarden.evaluation.plan_benchmark import run_benchmark, summarise  # noqa: PLC0415 - see above
    from planwarden.evaluation.plan_tasks import evenly, read_plan_tasks  # noqa: PLC0415 - see above
    from planwarden.evaluation.remembered import foreign  # noqa: PLC0415 - see above

    async def work(planwarden: Planwarden) -> tuple[Judged, ...]:
        tasks = read_plan_tasks(files)
        tasks = evenly(tasks, limit) if limit else tasks
        known = read_plan_tasks(memory) if memory else ()
        check_writable(predictions, "--out")
        contestant = await _contestant(planwarden, planner, known, foreign(known, tasks) if fit else ())
        with err.status(f"0 of {len(tasks)} tasks") as shown:
            done: list[str] = []

            def progress(judged: Judged) -> None:
                done.append(judged.task.id)
                shown.update(f"{len(done)} of {len(tasks)} tasks")

            judged = await run_benchmark(tasks, contestant, progress)
        if predictions is not None:
            write_file(predictions, _lines(judged), "--out")
        return judged

    # No pause after failures: a task that is not asked would seem to take no time.
    chosen = {"circuit_failures": 0, **({"model": model} if model else {})}
    overrides = {"planner_llm": chosen}
    judged = with_planwarden(work, as_json=as_json, overrides=overrides)
    summaries = summarise(judged)
    if as_json:
        print_json(
            {
                "planner": planner.value,
                "remembered": [str(each) for each in memory or ()],
                "summaries": [_json(each) for each in summaries],
            }
        )
    else:
        show_summaries(summaries, judged)


async def _contestant(
    planwarden: Planwarden,
    which: WhichPlanner,
    known: tuple[PlanTask, ...],
    fitted_on: tuple[PlanTask, ...],
) -> Contestant:
    from planwarden.app.assembly import make_planner, make_prior  # noqa: PLC0415 - not quick
    from planwarden.app.calibration import calibrations_in_force  # noqa: PLC0415 - not quick
    from planwarden.evaluation.contestants import BareJsonContestant, PlannerContestant  # noqa: PLC0415 - not quick
    from planwarden.evaluation.fitting import fitted_prior  # noqa: PLC0415 - not quick
    from planwarden.evaluation.labelled import ENOUGH_TO_LEARN  # noqa: PLC0415 - not quick
    from planwarden.evaluation.remembered import remembered_plans  # noqa: PLC0415 - not quick

    llm = (await planwarden.models()).planner
    chosen = planwarden.settings.planner_llm
    if which is WhichPlanner.BARE_JSON:
        return BareJsonContestant(llm=llm, clock=planwarden.clock, timeout_s=chosen.timeout_s)
    if which is WhichPlanner.MODEL:
        chosen = chosen.model_copy(update={"mode": "model"})
    if which is WhichPlanner.PRIOR:
        chosen = chosen.model_copy(update={"mode": "prior"})
    if len(fitted_on) >= ENOUGH_TO_LEARN:
        with err.status("fitting the ranker") as shown:
            prior = await asyncio.to_thread(fitted_prior, fitted_on, shown.update)
    else:
        prior = make_prior(planwarden.settings)
    in_force = calibrations_in_force(planwarden.settings)
    return PlannerContestant(
        planner=make_planner(chosen, llm, in_force, prior),
        clock=planwarden.clock,
        remembered=remembered_plans(known),
    )


def _lines(judged: tuple[Judged, ...]) -> str:
    return "".join(f"{each.attempted.prediction.model_dump_json()}\n" for each in judged)


def _json(summary: Summary) -> dict[str, Any]:
    return asdict(summary)
