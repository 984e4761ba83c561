"""`planwarden calibrate`: what a planner model's word is worth, and how sure it may be."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planwarden.app import Planwarden
from planwarden.app.system import VERSION
from planwarden.cli.calibration_report import gate_document, gate_lines, report_document, report_lines
from planwarden.cli.exits import Exit
from planwarden.cli.output import err, plain, print_json, say, stop
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.cli.show import show_model
from planwarden.errors import DataRejected, ModelUnavailable

if TYPE_CHECKING:
    from planwarden.contracts.calibration import PlannerCalibration
    from planwarden.evaluation.calibration.calibrate import Calibrated
    from planwarden.evaluation.calibration.collecting import Asked
    from planwarden.evaluation.calibration.gate import Gate
    from planwarden.evaluation.calibration.tasks import CalibrationTask
    from planwarden.llm.service import LLMService


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationWish:
    """What is to be calibrated on, and where the diagrams go."""

    tasks: tuple[Path, ...] = ()
    """None: those that ship."""
    memory: tuple[Path, ...] = ()
    limit: int | None = None
    out: Path | None = None
    install_anyway: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    found: Calibrated
    made: PlannerCalibration
    gate: Gate
    kept: Path | None
    """None where it was not installed."""
    pictures: tuple[Path, ...]


def calibrate(
    model: Annotated[
        str | None, typer.Option("--planner", metavar="MODEL", help="In place of PLANNER_LLM__MODEL.")
    ] = None,
    tasks: Annotated[
        list[Path] | None,
        typer.Option("--tasks", metavar="FILE", help="Tasks with gold plans, not those that ship; repeat."),
    ] = None,
    memory: Annotated[
        list[Path] | None,
        typer.Option("--memory", metavar="FILE", help="Tasks whose plans may be remembered; repeat."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most this many tasks, evenly from each source.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write reliability.png and risk_coverage.png here."),
    ] = None,
    install_anyway: Annotated[
        bool,
        typer.Option(
            "--install-anyway", help="Also with too few tasks, or where it is no better than before."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure what the planner model's word is worth and how sure it may be; plan by that if it is better.

    It is installed when it was measured on 30 tasks or more and, where a measured calibration is in force, is
    better than that on the same tasks; else the command ends with 3.
    """
    wish = CalibrationWish(
        tasks=tuple(tasks or ()),
        memory=tuple(memory or ()),
        limit=limit,
        out=out,
        install_anyway=install_anyway,
    )
    overrides = {"planner_llm": {"model": model}} if model else None
    outcome = with_planwarden(
        lambda pw: _calibrated(pw, wish, quiet=as_json), as_json=as_json, overrides=overrides
    )
    if as_json:
        told = report_document(outcome.found, outcome.made)
        told |= gate_document(outcome.gate, installed=outcome.kept is not None)
        kept = None if outcome.kept is None else str(outcome.kept)
        print_json({**told, "kept": kept, "pictures": [str(each) for each in outcome.pictures]})
    else:
        _show(outcome)
    if outcome.kept is None:
        stop(Exit.NO_GOOD_ANSWER)


async def _calibrated(planwarden: Planwarden, wish: CalibrationWish, *, quiet: bool) -> _Outcome:
    from planwarden.app.calibration import (  # noqa: PLC0415 - not quick
        basis_in_force,
        calibrations_in_force,
        tools_digest,
    )
    from planwarden.configuration.calibrations import store_calibration  # noqa: PLC0415 - not quick
    from planwarden.evaluation.calibration.calibrate import calibrate as fit  # noqa: PLC0415 - not quick
    from planwarden.evaluation.calibration.calibrate import calibration_of  # noqa: PLC0415 - not quick
    from planwarden.evaluation.calibration.diagrams import check_drawable  # noqa: PLC0415 - not quick
    from planwarden.evaluation.calibration.gate import gate  # noqa: PLC0415 - not quick

    if wish.out is not None:
        check_drawable()  # before minutes of asking
    world = await planwarden.world()
    llm = await _reachable(planwarden)
    if not quiet:
        show_model("planner", llm.identity)
    asked = await _ask(planwarden, llm, wish)
    with err.status("fitting"):
        found = await asyncio.to_thread(fit, asked)
        made = calibration_of(
            found,
            asked,
            llm.identity,
            basis=basis_in_force(planwarden.settings.ranker_in_force),
            catalog_digest=tools_digest(world.catalog),
            planwarden_version=VERSION,
            at=planwarden.clock.now().date().isoformat(),
        )
        judged = gate(found, asked, calibrations_in_force(planwarden.settings)(llm.identity))
        kept = None
        if wish.install_anyway or not judged.against:
            kept = await asyncio.to_thread(store_calibration, planwarden.settings.planwarden_home, made)
        pictures = await asyncio.to_thread(_draw, wish.out, found, made.label) if wish.out else ()
    return _Outcome(found=found, made=made, gate=judged, kept=kept, pictures=pictures)


