"""Commands over tools: list them, try their examples, list and begin tool packages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from planwarden.app import Planwarden
from planwarden.app.system import VERSION
from planwarden.cli.exits import Exit
from planwarden.cli.inventory import show_left_out
from planwarden.cli.output import out, plain, print_json, say, stop, tell
from planwarden.cli.running import AsJson, Config, Data, with_planwarden
from planwarden.contracts.verdict import Denied

if TYPE_CHECKING:
    from planwarden.app.trials import Trial
    from planwarden.configuration.catalog_file import AssembledCatalog

app = typer.Typer(help="The tools: list them, try them, add packages of them.", invoke_without_command=True)


@app.callback()
def tools(context: typer.Context, as_json: AsJson = False, config: Config = None, data: Data = None) -> None:
    """List the tools: effect, parameters, alternatives, and which agents may call them."""
    if context.invoked_subcommand is not None:
        if as_json or config or data:
            raise typer.BadParameter(f"options go after the command: `tools {context.invoked_subcommand} …`")
        return
    world = with_planwarden(lambda pw: pw.world(data or ()), as_json=as_json, config=config)
    rows = [_tool(world, name) for name in world.catalog.tools]
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("tool", no_wrap=True)
    table.add_column("what it does", overflow="fold")
    for row in rows:
        told = [plain(row["description"])]
        for label, names in (
            ("parameters", row["parameters"].get("properties", {})),
            ("alternatives", row["alternatives"]),
            ("also called", row["aliases"]),
            ("agents that may call it", row["agents"] or ["none"]),
            ("provided by", [] if row["provided_by"] == "planwarden" else [row["provided_by"]]),
        ):
            if names:
                told.append(f"[dim]{label}:[/] {plain(', '.join(names))}")
        kind = f"{row['effect']}, network" if row["network"] else row["effect"]
        table.add_row(f"[bold]{row['name']}[/]\n[dim]{kind}[/]", "\n".join(told))
    out.print(table)
    show_left_out(world)


def _tool(world: AssembledCatalog, name: str) -> dict[str, Any]:
    fields = world.catalog.tools[name].model_dump(mode="json")
    fields["agents"] = [
        agent
        for agent, spec in world.catalog.agents.items()
        if name in spec.tools and not isinstance(world.policy.decide(agent, name), Denied)
    ]
    fields["aliases"] = [alias for alias, target in world.catalog.aliases.items() if target == name]
    fields["provided_by"] = world.provided_by.get(name)
    return fields


@app.command("test")
def try_examples(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A tool or alias; all tools when there is none.")
    ] = None,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="Also try what asks a server, or has an effect that no scratch folder can hold."
        ),
    ] = False,
) -> None:
    """Run the tools' own examples, and hold arguments and results to schemas and to what is expected.

    Built-in tools write to a scratch folder. Ends with 3 when an example fails, or none of NAME could run.
    """
    names = [name] if name else []
    trials = with_planwarden(
        lambda pw: pw.try_tools(names, data=data or (), consent=yes), as_json=as_json, config=config
    )
    counts = Counter(trial.outcome for trial in trials)
    bad = counts["failed"] > 0 or (name is not None and not counts["ok"])
    if as_json:
        told = {outcome: counts[outcome] for outcome in ("ok", "failed", "skipped")}
        print_json({"ok": not bad, "counts": told, "trials": [_trial(trial) for trial in trials]})
    else:
        for trial in trials:
            _show(trial)
        say(f"{counts['ok']} ok, {counts['failed']} failed, {counts['skipped']} skipped")
    stop(Exit.NO_GOOD_ANSWER if bad else Exit.DONE)


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "tool": trial.tool,
        "request": trial.request,
        "outcome": trial.outcome,
        "problems": list(trial.problems),
        "arguments": trial.arguments,
        "result": trial.result,
        "duration_s": round(trial.duration_s, 6),
    }


_MARKS = {"ok": "[green]ok[/]     ", "failed": "[red]failed[/] ", "skipped": "[yellow]skipped[/]"}


def _show(trial: Trial) -> None:
    say(f"{_MARKS[trial.outcome]} [bold]{plain(trial.tool)}[/]  {plain(trial.request)}".rstrip())
    for problem in trial.problems:
        say(f"        {plain(problem)}")


@app.command("packages")
def list_packages(as_json: AsJson = False, config: Config = None) -> None:
    """List the installed tool packages, and which of them the catalog file names; imports none."""
    # Imported here, for it brings in PyYAML and jsonschema, which `--help` starts faster without.
    from planwarden.app.assembly import tool_packages  # noqa: PLC0415 - see above

    async def work(planwarden: Planwarden) -> list[dict[str, Any]]:
        return [
            {
                "name": package.name,
                "version": package.version,
                "entry_points": {entry.name: entry.value for entry in package.entries},
                "loaded": loaded,
            }
            for package, loaded in tool_packages(planwarden.settings)
        ]

    rows = with_planwarden(work, as_json=as_json, config=config)
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("no tool packages are installed; `planwarden tools new DIR` begins one")
    for row in rows:
        state = "loaded" if row["loaded"] else "available: add it to the catalog file"
        say(f"[bold]{plain(row['name'])}[/] {plain(row['version'])}  {state}")
        if not row["loaded"]:
            say(f"  {plain('packages: [' + row['name'] + ']')}")


@app.command("new")
def begin_package(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder; its name names the package.")],
) -> None:
    """Write a new tool package: two tools, tests, a catalog file, ready to build."""
    from planwarden.app.tool_package import write_tool_package  # noqa: PLC0415 - only this command needs it

    async def work(planwarden: Planwarden) -> tuple[str, ...]:
        return write_tool_package(folder, version=VERSION, nonce=planwarden.ids.nonce())

    for path in with_planwarden(work, as_json=False):
        tell(f"[dim]wrote {plain(str(folder / path))}[/]")
    say(f"{plain(str(folder))}: see its README.md; `pip install -e {plain(str(folder))}` makes it available")
