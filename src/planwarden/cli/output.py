"""What goes to the terminal: results to stdout, everything else to stderr. With `--json`, one document."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from planwarden.cli.exits import Exit, exit_of_error
from planwarden.errors import PlanwardenError
from planwarden.telemetry.logs import Form, write_log

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, marks that reorder text, halves of characters: a terminal would obey or refuse them."""


def configure_log(form: Form) -> None:
    """Send the structured log to stderr; `off` leaves it silent."""
    write_log(form, sys.stderr)


def plain(text: str) -> str:
    """Make any text safe to print: no markup, and nothing in it that a terminal would obey."""
    return escape(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text))


def say(text: str = "") -> None:
    """Print to stdout, wrapped at words on a terminal, in whole lines elsewhere."""
    out.print(text, soft_wrap=not out.is_terminal)


def tell(text: str) -> None:
    """Print to stderr, wrapped at words on a terminal, in whole lines elsewhere."""
    err.print(text, soft_wrap=not err.is_terminal)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    """Print one JSON document and nothing else."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    sys.stdout.write(text + "\n")


def stop(code: Exit) -> NoReturn:
    """End the command with this exit code."""
    raise typer.Exit(int(code))


def fail(error: PlanwardenError, *, as_json: bool) -> NoReturn:
    """Say what happened and what to do, and end the command."""
    if as_json:
        on_record = {} if error.run_id is None else {"run_id": error.run_id}
        told = {"code": error.code, "message": error.message, "remedy": error.remedy}
        print_json({"error": told, **on_record})
    tell_error(error)
    stop(exit_of_error(error))


def tell_error(error: PlanwardenError) -> None:
    """Say what happened and what to do."""
    tell(f"[bold red]{error.code}[/]  {plain(error.message)}")
    if error.remedy:
        tell(f"  [bold]what to do[/]  {plain(error.remedy)}")
    if error.run_id is not None:
        tell(f"  [bold]on record[/]   planwarden dossier show {error.run_id}")
