"""Commands over the record: dossier show, dossier verify."""

from __future__ import annotations

import typer

from planwarden.app import Planwarden
from planwarden.cli.dossier_show import show
from planwarden.cli.exits import Exit
from planwarden.cli.output import out, plain, print_json, stop, tell
from planwarden.cli.running import AsJson, RunId, with_planwarden
from planwarden.contracts.event import ChainFault

app = typer.Typer(help="The record of a run: show it, verify it.", no_args_is_help=True)


app.command()(show)


@app.command()
def verify(run_id: RunId, as_json: AsJson = False) -> None:
    """Recompute a run's hash chain from the stored bytes, and compare the exported dossier with it."""

    async def work(planwarden: Planwarden) -> tuple[tuple[ChainFault, ...], str | None, int | None]:
        faults = await planwarden.record.verify(run_id)
        if faults:
            return faults, None, None
        links = await (await planwarden.journal()).links(run_id)
        return faults, links[-1].hash, len(links)

    faults, head, events = with_planwarden(work, as_json=as_json)
    if as_json:
        told = [fault.model_dump(mode="json") for fault in faults]
        print_json({"run_id": run_id, "ok": not faults, "events": events, "head": head, "faults": told})
    elif faults:
        for fault in faults:
            place = f"event {fault.seq}: " if fault.seq is not None else ""
            tell(f"[bold red]altered[/]  {plain(place + fault.problem)}")
    else:
        out.print(f"[green]intact[/]  {run_id}: {events} events, head {head}", soft_wrap=True)
    stop(Exit.VERIFICATION_FAILED if faults else Exit.DONE)
