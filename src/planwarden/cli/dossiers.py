"""Commands over the record: dossier show, verify, export, import, key."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from planwarden.app import Planwarden
from planwarden.audit.dossier import dossier_bytes
from planwarden.audit.render import dossier_markdown
from planwarden.audit.tombstone import tombstone_bytes, tombstone_markdown
from planwarden.cli import bundling
from planwarden.cli.output import fail, plain, say
from planwarden.cli.running import AsJson, RunId, with_planwarden
from planwarden.cli.verifying import AnchorFile, verify_all, verify_run
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.tombstone import Tombstone
from planwarden.errors import InputError

app = typer.Typer(help="The record of runs: show it, verify it, hand it on.", no_args_is_help=True)


class Format(StrEnum):
    """How a dossier is shown."""

    json = "json"
    md = "md"


@app.command()
def show(
    run_id: RunId,
    form: Annotated[Format, typer.Option("--format", help="json or md.")] = Format.md,
) -> None:
    """Show the dossier of a run, built from its journal; of an erased run, who erased it and what is left."""

    async def work(planwarden: Planwarden) -> tuple[Dossier | Tombstone, str | None]:
        head = await (await planwarden.journal()).head(run_id)
        return await planwarden.record.dossier_or_tombstone(run_id), head.origin

    dossier, origin = with_planwarden(work, as_json=form is Format.json)
    if origin is not None and form is Format.md:
        say(plain(f"Imported; the bundle was signed by key {origin}."))
        say()
    if isinstance(dossier, Tombstone):
        _show_tombstone(dossier, form)
    elif form is Format.json:
        typer.echo(dossier_bytes(dossier).decode(), nl=False)
    else:
        typer.echo(dossier_markdown(dossier))


def _show_tombstone(tombstone: Tombstone, form: Format) -> None:
    if form is Format.json:
        typer.echo(tombstone_bytes(tombstone).decode(), nl=False)
    else:
        typer.echo(tombstone_markdown(tombstone))


@app.command()
def verify(
    run_id: Annotated[str, typer.Argument(metavar="[RUN]", help="A run id; or --all, or --bundle.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Every run, its file, what is kept beside it, and the anchors.")
    ] = False,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="FILE", help="An exported bundle; needs no journal and no home."),
    ] = None,
    anchors: AnchorFile = None,
    key: bundling.Pin = None,
    as_json: AsJson = False,
) -> None:
    """Recompute hash chains from the stored bytes, and compare everything that is kept with them."""
    if (bool(run_id), every, bundle is not None).count(True) != 1 or (key is not None and bundle is None):
        fail(
            InputError(
                "Say what is to be verified: a run, --all, or --bundle FILE; --key goes with --bundle.",
                remedy="For example `planwarden dossier verify --all`.",
            ),
            as_json=as_json,
        )
    if bundle is not None:
        bundling.verify_bundle(bundle, anchors, key, as_json=as_json)
    elif every:
        verify_all(anchors, as_json=as_json)
    else:
        verify_run(run_id, anchors, as_json=as_json)


bundling.register(app)
