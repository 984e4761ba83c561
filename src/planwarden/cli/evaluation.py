"""Commands that measure: `planwarden eval plans`."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from planwarden.app import Planwarden
from planwarden.cli.output import err, out, plain, print_json, say
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.errors import DataRejected

if TYPE_CHECKING:
    from planwarden.evaluation.contestants import Contestant
    from planwarden.evaluation.plan_benchmark import Judged, Summary

app = typer.Typer(help="Measure: how good plans are, on tasks with gold plans.", no_args_is_help=True)

COLUMNS = ("valid", "node_f1", "edge_f1", "exact_set", "exact_plan", "order")


@app.callback()
def measuring() -> None:
    """Hold the commands that measure."""


class WhichPlanner(StrEnum):
    """What may be measured."""

    DEFAULT = "default"
    MODEL = "model"
    BARE_JSON = "bare-json"


@app.command("plans")
def plans(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tasks, one as JSON a line.")],
    planner: Annotated[
        WhichPlanner,
        typer.Option(
            "--planner",
            help="default: as configured; model: the model decides alone, constrained; bare-json: the plain "
            "prompt of a framework, with full schemas.",
        ),
    ] = WhichPlanner.DEFAULT,
    model: Annotated[str | None, typer.Option("--model", help="In place of PLANNER_LLM__MODEL.")] = None,
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

    async def work(planwarden: Planwarden) -> tuple[Judged, ...]:
        tasks = read_plan_tasks(files)
        tasks = evenly(tasks, limit) if limit else tasks
        _check_writable(predictions)
        contestant = await _contestant(planwarden, planner)
        with err.status(f"0 of {len(tasks)} tasks") as shown:
            done: list[str] = []

            def progress(judged: Judged) -> None:
                done.append(judged.task.id)
                shown.update(f"{len(done)} of {len(tasks)} tasks")

            judged = await run_benchmark(tasks, contestant, progress)
        _write(predictions, judged)
        return judged

    overrides = {"planner_llm": {"model": model}} if model else None
    judged = with_planwarden(work, as_json=as_json, overrides=overrides)
    summaries = summarise(judged)
    if as_json:
        print_json({"planner": planner.value, "summaries": [_json(each) for each in summaries]})
    else:
        _show(summaries, judged)


async def _contestant(planwarden: Planwarden, which: WhichPlanner) -> Contestant:
    from planwarden.app.assembly import make_planner  # noqa: PLC0415 - not quick
    from planwarden.evaluation.contestants import BareJsonContestant, PlannerContestant  # noqa: PLC0415 - not quick

    llm = (await planwarden.models()).planner
    chosen = planwarden.settings.planner_llm
    if which is WhichPlanner.BARE_JSON:
        return BareJsonContestant(llm=llm, clock=planwarden.clock, timeout_s=chosen.timeout_s)
    if which is WhichPlanner.MODEL:
        chosen = chosen.model_copy(update={"mode": "model"})
    return PlannerContestant(planner=make_planner(chosen, llm), clock=planwarden.clock)


def _check_writable(path: Path | None) -> None:
    """Find out before hours of planning that the predictions could not be written."""
    if path is not None:
        _put(path, "")


def _write(path: Path | None, judged: tuple[Judged, ...]) -> None:
    if path is not None:
        _put(path, "".join(f"{each.attempted.prediction.model_dump_json()}\n" for each in judged))


def _put(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise DataRejected(
            f"{path} cannot be written: {error.strerror}.",
            remedy="Name a file that can be written with --out.",
        ) from error


def _json(summary: Summary) -> dict[str, Any]:
    return asdict(summary)


def _show(summaries: tuple[Summary, ...], judged: tuple[Judged, ...]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("source", no_wrap=True)
    for column in ("tasks", *COLUMNS):
        table.add_column(column.replace("_", " "), justify="right", no_wrap=True)
    for each in summaries:
        table.add_row(plain(each.name), str(each.tasks), *(_cell(each, measure) for measure in COLUMNS))
    out.print(table)
    whole = next(each for each in summaries if each.name == "all")
    say("[dim]means with 95 % bootstrap intervals; edge f1 over tasks whose gold plan has links[/]")
    say(
        f"a plan (medians): {whole.seconds:.2f} s, {whole.prompt_tokens:.0f} tokens in, "
        f"{whole.output_tokens:.0f} out; plans by source: "
        + ", ".join(f"{name} {count}" for name, count in whole.sources.items())
    )
    errors = [each for each in judged if each.attempted.source == "none"]
    if errors:
        first = errors[0]
        said = plain(f"{first.task.id}: {first.attempted.error}"[:300])
        say(f"[yellow]{len(errors)} tasks got no plan[/], the first {said}")


def _cell(summary: Summary, measure: str) -> str:
    found = summary.scores.get(measure)
    return "–" if found is None else f"{found.mean:.3f}\n[dim]{found.low:.2f}–{found.high:.2f}[/]"
