"""What goes to the terminal: results to stdout, everything else to stderr. With `--json`, one document."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Literal, NoReturn

import structlog
import typer
from rich.console import Console
from rich.markup import escape

from planwarden.cli.exits import Exit, exit_of_error
from planwarden.errors import PlanwardenError

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


def configure_log(form: Literal["off", "json"]) -> None:
    """Send the structured log to stderr as JSON, or nowhere."""
    level = logging.INFO if form == "json" else logging.CRITICAL
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
    )


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    """Print one JSON document and nothing else."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def stop(code: Exit) -> NoReturn:
    """End the command with this exit code."""
    raise typer.Exit(int(code))


def fail(error: PlanwardenError, *, as_json: bool) -> NoReturn:
    """Say what happened and what to do, and end the command."""
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "remedy": error.remedy}})
    err.print(f"[bold red]{error.code}[/]  {escape(error.message)}")
    if error.remedy:
        err.print(f"  [bold]what to do[/]  {escape(error.remedy)}")
    stop(exit_of_error(error))
