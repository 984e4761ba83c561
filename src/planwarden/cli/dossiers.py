"""Commands over the record: dossier show, dossier verify."""

from __future__ import annotations

import typer

from planwarden.app import Planwarden
from planwarden.cli.dossier_show import show
from planwarden.cli.exits import Exit
from planwarden.cli.output import out, plain, print_json, stop, tell
from planwarden.cli.running import AsJson, RunId, with_planwarden
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import ChainFault
from planwarden.contracts.tombstone import Tombstone

app = typer.Typer(help="The record of a run: show it, verify it.", no_args_is_help=True)


app.command()(show)


@app.command()
def verify(run_id: RunId, as_json: AsJson = False) -> None:
    """Recompute a run's hash chain from the stored bytes, and compare the exported dossier with it."""

    async def work(planwarden: Planwarden) -> tuple[tuple[ChainFault, ...], Dossier | Tombstone | None]:
        faults = await planwarden.record.verify(run_id)
        if faults:
            return faults, None
        return faults, await planwarden.record.dossier_or_tombstone(run_id)

    faults, kept = with_planwarden(work, as_json=as_json)
    erased = _erasure(kept) if isinstance(kept, Tombstone) else None
    events, head = (len(kept.events), kept.head) if kept is not None else (None, None)
    if as_json:
        told = [fault.model_dump(mode="json") for fault in faults]
        about = {"run_id": run_id, "ok": not faults, "events": events, "head": head}
        print_json({**about, "erased": erased, "faults": told})
    elif faults:
        for fault in faults:
            place = f"event {fault.seq}: " if fault.seq is not None else ""
            tell(f"[bold red]altered[/]  {plain(place + fault.problem)}")
    else:
        said = f"; erased by {plain(erased['by'])} on {erased['at'][:10]}" if erased else ""
        out.print(f"[green]intact[/]  {run_id}: {events} events, head {head}{said}", soft_wrap=True)
    stop(Exit.VERIFICATION_FAILED if faults else Exit.DONE)


def _erasure(tombstone: Tombstone) -> dict[str, str]:
    """Say who erased what a run said, when and why."""
    return {
        "by": tombstone.erased_by,
        "at": tombstone.erased_at.isoformat(),
        "reason": tombstone.reason,
    }
