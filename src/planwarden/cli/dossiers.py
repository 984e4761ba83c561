"""Commands over the record: dossier show, verify, export, import, key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planwarden.cli import bundling, snapshots
from planwarden.cli.dossier_show import show
from planwarden.cli.output import fail
from planwarden.cli.running import AsJson
from planwarden.cli.verifying import AnchorFile, verify_all, verify_run
from planwarden.errors import InputError

app = typer.Typer(help="The record of runs: show it, verify it, hand it on.", no_args_is_help=True)

app.command()(show)
app.command("snapshot")(snapshots.command)


@app.command()
def verify(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run id; or --all, or --bundle.")
    ] = None,
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
    if (run_id is not None, every, bundle is not None).count(True) != 1 or (
        key is not None and bundle is None
    ):
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
        verify_run(run_id or "", anchors, as_json=as_json)


bundling.register(app)
