"""`planwarden doctor`: what is well, what is not, and the line that mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.status import Status
from rich.table import Table

from planwarden.app.system import VERSION
from planwarden.cli.exits import Exit
from planwarden.cli.output import configure_log, err, out, plain, print_json, say, stop, tell
from planwarden.cli.running import INTERRUPTED, AsJson, Config, Data
from planwarden.configuration.settings import Settings, load_settings

if TYPE_CHECKING:
    from planwarden.app.diagnosis import Check

_MARKS = {
    "ok": "[green]ok[/]",
    "warning": "[yellow]warning[/]",
    "bad": "[bold red]bad[/]",
    "skipped": "[dim]skipped[/]",
}
_FOLDED = "tools"
"""A group of many names: those that are well share a line."""


def doctor(
    as_json: AsJson = False,
    quick: Annotated[bool, typer.Option("--quick", help="Look at the models, but ask them nothing.")] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Fill the models' contexts too, however long it takes.")
    ] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Check machine, settings, catalog, tools, store, models: each trouble with the line that mends it."""
    # Imported here, for it brings in httpx, DuckDB and PyYAML: `--help` and `runs` start faster without.
    from planwarden.app.diagnosis import DiagnosisOptions, diagnose, first_to_do  # noqa: PLC0415 - see above

    def read_settings() -> Settings:
        settings = load_settings({"planwarden_config": config} if config else None)
        configure_log(settings.planwarden_log)
        return settings

    async def work() -> list[Check]:
        options = DiagnosisOptions(quick=quick, thorough=thorough, data=tuple(data or ()))
        with err.status("looking around") as waiting:
            found = diagnose(read_settings, options, lambda what: waiting.update(f"looking at {plain(what)}"))
            return [check async for check in (found if as_json else _shown(found, waiting))]

    try:
        checks = anyio.run(work)
    except KeyboardInterrupt:
        tell("interrupted; nothing is left half done")
        raise typer.Exit(INTERRUPTED) from None
    good = all(check.ok for check in checks)
    first = first_to_do(checks)
    if as_json:
        documents = [_document(check) for check in checks]
        print_json({"version": VERSION, "ok": good, "first": first and first.remedy, "checks": documents})
    else:
        _show_end(checks, first)
    stop(Exit.DONE if good else Exit.BAD_INPUT)


def _document(check: Check) -> dict[str, Any]:
    return {**check.model_dump(mode="json"), "ok": check.ok}


async def _shown(found: AsyncGenerator[Check], waiting: Status) -> AsyncGenerator[Check]:
    """Pass checks on, and print each group when the next one begins."""
    group: list[Check] = []
    async for check in found:
        if group and check.group != group[0].group:
            _show_group(group, waiting)
            group = []
        group.append(check)
        yield check
    _show_group(group, waiting)


def _show_group(group: Sequence[Check], waiting: Status) -> None:
    waiting.stop()  # its moving line would get between the lines
    say(f"[bold]{group[0].group}[/]")
    rows = [row for check in _folded(group) for row in _rows(check)]
    if out.is_terminal:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, min_width=9)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for mark, name, text in rows:
            table.add_row(f"  {mark}", name, text)
        out.print(table)
    else:
        for mark, name, text in rows:
            say(f"  {mark}  {name}  {text}")
    say()
    waiting.start()


def _folded(group: Sequence[Check]) -> list[Check]:
    well = [check for check in group if check.status == "ok"]
    if group[0].group != _FOLDED or len(well) < 2:
        return [*group]
    names = ", ".join(check.check for check in well)
    together = well[0].model_copy(update={"check": f"{len(well)} tools", "detail": names})
    return [together, *(check for check in group if check.status != "ok")]


def _rows(check: Check) -> list[tuple[str, str, str]]:
    rows = [(_MARKS[check.status], plain(check.check), plain(check.detail))]
    if check.remedy:
        rows.append(("", "[bold]what to do[/]", plain(check.remedy)))
    return rows


def _show_end(checks: Sequence[Check], first: Check | None) -> None:
    counted = Counter(check.status for check in checks)
    warnings = "warning" if counted["warning"] == 1 else "warnings"
    words = {"ok": "ok", "warning": warnings, "bad": "bad", "skipped": "not looked at"}
    told = [f"{counted[status]} {word}" for status, word in words.items() if counted[status]]
    say(", ".join(told))
    if first is None:
        say('[bold]nothing to do[/]  planwarden run "What is the latest price of IBM?"')
    else:
        say(f"[bold]do first[/]  {plain(first.remedy)}  [dim]({first.group}: {plain(first.check)})[/]")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(doctor)
