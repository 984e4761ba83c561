"""The command line: `planwarden …`. Sync only here, at the edge."""

from __future__ import annotations

import os
import sys

import typer

from planwarden.cli import dossiers, inventory, running
from planwarden.cli.exits import Exit
from planwarden.cli.output import err, out

app = typer.Typer(
    name="planwarden",
    help="A small local model writes the plan; the warden holds every agent to it, and keeps the record.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
running.register(app)
inventory.register(app)
app.add_typer(dossiers.app, name="dossier")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        err.print("interrupted; what began is in the journal: see `planwarden runs`, `planwarden resume RUN`")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(int(Exit.DONE))


__all__ = ["app", "main", "out"]
