"""The command that gives back a catalog or policy as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planwarden.app import Planwarden
from planwarden.cli.output import plain, tell
from planwarden.cli.running import with_planwarden
from planwarden.errors import DataRejected, SnapshotMissing
from planwarden.journal.snapshot import Snapshot


def command(
    digest: Annotated[
        str, typer.Argument(metavar="DIGEST", help="Of a catalog or policy, as a dossier names it.")
    ],
    to: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it here.", dir_okay=False)
    ] = None,
) -> None:
    """Give back the catalog or policy of a run, as the canonical JSON that its digest is of."""

    async def work(planwarden: Planwarden) -> Snapshot:
        found = await (await planwarden.journal()).snapshots.find(digest.strip())
        if found is None:
            raise SnapshotMissing(
                f"Nothing is kept under {digest[:80]!r}.",
                remedy="Take catalog_digest or policy_digest of `planwarden dossier show RUN --format json`.",
            )
        if to is not None:
            _write(to, found.body)
        return found

    found = with_planwarden(work, as_json=False)
    if to is None:
        typer.echo(found.body.decode("utf-8", "replace"))
    else:
        tell(f"the {found.kind} is in [bold]{plain(str(to))}[/]")


def _write(file: Path, body: bytes) -> None:
    try:
        file.write_bytes(body)
    except OSError as error:
        raise DataRejected(
            f"{file} cannot be written: {error.strerror or error}.", remedy="Name another file with --out."
        ) from error
