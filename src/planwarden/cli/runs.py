"""The command that lists and finds runs."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from planwarden.app import Planwarden
from planwarden.cli.moment import moment_option
from planwarden.cli.output import print_json
from planwarden.cli.run_list import NO_RUNS, run_rows, show_runs
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.contracts.deviations import DEVIATION_KINDS
from planwarden.contracts.run import RunStatus
from planwarden.errors import InputError
from planwarden.journal.index import RunQuery

STATUSES: tuple[str, ...] = get_args(RunStatus)


def runs(
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, newest first.")] = 20,
    agent: Annotated[str | None, typer.Option("--agent", help="That the plan names this agent.")] = None,
    tool: Annotated[
        str | None, typer.Option("--tool", help="For which this tool was planned, or wanted by an agent.")
    ] = None,
    deviation: Annotated[
        str | None, typer.Option("--deviation", metavar="KIND", help="That departed from their plan so.")
    ] = None,
    status: Annotated[str | None, typer.Option("--status", help="That stand so.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="Begun since: 7d, 12h, or a date or time.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Begun before; like --since.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Of this tenant.")] = None,
) -> None:
    """List the runs in the journal, newest first; options narrow them down, and all have to hold."""

    async def work(planwarden: Planwarden) -> tuple[list[dict[str, Any]], str]:
        now = planwarden.clock.now()
        query = RunQuery(
            tenant=tenant,
            agent=agent,
            tool=tool,
            deviation=_one_of(deviation, DEVIATION_KINDS, "--deviation"),
            status=_status(status),
            since=moment_option(since, now=now, option="--since"),
            until=moment_option(until, now=now, option="--until"),
            limit=limit,
        )
        if query == RunQuery(limit=limit):
            return run_rows(await planwarden.record.runs(limit=limit)), NO_RUNS
        return run_rows(await planwarden.record.found(query)), "no such runs"

    rows, nothing = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json(rows)
    else:
        show_runs(rows, nothing=nothing)


def _status(given: str | None) -> RunStatus | None:
    known: dict[str, RunStatus] = {each: each for each in get_args(RunStatus)}
    return None if given is None else known[_one_of(given, STATUSES, "--status") or ""]


def _one_of(given: str | None, known: tuple[str, ...], option: str) -> str | None:
    if given is None or given in known:
        return given
    raise InputError(f"{option} is none there is: {given!r}.", remedy=f"One of: {', '.join(known)}.")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(runs)
