"""`dossier verify`: one run, the whole journal, or a bundle without any journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.status import Status

from planwarden.app import Planwarden
from planwarden.audit.anchor_file import KeptAnchors, anchors_to_compare
from planwarden.audit.page.amounts import counted
from planwarden.cli.exits import Exit
from planwarden.cli.output import err, out, plain, print_json, say, stop, tell
from planwarden.cli.running import with_planwarden
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import ChainFault
from planwarden.contracts.tombstone import Tombstone

AnchorFile = Annotated[
    Path | None,
    typer.Option("--anchors", metavar="FILE", help="Compare with the anchors that are kept in this file."),
]


@dataclass(slots=True)
class _Tally:
    """What was looked at, and every fault."""

    runs: int = 0
    events: int = 0
    anchors: int = 0
    faults: list[ChainFault] = field(default_factory=list[ChainFault])


def verify_run(run_id: str, anchors: Path | None, *, as_json: bool) -> None:
    """Examine one run."""

    async def work(
        planwarden: Planwarden,
    ) -> tuple[tuple[ChainFault, ...], Dossier | Tombstone | None, int | None]:
        faults = await planwarden.archive.verification.run(run_id, _kept(anchors))
        kept = None if faults else await planwarden.record.dossier_or_tombstone(run_id)
        whole = isinstance(kept, Dossier)
        return faults, kept, await planwarden.record.older_export(run_id) if whole else None

    faults, kept, older = with_planwarden(work, as_json=as_json)
    erased = _erasure(kept) if isinstance(kept, Tombstone) else None
    events, head = (len(kept.events), kept.head) if kept is not None else (None, None)
    if as_json:
        about = {"run_id": run_id, "ok": not faults, "events": events, "head": head}
        print_json({**about, "erased": erased, "older_export": older, "faults": told(faults)})
    elif faults:
        tell_faults(faults, but=run_id, remedy=IN_JOURNAL)
    else:
        said = f"; erased by {plain(erased['by'])} on {erased['at'][:10]}" if erased else ""
        said += ", when it was not what had been written" if erased and erased["verified"] is False else ""
        out.print(f"[green]intact[/]  {plain(run_id)}: {events} events, head {head}{said}", soft_wrap=True)
        if older is not None:
            say(f"older export: the exported file is that of the first {counted(older, 'event')}")
    stop(Exit.VERIFICATION_FAILED if faults else Exit.DONE)


def _erasure(tombstone: Tombstone) -> dict[str, Any]:
    """Say who erased what a run said, when and why."""
    return {
        "by": tombstone.erased_by,
        "at": tombstone.erased_at.isoformat(),
        "reason": tombstone.reason,
        "verified": tombstone.verified,
    }


def verify_all(anchors: Path | None, *, as_json: bool) -> None:
    """Examine the whole journal, saying how far it is where somebody watches."""

    async def work(planwarden: Planwarden) -> _Tally:
        tally = _Tally()
        with err.status("looking at the file") as status:
            async for looked in planwarden.archive.verification.everything(_kept(anchors)):
                tally.runs += looked.what == "run"
                tally.anchors += looked.what == "anchor"
                tally.events += looked.events
                tally.faults += looked.faults
                _show_progress(status, tally)
        return tally

    tally = with_planwarden(work, as_json=as_json)
    if as_json:
        counts = {"runs": tally.runs, "events": tally.events, "anchors": tally.anchors}
        print_json({"ok": not tally.faults, **counts, "faults": told(tally.faults)})
    elif tally.faults:
        tell_faults(tally.faults, remedy=IN_JOURNAL)
    else:
        said = f"{counted(tally.runs, 'run')}, {counted(tally.events, 'event')}"
        out.print(f"[green]intact[/]  {said}, {counted(tally.anchors, 'anchor')}", soft_wrap=True)
    stop(Exit.VERIFICATION_FAILED if tally.faults else Exit.DONE)


def _show_progress(status: Status, tally: _Tally) -> None:
    if tally.runs % 50 == 0:
        faults = f", {counted(len(tally.faults), 'fault')}" if tally.faults else ""
        status.update(f"{counted(tally.runs, 'run')} looked at{faults}")


def _kept(path: Path | None) -> KeptAnchors | None:
    return None if path is None else anchors_to_compare(path)


def told(faults: list[ChainFault] | tuple[ChainFault, ...]) -> list[dict[str, Any]]:
    """Give faults as JSON; those of no run in particular have `run_id` null."""
    return [{**fault.model_dump(mode="json"), "run_id": fault.run_id or None} for fault in faults]


def tell_faults(
    faults: list[ChainFault] | tuple[ChainFault, ...],
    *,
    but: str = "",
    word: str = "[bold red]altered[/]",
    remedy: str = "",
) -> None:
    """Say faults, a line for each, with the run where it is not the one asked about; then the remedy."""
    for fault in faults:
        run = f"{fault.run_id}: " if fault.run_id not in ("", but) else ""
        place = f"event {fault.seq}: " if fault.seq is not None else ""
        tell(f"{word}  {plain(run + place + fault.problem)}")
    if faults and remedy:
        tell(f"  [bold]what to do[/]  {remedy}")


IN_JOURNAL = (
    "Mend nothing. Copy PLANWARDEN_HOME as it is and keep the copy; then compare with a backup, and with"
    " anchors or a bundle that somebody else keeps (`--anchors FILE`, `--bundle FILE`): since when is it so?"
)
IN_BUNDLE = (
    "Rely on nothing in it. Keep the file, and ask whoever sent it for another export and for the fingerprint"
    " of their key, on another way than the file came."
)
