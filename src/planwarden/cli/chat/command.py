"""The command: opens Planwarden, talks, closes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from anyio.from_thread import start_blocking_portal

from planwarden.app import Planwarden
from planwarden.cli.chat.lines import Lines, history
from planwarden.cli.chat.talk import Talk, new_conversation
from planwarden.cli.chat.turns import Turns
from planwarden.cli.exits import Exit
from planwarden.cli.output import configure_log, fail, stop
from planwarden.cli.running import Config, Data
from planwarden.cli.task_input import checked_conversation
from planwarden.configuration.settings import load_settings
from planwarden.errors import PlanwardenError


def chat(
    data: Data = None,
    config: Config = None,
    conversation: Annotated[
        str | None,
        typer.Option(
            "--conversation", metavar="ID", help="Go on with this conversation; else a new one begins."
        ),
    ] = None,
) -> None:
    """Talk: each line is a task that knows what was said before; piped lines are taken one by one."""
    try:
        ended = _talk(data, config, conversation)
    except PlanwardenError as error:
        fail(error, as_json=False)
    stop(ended)


def _talk(data: Data, config: Config, conversation: str | None) -> Exit:
    settings = load_settings({"planwarden_config": config} if config else None)
    configure_log(settings.planwarden_log)
    checked_conversation(conversation)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with start_blocking_portal() as portal:
        opening = portal.wrap_async_context_manager(Planwarden.open(settings))
        kept = history(settings.planwarden_home / "chat_history", interactive=interactive)
        with opening as planwarden, kept:
            talk = Talk(
                planwarden=planwarden,
                portal=portal,
                turns=Turns(portal, planwarden),
                lines=Lines(interactive=interactive),
                conversation=conversation or new_conversation(planwarden),
                data=list(data or ()),
            )
            portal.call(planwarden.world, talk.data)  # mistakes in catalog and data are said at once
            talk.greet()
            talk.go_on()
            talk.part()
            return Exit.DONE if interactive else talk.ended


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(chat)
