"""Commands that copy the store: journal backup, journal restore, journal upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planwarden.app import Planwarden
from planwarden.app.archive.backups import BackedUp, Restored, Upgraded
from planwarden.audit.page.amounts import counted
from planwarden.cli.exits import Exit
from planwarden.cli.output import plain, print_json, say, stop, tell
from planwarden.cli.running import AsJson, with_planwarden


def backup(
    target: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A new file, or a folder in which one is named by the moment."),
    ],
    as_json: AsJson = False,
) -> None:
    """Copy journal and plan memory into one new file, also while runs go on, and check what was written."""

    async def work(planwarden: Planwarden) -> BackedUp:
        return await planwarden.archive.backups.backup(target)

    made = with_planwarden(work, as_json=as_json)
    manifest = made.manifest
    if as_json:
        print_json({"file": str(made.path), "bytes": made.size, **manifest.model_dump(mode="json")})
    else:
        size = f"{made.size / 1e6:.1f} MB, read back and as it should be"
        say(f"backed up [bold]{counted(manifest.runs, 'run')}[/] to {plain(str(made.path))}: {size}")
        if manifest.damaged:
            tell(
                f"[yellow]{counted(manifest.damaged, 'run')} in it are damaged[/], as in the journal itself:"
                " `planwarden dossier verify RUN`"
            )
    stop(Exit.VERIFICATION_FAILED if manifest.damaged else Exit.DONE)


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="As `planwarden journal backup` wrote it.")],
    force: Annotated[
        bool,
        typer.Option("--force", help="Also where runs in the journal are not, or not as far, in the backup."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of journal and plan memory, which stay beside it under another name.

    What was erased or forgotten since the backup is erased and forgotten in it too.
    """

    async def work(planwarden: Planwarden) -> Restored:
        return await planwarden.archive.backups.restore(source, force=force)

    done = with_planwarden(work, as_json=as_json)
    if as_json:
        told = {"lost": done.lost, "erased_again": done.erased_again, "forgotten_again": done.forgotten_again}
        aside = [str(path) for path in done.aside]
        print_json({**done.manifest.model_dump(mode="json"), "aside": aside, **told})
        return
    say(f"restored {counted(done.manifest.runs, 'run')} as of {done.manifest.made_at:%Y-%m-%d %H:%M} UTC")
    if done.lost:
        tell(f"[yellow]{counted(done.lost, 'run')} that were there are not, or not as far, in it[/]")
    if done.erased_again or done.forgotten_again:
        say(
            f"erased and forgotten since, and so again: {counted(done.erased_again, 'run')},"
            f" {done.forgotten_again} remembered plans"
        )
    for path in done.aside:
        say(f"what was there before is kept as {plain(str(path))}: delete it when it is not needed")


def upgrade(
    to: Annotated[
        Path | None,
        typer.Option("--backup", metavar="FILE", help="Where the backup goes; else beside the journal."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring an older Planwarden's journal up to date, after a backup; opening it does so without one."""

    async def work(planwarden: Planwarden) -> Upgraded:
        return await planwarden.archive.backups.upgrade(to)

    done = with_planwarden(work, as_json=as_json)
    if as_json:
        backup_file = str(done.backup) if done.backup else None
        print_json({"from": done.before, "to": done.after, "backup": backup_file})
    elif done.backup is None:
        say(f"nothing to do: schema version {done.before}")
    else:
        say(f"upgraded from schema version {done.before} to {done.after}")
        say(f"the journal as it was is in {plain(str(done.backup))}: delete it when it is not needed")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(backup)
    app.command()(restore)
    app.command()(upgrade)
