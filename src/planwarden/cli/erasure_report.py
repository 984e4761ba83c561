"""What came of an erasure, for people and for programs."""

from __future__ import annotations

from typing import Any

from planwarden.app.archive.keeping import Erasure
from planwarden.audit.page.amounts import counted
from planwarden.cli.output import plain, print_json, say, tell

NOT_REACHED = (
    "not reached: backups and exported bundles, logs and traces, files that tools wrote or read, what other"
    " runs say of the same person"
)


def show_erasure(done: Erasure, *, as_json: bool, dry_run: bool = False) -> None:
    """Print what was erased, or would be; to stderr what was not."""
    if as_json:
        print_json(_as_json(done, dry_run=dry_run))
        return
    named = _named(done.named, done.runs)
    if not (done.runs or done.already or done.left or done.altered):
        say("no such run is in this journal: nothing to erase")
    elif dry_run:
        say(f"would erase what {counted(done.runs, 'run')} said{named}")
    else:
        plans = f", {counted(done.plans, 'remembered plan')}" if done.plans else ""
        say(f"erased what {counted(done.runs, 'run')} said: {done.payloads} payloads{plans}{named}")
    if done.already:
        say(f"{counted(done.already, 'run')} had been erased before")
    for line in _not_erased(done):
        tell(line)


def _not_erased(done: Erasure) -> list[str]:
    """Say what is left: runs that go on, quotes, copies, bytes, and what no command reaches."""
    lines: list[str] = []
    if done.left:
        first, named = plain(done.left_named[0]), _named(done.left_named, done.left)
        lines.append(
            f"[yellow]{counted(done.left, 'run')} did not end, or are damaged, and stay as they are[/]{named}"
            f": `planwarden cancel {first}`, or `planwarden resume {first}`"
        )
    if done.altered:
        first, named = plain(done.altered_named[0]), _named(done.altered_named, done.altered)
        lines.append(
            f"[yellow]the record of {counted(done.altered, 'run')} is not what was written, and stays[/]"
            f"{named}: erasing would hide that. Look at it with `planwarden dossier verify {first}`;"
            f" `planwarden journal erase {first}` erases it all the same, and puts that on record"
        )
    if done.unverified:
        lines.append(
            f"[yellow]the record of {counted(done.unverified, 'run')} was not what had been written[/]:"
            " that is on record now"
        )
    if done.told_in:
        lines.append(
            "[yellow]also quoted[/] as what was said before, in later runs of the same conversation"
            f"{_named(done.told_in, len(done.told_in))}: erase these too"
        )
    if done.not_wiped:
        lines.append(f"[yellow]not wiped yet[/]  {plain(done.not_wiped)}")
    if done.copies:
        lines.append(f"[yellow]copies that are not erased[/], delete them: {plain(', '.join(done.copies))}")
    if done.runs:
        lines.append(f"[dim]{NOT_REACHED}[/]")
    return lines


def _as_json(done: Erasure, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "runs": done.runs,
        "payloads": done.payloads,
        "plans": done.plans,
        "already": done.already,
        "not_over": done.left,
        "run_ids": done.named,
        "not_over_ids": done.left_named,
        "altered": done.altered,
        "altered_ids": done.altered_named,
        "unverified": done.unverified,
        "quoted_in": done.told_in,
        "copies": done.copies,
        "wiped": done.wiped,
        "not_wiped": done.not_wiped,
    }


def _named(run_ids: list[str], count: int) -> str:
    if not run_ids:
        return ""
    more = f" and {count - len(run_ids)} more" if count > len(run_ids) else ""
    return f" ({plain(', '.join(run_ids))}{more})"
