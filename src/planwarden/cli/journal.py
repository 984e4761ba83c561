"""Commands over the journal as a whole: erase, retain, reindex; backup, restore, upgrade are beside it."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated, get_args

import typer

from planwarden.app import Planwarden
from planwarden.app.archive.keeping import RETENTION, Erasure
from planwarden.audit.page.amounts import counted
from planwarden.cli import anchoring, backups
from planwarden.cli.erasure_report import show_erasure
from planwarden.cli.exits import Exit
from planwarden.cli.moment import moment
from planwarden.cli.output import fail, print_json, say, stop, tell
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.cli.task_input import this_person
from planwarden.contracts.facts import RunOutcome
from planwarden.contracts.run import RunStatus
from planwarden.errors import InputError
from planwarden.journal.erasure import Selection

app = typer.Typer(
    help="The journal as a whole: erase what runs said, back it up, restore it.", no_args_is_help=True
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be erased; erase nothing.")]


@app.command()
def erase(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Run ids, as `planwarden runs` lists them.")
    ] = None,
    principal: Annotated[
        str | None, typer.Option("--principal", metavar="ID", help="All that this person or service asked.")
    ] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", metavar="ID", help="All of this conversation.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="ID", help="All of this tenant.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; it stays on record.")] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who erases; else the user of this machine. It stays on record."),
    ] = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to go on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase what runs said, for good: requests, plans, calls, results, answers. Their chains still verify.

    Conditions narrow each other down. Names and numbers stay, so that runs are counted as before. Without any
    RUN or condition: finishes what an earlier erasure could not, because other processes were in the way.
    """
    selection = Selection(
        runs=tuple(runs) if runs else None, principal=principal, conversation=conversation, tenant=tenant
    )

    named = selection != Selection()
    why = (reason or "").strip()[:1_000]
    if named and not dry_run and not why:
        fail(InputError("Why is not said.", remedy="Say --reason TEXT; it stays on record."), as_json=as_json)
    if named and (dry_run or not yes):
        _look(selection, as_json=as_json, dry_run=dry_run)

    async def work(planwarden: Planwarden) -> Erasure:
        if not named:
            return await planwarden.archive.keeping.finish()
        return await planwarden.archive.keeping.erase(selection, by=(by or this_person())[:256], reason=why)

    done = with_planwarden(work, as_json=as_json)
    show_erasure(done, as_json=as_json)
    stop(Exit.WAITING if done.left or done.not_wiped else Exit.DONE)


@app.command()
def retain(
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="Like 90d or 12w; else PLANWARDEN_RETENTION_DAYS days."
        ),
    ] = None,
    keep_status: Annotated[
        str | None, typer.Option("--keep-status", metavar="STATUS,…", help="Leave runs that ended so.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Erase what runs said that ended longer ago than is kept; their names and numbers stay.

    Runs whose record is not what was written are left and named, with exit code 6: erasing would hide that.
    """

    async def work(planwarden: Planwarden) -> Erasure:
        days = planwarden.settings.planwarden_retention_days
        now = planwarden.clock.now()
        if older_than is not None:
            since, reason = moment(older_than, now=now, option="--older-than"), f"older than {older_than}"
        elif days is not None:
            since, reason = now - timedelta(days=days), f"older than {days}d"
        else:
            raise InputError(
                "How long is kept is not said.",
                remedy="Say --older-than 90d, or set PLANWARDEN_RETENTION_DAYS.",
            )
        selection = Selection(idle_since=since, keep=_statuses(keep_status), sound=True)
        return await planwarden.archive.keeping.erase(selection, by=RETENTION, reason=reason, dry_run=dry_run)

    done = with_planwarden(work, as_json=as_json)
    show_erasure(done, as_json=as_json, dry_run=dry_run)
    if done.altered:
        stop(Exit.VERIFICATION_FAILED)
    stop(Exit.WAITING if done.not_wiped else Exit.DONE)


@app.command()
def reindex(as_json: AsJson = False) -> None:
    """Make the index that runs are found and counted by anew, from the runs themselves.

    What is left of erased runs stays as it is: nothing else tells of them.
    """

    async def work(planwarden: Planwarden) -> int:
        return await planwarden.record.reindex()

    count = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json({"indexed": count})
    else:
        say(f"indexed {counted(count, 'run')}")


anchoring.register(app)
backups.register(app)


def _statuses(given: str | None) -> tuple[RunStatus, ...]:
    known: dict[str, RunStatus] = {each: each for each in get_args(RunOutcome)}
    named = [each.strip() for each in (given or "").split(",") if each.strip()]
    if unknown := [each for each in named if each not in known]:
        raise InputError(
            f"--keep-status: no run ends {', '.join(unknown)}.", remedy=f"One of: {', '.join(known)}."
        )
    return tuple(known[each] for each in named)


def _look(selection: Selection, *, as_json: bool, dry_run: bool) -> None:
    """Say what would be erased; have a person say yes, unless that was all that was asked for."""

    async def look(planwarden: Planwarden) -> Erasure:
        return await planwarden.archive.keeping.erase(selection, by="", reason="", dry_run=True)

    found = with_planwarden(look, as_json=as_json)
    if dry_run:
        show_erasure(found, as_json=as_json, dry_run=True)
        stop(Exit.WAITING if found.left else Exit.DONE)
    if found.runs == 0:
        return
    if as_json or not sys.stdin.isatty():
        message = (
            f"This would erase what {counted(found.runs, 'run')} said, for good; nobody is there to be asked."
        )
        fail(InputError(message, remedy="Look at it with --dry-run, then say --yes."), as_json=as_json)
    show_erasure(found, as_json=False, dry_run=True)
    if not typer.confirm("Erase it for good?", default=False):
        tell("nothing was erased")
        stop(Exit.REFUSED)
