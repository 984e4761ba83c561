"""`planwarden report`: what the runs of a period add up to, as tables, as a page, as JSON."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from planwarden.app import Planwarden
from planwarden.app.system import made_by
from planwarden.audit.page.amounts import counted
from planwarden.cli.moment import moment, moment_option
from planwarden.cli.output import out, plain, print_json, say, tell
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.errors import DataRejected, InputError

if TYPE_CHECKING:
    from planwarden.audit.report.figures import ConfidenceCheck, PeriodReport, Share

BAR = 20
"""Characters of a whole bar."""


def report(
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="Runs begun since: 7d, 12h, or a date or time.")
    ] = "7d",
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Runs begun before; like --since.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Of this tenant only.")] = None,
    page: Annotated[
        Path | None, typer.Option("--html", help="Write a page with plots to this file.", dir_okay=False)
    ] = None,
    imported: Annotated[
        bool, typer.Option("--imported", help="Count runs too that were imported from a bundle.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Report on a period: adherence, deviations, fallbacks, latency, confidence, what was refused."""

    async def work(planwarden: Planwarden) -> PeriodReport:
        from planwarden.audit.report.fold import period_report  # noqa: PLC0415 - seldom needed

        now = planwarden.clock.now()
        begin = moment(since, now=now, option="--since")
        end = moment_option(until, now=now, option="--until") or now
        if begin >= end:
            raise InputError("The period ends before it begins.", remedy="Name a --since before the --until.")
        transfer = (await planwarden.journal()).transfer
        made = await period_report(
            planwarden.record.summaries(),
            since=begin,
            until=end,
            tenant=tenant,
            left_out=frozenset() if imported else await transfer.imported(),
        )
        if page is not None:
            _write_page(page, made, now)
        return made

    made = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        _show(made)
    if page is not None:
        tell(f"written to [bold]{plain(str(page))}[/]")


def _write_page(file: Path, made: PeriodReport, at: datetime) -> None:
    """Write the page.

    Raises:
        DataRejected: the file cannot be written.
    """
    from planwarden.audit.report.report_page import report_page  # noqa: PLC0415 - seldom needed

    try:
        file.write_text(report_page(made, made=made_by(at)), "utf-8")
    except OSError as error:
        raise DataRejected(
            f"{file} cannot be written: {error.strerror or error}.", remedy="Name another file with --html."
        ) from error


def _show(made: PeriodReport) -> None:
    """Print the report as tables."""
    whose = f" of tenant {plain(made.tenant)}" if made.tenant is not None else ""
    period = f"{made.since:%Y-%m-%d %H:%M} to {made.until:%Y-%m-%d %H:%M} UTC"
    say(f"[bold]{counted(made.runs, 'run')}[/]{whose}, {period}")
    if made.unreadable:
        damaged = counted(made.unreadable, "damaged run")
        tell(f"[yellow]{damaged} left out[/]: see `planwarden runs`")
    if made.imported:
        tell(f"[dim]{counted(made.imported, 'imported run')} left out: --imported counts them too[/]")
    if made.runs == 0:
        say("No such run began in this period; `planwarden runs` lists those that there are")
        return
    _show_figures(made)
    _show_slots(made)
    _show_confidence(made.confidence)
    _show_counts("outcomes", made.outcomes.items(), made.runs)
    _show_counts("plans by source", made.sources.items(), sum(made.sources.values()))
    _show_counts("deviations", made.deviations.items(), sum(made.deviations.values()))
    _show_refused(made)


def _show_figures(made: PeriodReport) -> None:
    latency = made.latency
    table = _table("", "", "")
    of = made.as_planned.of
    table.add_row("adherence", _percent(made.adherence), f"mean over {counted(of, 'run')} with planned tools")
    table.add_row("as planned", *_share(made.as_planned))
    table.add_row("with deviations", *_share(made.deviating))
    table.add_row("fallback plans", *_share(made.fallback))
    if latency.count:
        spread = f"90 % within {_seconds(latency.p90_s)}, 99 % within {_seconds(latency.p99_s)}"
        table.add_row("planner latency", _seconds(latency.p50_s), f"median; {spread}")
    for cost in made.tokens:
        spent = f"{cost.prompt:,} in, {cost.output:,} out, {counted(cost.exchanges, 'request')}"
        table.add_row(f"tokens, {cost.role}", f"{cost.prompt + cost.output:,}", spent)
    out.print(table)


def _share(of: Share) -> tuple[str, str]:
    interval = f"{of.count} of {of.of}, 95 % interval {of.low:.0%} to {of.high:.0%}"
    return _percent(of.share), interval if of.of else "none to count"


def _show_slots(made: PeriodReport) -> None:
    table = _table("from", "runs", "adherence", "deviations", "fallback", "median", title="over time")
    for slot in made.slots:
        if slot.runs:
            table.add_row(
                f"{slot.begin:%Y-%m-%d %H:%M}",
                str(slot.runs),
                _percent(slot.adherence),
                str(slot.deviations),
                f"{slot.fallback_plans} of {slot.plans}",
                _seconds(slot.latency.p50_s),
            )
    out.print(table)


def _show_confidence(check: ConfidenceCheck) -> None:
    """Show what confidence said beside what came of it, or that there is too little to say."""
    if not check.cases:
        return
    table = _table(
        "confidence", "mean", "succeeded", "95 % interval", "runs", title="confidence against success"
    )
    for each in check.bins:
        table.add_row(
            f"{each.low:.1f} to {each.high:.1f}",
            f"{each.confidence:.2f}",
            _percent(each.success.share),
            f"{each.success.low:.0%} to {each.success.high:.0%}",
            f"{each.success.of}{'' if each.enough else ' (few)'}",
        )
    out.print(table)
    if check.error is None:
        say(f"Too few to judge: {check.cases}, at least {check.least_cases} are needed.")
    else:
        say(f"Calibration error {check.error:.3f} over {check.cases} runs.")


def _show_counts(title: str, counts: Collection[tuple[str, int]], of: int) -> None:
    if not counts:
        return
    table = _table("", "", "", "", title=title)
    for name, count in counts:
        share = count / of if of else 0.0
        table.add_row(plain(name), str(count), f"{share:.0%}", "█" * max(1, round(share * BAR)))
    out.print(table)


def _show_refused(made: PeriodReport) -> None:
    if made.refused_tools:
        table = _table("tool", "times", "why", title="refused calls")
        for each in made.refused_tools:
            why = ", ".join(f"{kind} {count}" for kind, count in each.refusals.items())
            table.add_row(plain(each.tool), str(each.count), why)
        out.print(table)
        if made.refused_others:
            say(f"{made.refused_others} calls of other tools")
    if made.plan_refusals:
        table = _table("rung", "reason", "times", title="plans refused on the way")
        for each in made.plan_refusals:
            table.add_row(each.rung, plain(each.reason), str(each.count))
        out.print(table)
    if made.model_troubles:
        table = _table("role", "error", "times", title="models without a usable reply")
        for trouble in made.model_troubles:
            table.add_row(trouble.role, plain(trouble.code), str(trouble.count))
        out.print(table)


def _table(*head: str, title: str = "") -> Table:
    """Begin a table in the plain style of all commands."""
    if title:
        say(f"\n[bold]{title}[/]")
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0), show_header=any(head))
    for column in head:
        table.add_column(column)
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _seconds(amount: float | None) -> str:
    if amount is None:
        return "–"
    return f"{amount:.1f} s" if amount >= 1 else f"{amount * 1000:.0f} ms"


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(report)
