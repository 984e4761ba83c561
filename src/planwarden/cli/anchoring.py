"""Commands over anchors: journal anchor, journal anchors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planwarden.app import Planwarden
from planwarden.cli.output import plain, print_json, say, tell
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.journal.anchor import Anchor


def anchor(
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FILE", help="Add the anchors that this file lacks, a line of JSON for each."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in every run that grew since the last anchor; also done by itself once a day."""

    async def work(planwarden: Planwarden) -> tuple[Anchor | None, Anchor | None, int | None]:
        made = await planwarden.archive.anchoring.make()
        last = await (await planwarden.journal()).anchors.last()
        return made, last, None if to is None else await planwarden.archive.anchoring.keep_in(to)

    made, last, added = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json(
            {
                "made": made is not None,
                "anchor": last.fields() if last else None,
                "added_to_file": added,
            }
        )
        return
    if made is not None:
        say(f"anchor {made.number} over {'1 run' if made.runs == 1 else f'{made.runs} runs'}")
    else:
        say(f"nothing grew since anchor {last.number}" if last else "there is nothing to anchor")
    if last is not None:
        say(f"hash {last.hash}")
    if added is not None:
        tell(plain(f"{'1 anchor' if added == 1 else f'{added} anchors'} added to {to}"))


def anchors(as_json: AsJson = False) -> None:
    """List the anchors, oldest first: their day, how many runs they took in, and their hashes."""

    async def work(planwarden: Planwarden) -> tuple[Anchor, ...]:
        return await planwarden.archive.anchoring.all()

    found = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json({"anchors": [each.fields() for each in found]})
        return
    for each in found:
        say(f"{each.number:>5}  {each.at:%Y-%m-%d %H:%M}  {each.runs:>6} runs  {each.hash}")
    if not found:
        say("no anchors yet: planwarden journal anchor")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(anchor)
    app.command()(anchors)
