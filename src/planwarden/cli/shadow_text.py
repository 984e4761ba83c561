"""How `planwarden shadow` shows its report on a terminal."""

from __future__ import annotations

from rich.table import Table

from planwarden.cli.output import out, plain, say
from planwarden.evaluation.shadow.report.contract import (
    Figure,
    KnownReport,
    Quartiles,
    ShadowReport,
    SideReport,
)
from planwarden.evaluation.shadow.report.wording import (
    AGREEMENT_WORDS,
    EVIDENCE_WORDS,
    RIGHT_WORDS,
    counts,
    money,
    tally,
)

SHOWN = 8
"""How many of the differences are listed."""


def show_shadow(report: ShadowReport) -> None:
    """Print the verdict, then what it rests on."""
    say(f"[bold]{plain(report.verdict.sentence)}[/]")
    say()
    sides = [side for side in (report.first, report.second) if side is not None]
    for side in sides:
        say(f"[bold]{plain(side.name)}[/]  {plain(side.describes)}")
    say(plain(tally(report)))
    say()
    out.print(_sides(sides))
    for known in report.known:
        say()
        out.print(_known(known, report))
    if report.agreement:
        say()
        out.print(_agreement(report))
    _show_differences(report)
    for note in report.notes:
        say(f"[yellow]note[/]  {plain(note)}")
    say("[dim]means with 95 % bootstrap intervals; medians with quartiles; nothing was executed[/]")


def _sides(sides: list[SideReport]) -> Table:
    table = _table("", *(side.name for side in sides))
    table.add_row("valid plans", *(_figure(side.valid) for side in sides))
    table.add_row("nothing refused", *(_figure(side.unaided) for side in sides))
    table.add_row("seconds", *(_quartiles(side.seconds, 3) for side in sides))
    table.add_row("tokens in", *(_quartiles(side.prompt_tokens, 0) for side in sides))
    table.add_row("tokens out", *(_quartiles(side.output_tokens, 0) for side in sides))
    table.add_row("cost of all", *(money(side.cost) for side in sides))
    table.add_row("plans by source", *(plain(counts(side.sources)) for side in sides))
    if any(side.issues for side in sides):
        table.add_row("not to be followed", *(plain(counts(side.issues)) for side in sides))
    return table


def _known(known: KnownReport, report: ShadowReport) -> Table:
    second = report.second
    columns = [report.first.name, *([second.name, "difference"] if second and known.second else [])]
    title = f"{EVIDENCE_WORDS[known.evidence]}: {known.tasks}"
    table = _table(title if known.counts else f"{title} (not counted)", *columns)
    for measure, words in RIGHT_WORDS.items():
        if measure not in known.first:
            continue
        cells = [_figure(known.first[measure])]
        if known.second is not None and known.gain is not None:
            cells += [_figure(known.second[measure]), _figure(known.gain[measure], signed=True)]
        table.add_row(words, *cells)
    return table


def _agreement(report: ShadowReport) -> Table:
    table = _table("how alike the plans are", "mean", "tasks")
    for measure, words in AGREEMENT_WORDS.items():
        if found := report.agreement.get(measure):
            table.add_row(words, _figure(found), str(found.count))
    return table


def _show_differences(report: ShadowReport) -> None:
    if not report.differing or report.second is None:
        return
    say()
    say(f"[bold]{report.differing} tasks are planned differently[/]")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("task", no_wrap=True, max_width=28)
    for column in (report.first.name, report.second.name, "right"):
        table.add_column(plain(column), overflow="fold")
    for each in report.differences[:SHOWN]:
        right = {"first": report.first.name, "second": report.second.name}.get(each.right, each.right)
        cells = (each.task, " → ".join(each.first), " → ".join(each.second), right)
        table.add_row(*(plain(cell) for cell in cells))
    out.print(table)


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column(plain(first))
    for column in columns:
        table.add_column(plain(column), no_wrap=True)
    return table


def _figure(found: Figure, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{found.mean:{sign}.3f} [dim]({found.low:{sign}.2f} to {found.high:{sign}.2f})[/]"


def _quartiles(found: Quartiles | None, digits: int) -> str:
    if found is None:
        return "–"
    return f"{found.median:.{digits}f} [dim]({found.low:.{digits}f} to {found.high:.{digits}f})[/]"
