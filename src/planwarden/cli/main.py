"""The command line: `planwarden …`. Sync only here, at the edge."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import typer

from planwarden.app.system import VERSION
from planwarden.cli import (
    calibrating,
    doctor,
    dossiers,
    evaluation,
    inventory,
    journal,
    measures,
    memory,
    replay,
    report_period,
    running,
    runs,
    shadow,
    soak,
    tools,
    tuning,
)
from planwarden.cli.chat import command as chat
from planwarden.cli.exits import Exit
from planwarden.cli.output import print_json

app = typer.Typer(
    name="planwarden",
    help="A small local model writes the plan; the warden holds every agent to it, and keeps the record.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"planwarden {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


running.register(app)
runs.register(app)
replay.register(app)
chat.register(app)
inventory.register(app)
app.add_typer(tools.app, name="tools")
measures.register(app)
shadow.register(app)
report_period.register(app)
calibrating.register(app)
doctor.register(app)
soak.register(app)
app.add_typer(dossiers.app, name="dossier")
app.add_typer(journal.app, name="journal")
app.add_typer(memory.app, name="memory")
app.add_typer(evaluation.app, name="eval")
app.add_typer(tuning.app, name="tune")


def main() -> None:
    """Run the command line."""
    stdout: Any = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="replace")
    try:
        app()
    except SystemExit as end:
        _tell_usage_error(end)
        if isinstance(end.__context__, BrokenPipeError):
            sys.exit(int(Exit.DONE))
        raise


def _tell_usage_error(end: SystemExit) -> None:
    """Print a mistake in the command line as JSON too, where JSON was asked for."""
    message = getattr(end.__context__, "format_message", None)
    if message is not None and "--json" in sys.argv:
        remedy = "See `planwarden --help`, or --help of the command."
        print_json({"error": {"code": "usage_error", "message": message(), "remedy": remedy}})


__all__ = ["app", "main"]
