"""`planwarden soak`: hostile models and tools against the real planner, policy, session and journal."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from planwarden.app import Planwarden
from planwarden.app.system import VERSION
from planwarden.cli.exits import Exit
from planwarden.cli.files import check_writable, write_file
from planwarden.cli.output import err, out, plain, print_json, say, stop
from planwarden.cli.running import AsJson, with_planwarden

if TYPE_CHECKING:
    from planwarden.evaluation.soak.campaign import Totals, Wanted
    from planwarden.evaluation.soak.stage import RealPlanner
    from planwarden.planning.prior import PriorSource


class SoakPlanner(StrEnum):
    """Who plans."""

    SCRIPTED = "scripted"
    ADVERSARIAL = "adversarial"
    EMBEDDED = "embedded"


def soak(
    runs: Annotated[int, typer.Option("--runs", min=1, max=10_000_000, help="How many runs.")] = 50,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same runs.")] = 1,
    planner: Annotated[
        SoakPlanner,
        typer.Option(
            "--planner",
            help="scripted: models that mostly behave; adversarial: models that try to break out "
            "at every turn; embedded: the embedded model plans, scripted agents work.",
        ),
    ] = SoakPlanner.SCRIPTED,
    home: Annotated[
        Path | None,
        typer.Option("--home", file_okay=False, help="Keep the journal in this folder, which has none yet."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", dir_okay=False, help="Write the report here, as Markdown.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drive the product over made-up worlds of hostile models and tools; exit code 6 when it fails."""
    # Imported here: only this command needs them, and they are not quick.
    from planwarden.evaluation.soak.campaign import Wanted  # noqa: PLC0415 - see above
    from planwarden.evaluation.soak.campaign import soak as carry_out  # noqa: PLC0415 - see above
    from planwarden.evaluation.soak.report import soak_json, soak_markdown  # noqa: PLC0415 - see above

    wanted = Wanted(runs=runs, seed=seed, planner=planner.value, home=home)

    async def work(planwarden: Planwarden) -> Totals:
        check_writable(report, "--report")
        source, real = await _planning(planwarden, planner)
        try:
            with err.status(f"0 of {runs} runs") as shown:
                return await carry_out(
                    wanted,
                    source,
                    planwarden.clock,
                    real,
                    lambda totals: shown.update(f"{totals.runs} of {runs} runs"),
                )
        finally:
            source.close()

    overrides: dict[str, Any] = {"planner_llm": {"provider": "embedded"}}
    totals = with_planwarden(work, as_json=as_json, overrides=overrides)
    if report is not None:
        write_file(report, soak_markdown(wanted, totals, VERSION), "--report")
    if as_json:
        print_json(soak_json(wanted, totals))
    else:
        _show(wanted, totals)
        if report is not None:
            say(f"report: {plain(str(report))}")
    stop(Exit.DONE if totals.passed else Exit.VERIFICATION_FAILED)


async def _planning(planwarden: Planwarden, which: SoakPlanner) -> tuple[PriorSource, RealPlanner | None]:
    """Give where priors come from, and the model that is really asked."""
    from planwarden.app.assembly import make_prior  # noqa: PLC0415 - not quick
    from planwarden.app.calibration import calibrations_in_force  # noqa: PLC0415 - not quick
    from planwarden.evaluation.soak.stage import RealPlanner  # noqa: PLC0415 - not quick

    settings = planwarden.settings
    source = make_prior(settings)
    if which is not SoakPlanner.EMBEDDED:
        return source, None
    models = await planwarden.models()
    return source, RealPlanner(
        llm=models.planner, chosen=settings.planner_llm, calibrated=calibrations_in_force(settings)
    )


def _show(wanted: Wanted, totals: Totals) -> None:
    from planwarden.evaluation.soak.report import SECTIONS, soak_json, verdict  # noqa: PLC0415 - not quick

    told = soak_json(wanted, totals)
    figures = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for key, meaning in SECTIONS.items():
        figures.add_row(key.replace("_", " "), f"[bold]{told[key]}[/]", f"[dim]{meaning}[/]")
    out.print(figures)
    say()
    kinds = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    kinds.add_column("violation")
    kinds.add_column("seeded", justify="right")
    kinds.add_column("caught", justify="right")
    for kind, each in told["by_kind"].items():
        missed = each["caught"] < each["seeded"]
        kinds.add_row(
            kind, str(each["seeded"]), f"[bold red]{each['caught']}[/]" if missed else str(each["caught"])
        )
    out.print(kinds)
    say()
    adherence = "–" if totals.adherence is None else f"{totals.adherence:.3f}"
    deviations = ", ".join(f"{kind} {count}" for kind, count in told["deviations"].items() if count) or "none"
    say(f"adherence {adherence}; deviations: {deviations}")
    say(
        f"{totals.runs} runs ({', '.join(f'{count} {name}' for name, count in told['outcomes'].items())}) "
        f"in {totals.seconds:.1f} s, seed {wanted.seed}, planner {wanted.planner}"
    )
    for finding in totals.findings:
        say(f"[red]found[/]  {plain(finding[:400])}")
    say(f"[{'green' if totals.passed else 'bold red'}]{verdict(totals)}[/]")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(soak)
