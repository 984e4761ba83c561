"""Bundles of runs: dossier export, import, key, and verify --bundle."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planwarden.app import Planwarden
from planwarden.app.system import VERSION
from planwarden.audit.page.amounts import counted
from planwarden.cli.exits import Exit
from planwarden.cli.moment import moment_option
from planwarden.cli.output import err, fail, out, plain, print_json, say, stop, tell
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.cli.verifying import IN_BUNDLE, tell_faults, told
from planwarden.contracts.event import ChainFault
from planwarden.errors import InputError, PlanwardenError

if TYPE_CHECKING:
    from planwarden.app.archive.bundles import Exported, Imported
    from planwarden.audit.anchor_file import KeptAnchors
    from planwarden.audit.bundle.keys import PublicKey
    from planwarden.audit.bundle.reading import Bundle
    from planwarden.audit.bundle.withholding import Redacted

Pin = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="Trust only this key: its fingerprint, or a file with the public key.",
    ),
]


class Redaction(StrEnum):
    """What is left out of a bundle."""

    none = "none"
    content = "content"
    personal = "personal"


def export(
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", help="The new file.")],
    run_ids: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Run ids.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run of the journal.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="Runs begun since: 7d, 12h, or a date or time."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Runs begun before; like --since.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Runs of this tenant.")] = None,
    redact: Annotated[
        Redaction,
        typer.Option(
            "--redact",
            help="content: leave out all that was said; personal: leave out what holds something that looks "
            "like personal data; digests stay. none: everything goes in as it is stored.",
        ),
    ] = Redaction.none,
    as_json: AsJson = False,
) -> None:
    """Write runs to one signed file that verifies without this journal; what is erased stays erased."""

    async def work(planwarden: Planwarden) -> Exported:
        from planwarden.journal.sqlite.transfer import RunChoice  # noqa: PLC0415 - heavy

        chosen = (since, until, tenant) != (None, None, None)
        if (bool(run_ids), every, chosen).count(True) != 1:
            raise InputError(
                "Say which runs: their ids, or --all, or --since, --until and --tenant.",
                remedy="For example `planwarden dossier export --all --out runs.tar`.",
            )
        now = planwarden.clock.now()
        choice = RunChoice(
            tenant=tenant,
            since=moment_option(since, now=now, option="--since"),
            until=moment_option(until, now=now, option="--until"),
        )
        redaction = None if redact is Redaction.none else redact.value
        return await planwarden.archive.bundles.export(out_file, run_ids or choice, redaction)

    with err.status("writing the bundle"):
        done = with_planwarden(work, as_json=as_json)
    size = out_file.stat().st_size
    if as_json:
        about = {"file": str(out_file), "runs": done.runs, "bytes": size, "key": done.key.fingerprint}
        print_json({**about, "redacted": redact.value, "withheld": done.withheld})
    else:
        say(plain(f"{counted(done.runs, 'run')} in {out_file}, {size} bytes"))
        if redact is not Redaction.none:
            withheld = f"{counted(done.withheld, 'payload')} withheld, their digests stay"
            found = withheld if done.withheld else "nothing was found to withhold"
            say(f"redacted ({redact.value}): {found}")
        say(f"signed by key {done.key.fingerprint}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle.")],
    key: Pin = None,
    as_json: AsJson = False,
) -> None:
    """Take the runs of a bundle into this journal, to be read; nothing of an altered bundle is taken in."""

    async def work(planwarden: Planwarden) -> Imported:
        return await planwarden.archive.bundles.import_from(file, pin=_pinned(key))

    done = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json(
            {
                "imported": done.new,
                "there_already": done.there,
                "refused": done.refused,
                "key": done.fingerprint,
                "pinned": key is not None,
            }
        )
    else:
        say(f"imported {counted(len(done.new), 'run')}, {len(done.there)} there already")
        say(plain(_signed_by(done.fingerprint, pinned=key is not None)))
        for run_id in done.refused:
            tell(
                plain(f"refused  {run_id}: here is a run of that id with another chain; nothing was written")
            )
    stop(Exit.BAD_INPUT if done.refused else Exit.DONE)


def key_(as_json: AsJson = False) -> None:
    """Show the public key that this home signs bundles with, and its fingerprint; made on first use."""

    async def work(planwarden: Planwarden) -> PublicKey:
        return await planwarden.archive.bundles.key()

    key = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json({"fingerprint": key.fingerprint, "public_key": key.pem})
    else:
        tell(f"fingerprint {key.fingerprint}")
        say(key.pem.rstrip("\n"))


@dataclass(slots=True)
class _Tally:
    fingerprint: str = ""
    redaction: Redacted | None = None
    version: str = ""
    runs: int = 0
    events: int = 0
    anchored: int = 0
    anchors: int = 0
    faults: list[ChainFault] = field(default_factory=list[ChainFault])
    doubts: list[ChainFault] = field(default_factory=list[ChainFault])
    other_key: tuple[ChainFault, ...] = ()
    """That it is signed by another key than the one pinned: nothing is altered, and nothing vouched for."""

    @property
    def ok(self) -> bool:
        """Whether all is as it was written, by whom it should be."""
        return not (self.faults or self.other_key)


def verify_bundle(path: Path, anchors: Path | None, key: str | None, *, as_json: bool) -> None:
    """Examine a bundle; opens neither a journal nor a home."""
    try:
        pin = _pinned(key)
        with err.status("looking at the bundle"):
            tally = _looked_at(path, anchors, pin)
    except PlanwardenError as error:
        fail(error, as_json=as_json)
    if as_json:
        print_json(
            {
                "ok": tally.ok,
                "key": tally.fingerprint,
                "pinned": pin is not None,
                "planwarden_version": tally.version,
                "runs": tally.runs,
                "events": tally.events,
                "anchors": tally.anchors,
                "anchored_runs": tally.anchored,
                "redacted": tally.redaction.told() if tally.redaction else None,
                "faults": told([*tally.faults, *tally.other_key]),
                "not_vouched_for": told(tally.doubts),
            }
        )
    else:
        tell_faults(tally.faults, remedy=IN_BUNDLE)
        tell_faults(tally.other_key, word="[bold red]not by your key[/]")
        tell_faults(tally.doubts, word="[bold yellow]not vouched for[/]")
        if tally.ok:
            said = f"{counted(tally.runs, 'run')}, {counted(tally.events, 'event')}"
            of_those = "in an anchor" if anchors is None else "in an anchor that you keep"
            out.print(f"[green]intact[/]  {said}; {tally.anchored} {of_those}", soft_wrap=True)
            if tally.redaction is not None:
                left = f"{tally.redaction.withheld} of {counted(tally.events, 'payload')} withheld"
                say(f"redacted ({tally.redaction.kind}): {left}; their digests stay in the chain")
            say(plain(_signed_by(tally.fingerprint, pinned=pin is not None)))
    stop(Exit.DONE if tally.ok else Exit.VERIFICATION_FAILED)


def _looked_at(path: Path, anchors: Path | None, pin: str | None) -> _Tally:
    from planwarden.audit.anchor_file import anchors_to_compare, compared  # noqa: PLC0415 - heavy
    from planwarden.audit.bundle.reading import open_bundle  # noqa: PLC0415 - heavy

    kept = None if anchors is None else anchors_to_compare(anchors)
    with open_bundle(path, version=VERSION) as bundle:
        signed = bundle.opened.signed
        tally = _Tally(
            fingerprint=bundle.opened.fingerprint,
            version=signed.planwarden_version,
            redaction=signed.redaction,
        )
        _count_runs(bundle, tally, kept)
        if kept is not None:
            newest = max(bundle.anchors, default=0)
            since = tuple(anchor for anchor in kept.anchors if anchor.number <= newest)
            tally.faults += (*kept.faults, *compared(kept.only(since), tuple(bundle.anchors.values())))
    if pin is not None and pin != tally.fingerprint:
        problem = f"it is signed by key {tally.fingerprint}, not by {pin}"
        tally.other_key = (ChainFault(run_id="", seq=None, problem=problem),)
    return tally


def _count_runs(bundle: Bundle, tally: _Tally, kept: KeptAnchors | None) -> None:
    from planwarden.audit.bundle.coverage import KeptCoverage  # noqa: PLC0415 - heavy

    coverage: KeptCoverage | None = None
    for found in bundle.runs():
        tally.runs += 1
        tally.events += len(found.run.links)
        tally.faults += found.faults
        if kept is None:
            tally.anchored += bool(found.proofs)
        elif found.run.links:
            coverage = coverage or KeptCoverage.of(kept, bundle.anchors.keys())
            tally.anchored += coverage.vouches(found.run, found.proofs)
            tally.faults += coverage.faults(found.run, found.proofs)
            tally.doubts += coverage.doubts(found.run, found.proofs)
    tally.faults += bundle.faults
    tally.anchors = len(bundle.anchors)


def _signed_by(fingerprint: str, *, pinned: bool) -> str:
    if pinned:
        return f"signed by key {fingerprint}, the one you gave"
    return f"signed by key {fingerprint}, which you have not pinned: give --key once you know whose it is"


def _pinned(key: str | None) -> str | None:
    from planwarden.audit.bundle.keys import pinned  # noqa: PLC0415 - heavy

    return None if key is None else pinned(key)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(export)
    app.command("import")(import_)
    app.command("key")(key_)
