"""Commands over the journal as a whole: reindex."""

from __future__ import annotations

import typer

from planwarden.app import Planwarden
from planwarden.cli import anchoring
from planwarden.cli.output import print_json, say
from planwarden.cli.running import AsJson, with_planwarden

app = typer.Typer(help="The journal as a whole.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep the group a group, however few its commands are."""


@app.command()
def reindex(as_json: AsJson = False) -> None:
    """Make the index that runs are found and counted by anew, from the runs themselves."""

    async def work(planwarden: Planwarden) -> int:
        return await planwarden.record.reindex()

    count = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json({"indexed": count})
    else:
        say(f"indexed {'1 run' if count == 1 else f'{count} runs'}")


anchoring.register(app)
