"""`planwarden shadow`: historical tasks planned by two planners beside each other; nothing is executed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planwarden.app import Planwarden
from planwarden.app.system import SystemClock, made_by
from planwarden.cli.files import check_writable, write_file
from planwarden.cli.moment import moment_option
from planwarden.cli.output import err, plain, print_json, say, tell
from planwarden.cli.running import AsJson, Config, with_planwarden
from planwarden.errors import DataRejected, InputError

if TYPE_CHECKING:
    from planwarden.evaluation.shadow.report.contract import ShadowReport

ONE_OF = "One of --tasks FILE (several, if need be), --from-journal, --live."

Tasks = Annotated[
    list[Path] | None,
    typer.Option(
        "--tasks",
        metavar="FILE|own",
        help="Tasks, one as JSON a line; may be given again. own: the labelled ones that ship.",
    ),
]
FromJournal = Annotated[bool, typer.Option("--from-journal", help="The tasks of the runs in the journal.")]
Live = Annotated[
    bool,
    typer.Option(
        "--live", help="Plan what SHADOW__RATE chose and is due, then report beside what really ran."
    ),
]
Against = Annotated[
    str,
    typer.Option(
        "--against",
        metavar="router|none|plans=FILE|PLANNER_CONFIG",
        help="router: the baseline, keywords and BM25; none: nobody, or with --from-journal the plans on "
        "record; plans=FILE: what --out kept before, of another version say; else another planner: "
        "key=value,… of PLANNER_LLM__*, or a YAML or JSON file of them.",
    ),
]
OtherPlanner = Annotated[
    str | None,
    typer.Option("--planner", metavar="PLANNER_CONFIG", help="In place of the planner as it is configured."),
]
RouterFile = Annotated[
    Path | None,
    typer.Option(
        "--router",
        metavar="FILE",
        help="Settings of the router, as `planwarden tune router` writes them.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Only runs begun since: 30d, 12h, or a date or time."),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="At most this many tasks: the newest runs, or spread over files."),
]
IncludeFitted = Annotated[
    bool,
    typer.Option("--include-fitted", help="Keep labelled tasks that planner or router were fitted on."),
]
PriceIn = Annotated[
    float, typer.Option("--price-in", min=0, help="What a million tokens read by a planner model cost.")
]
PriceOut = Annotated[
    float, typer.Option("--price-out", min=0, help="What a million tokens written by it cost.")
]
Page = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one HTML page, too.")
]

Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Keep the planner's plans, to compare with by --against plans=FILE."
    ),
]


def shadow(
    tasks: Tasks = None,
    from_journal: FromJournal = False,
    live: Live = False,
    against: Against = "router",
    planner: OtherPlanner = None,
    router: RouterFile = None,
    since: Since = None,
    limit: Limit = None,
    include_fitted: IncludeFitted = False,
    price_in: PriceIn = 0.0,
    price_out: PriceOut = 0.0,
    html: Page = None,
    out: Out = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Plan past tasks, executing nothing, beside a baseline or another planner; say who plans better."""
    # Imported here: only this command needs it, and it is not quick.
    from planwarden.evaluation.shadow.live import live_report  # noqa: PLC0415 - see above
    from planwarden.evaluation.shadow.report.contract import Price  # noqa: PLC0415 - see above
    from planwarden.evaluation.shadow.run import Wanted, shadow_run  # noqa: PLC0415 - see above

    price = Price(tokens_in=price_in, tokens_out=price_out)

    async def work(planwarden: Planwarden) -> ShadowReport:
        if sum([bool(tasks), from_journal, live]) != 1:
            raise InputError("Say in one way which tasks are planned.", remedy=ONE_OF)
        if live and out is not None:
            raise InputError(
                "Live shadow plans are kept already.", remedy="Leave --out away: they are in shadow.jsonl."
            )
        check_writable(html, "--html")
        check_writable(out, "--out")
        begun = moment_option(since, now=planwarden.clock.now(), option="--since")
        with err.status("opening") as shown:

            def progress(done: int, of: int) -> None:
                shown.update(f"{done} of {of} tasks")

            if live:
                return await live_report(planwarden, since=begun, price=price, progress=progress)
            wanted = Wanted(
                files=tuple(map(_file, tasks or ())),
                since=begun,
                limit=limit,
                planner=planner,
                against=against,
                router=router,
                include_fitted=include_fitted,
                price=price,
                keep=partial(write_file, out, option="--out") if out else None,
            )
            return await shadow_run(planwarden, wanted, progress)

    # No pause after failures: a task that is not asked would seem to take no time.
    report = with_planwarden(
        work, as_json=as_json, config=config, overrides={"planner_llm": {"circuit_failures": 0}}
    )
    page = _written_page(report, html)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _show(report, {"report": page, "the planner's plans": out})


def _show(report: ShadowReport, written: Mapping[str, Path | None]) -> None:
    from planwarden.cli.shadow_text import show_shadow  # noqa: PLC0415 - brings in the tables of rich

    show_shadow(report)
    for what, file in written.items():
        if file is not None:
            say(f"[dim]{what} written to {plain(str(file))}[/]")


def _file(named: Path) -> Path:
    """Give the file of tasks that is meant; `own` is that of the labelled tasks that ship."""
    if str(named) != "own":
        return named
    from planwarden.evaluation.own_tasks import own_tasks_file  # noqa: PLC0415 - not quick

    return own_tasks_file()


def _written_page(report: ShadowReport, path: Path | None) -> Path | None:
    """Write the page where one is wanted, and give its path; a page that fails costs nobody the report."""
    if path is None:
        return None
    from planwarden.evaluation.shadow.report.page import shadow_page  # noqa: PLC0415 - only where a page is wanted

    try:
        write_file(path, shadow_page(report, made=made_by(SystemClock().now())), "--html")
    except DataRejected as error:
        tell(f"[yellow]{plain(error.message)}[/]")
        return None
    return path


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(shadow)