async def _reachable(planwarden: Planwarden) -> LLMService:
    llm = (await planwarden.models()).planner
    health = await llm.health()
    if not (health.reachable and health.present):
        raise ModelUnavailable(
            f"The planner model cannot be calibrated: {health.detail}.", remedy=health.remedy
        )
    return llm


async def _ask(planwarden: Planwarden, llm: LLMService, wish: CalibrationWish) -> tuple[Asked, ...]:
    from planwarden.app.assembly import make_planner, make_prior  # noqa: PLC0415 - not quick
    from planwarden.evaluation.calibration.collecting import ask_all  # noqa: PLC0415 - not quick
    from planwarden.evaluation.plan_tasks import read_plan_tasks  # noqa: PLC0415 - not quick
    from planwarden.evaluation.remembered import remembered_plans  # noqa: PLC0415 - not quick

    known = remembered_plans(read_plan_tasks(wish.memory)) if wish.memory else ()
    with tempfile.TemporaryDirectory(prefix="planwarden-calibrate-") as state:
        tasks = await asyncio.to_thread(_tasks, wish, Path(state))
        planner = make_planner(planwarden.settings.planner_llm, llm, source=make_prior(planwarden.settings))
        try:
            with err.status(f"0 of {len(tasks)} tasks asked") as shown:
                done: list[str] = []

                def progress(asked: Asked) -> None:
                    done.append(asked.task.id)
                    shown.update(f"{len(done)} of {len(tasks)} tasks asked")

                return await ask_all(tasks, planner, known, progress)
        finally:
            planner.close()


def _tasks(wish: CalibrationWish, state: Path) -> tuple[CalibrationTask, ...]:
    """Read the tasks.

    Raises:
        DataRejected: a file cannot be read, or there are no tasks.
    """
    from planwarden.evaluation.calibration.reading import evenly, read_tasks, shipped_tasks  # noqa: PLC0415
    from planwarden.evaluation.own_benchmark import shipped_world  # noqa: PLC0415 - not quick

    world = shipped_world(state)
    tasks = read_tasks(wish.tasks, world) if wish.tasks else shipped_tasks(world)
    if not tasks:
        raise DataRejected("There are no tasks to calibrate on.", remedy="Name files with --tasks.")
    return evenly(tasks, wish.limit) if wish.limit else tasks


def _draw(folder: Path, found: Calibrated, label: str) -> tuple[Path, ...]:
    from planwarden.evaluation.calibration.diagrams import Drawn, write_diagrams  # noqa: PLC0415 - not quick

    fit = found.confidence
    return write_diagrams(folder, Drawn(label=label, after=fit.plans, before=found.raw, cases=fit.cases))


def _show(outcome: _Outcome) -> None:
    made = outcome.made
    say(f"[dim]{made.tasks} tasks · prompt {made.prompt_version} · {made.at}[/]")
    say()
    for line in report_lines(outcome.found, made):
        say(line)
    say()
    for path in outcome.pictures:
        say(f"[dim]wrote {plain(str(path))}[/]")
    for line in gate_lines(outcome.gate):
        say(line)
    if outcome.kept is not None:
        say(f"[dim]kept in {plain(str(outcome.kept))}; in force from now on[/]")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(calibrate)
