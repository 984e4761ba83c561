"""Another process on the same journal: run as a script by the tests, which also borrow its clock and ids."""

from __future__ import annotations

import asyncio
import secrets
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from planwarden.contracts.facts import Fact, StepFailed
from planwarden.errors import LeaseHeld, LeaseLost, StoreError
from planwarden.journal.owner import is_dead, this_process
from planwarden.journal.port import Lease
from planwarden.journal.sqlite import SqliteJournal

LEASE_S = 3600.0
"""So long that no lease runs out by itself while a test runs."""


@dataclass(frozen=True)
class WallClock:
    """The real time, moved by an offset."""

    offset: timedelta = field(default=timedelta())

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        return self.now().timestamp()


class RandomIds:
    def run_id(self) -> str:
        return secrets.token_hex(4)

    def nonce(self) -> str:
        return secrets.token_hex(16)


HERE = this_process(secrets.token_hex(4))


async def open_journal(path: Path, *, later_s: float = 0, read_only: bool = False) -> SqliteJournal:
    """Open a journal as this process, whose clock may be ahead of the others'."""
    return await SqliteJournal.open(
        path,
        WallClock(timedelta(seconds=later_s)),
        RandomIds(),
        lease_s=LEASE_S,
        is_dead=lambda owner: is_dead(owner, HERE),
        read_only=read_only,
    )


def said(words: str) -> Fact:
    return StepFailed(step="s1", code="said", message=words)


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def write_forever(journal: SqliteJournal, lease: Lease) -> None:
    """Append three facts at a time, and say so each time it is acknowledged."""
    number = 0
    while True:
        await journal.append(lease, [said(f"{number}{part}") for part in "abc"])
        say(str(number))
        number += 1


async def hold(journal: SqliteJournal, lease: Lease) -> None:
    """Wait for a line, then try to write."""
    say("holding")
    sys.stdin.readline()
    try:
        await journal.append(lease, [said("from the old owner")])
    except LeaseLost:
        say("lost")
    else:
        say("written")


async def contend(journal: SqliteJournal) -> None:
    """At each line, try to get the run that it names."""
    say("ready")
    while run_id := sys.stdin.readline().strip():
        try:
            lease = await journal.acquire(run_id, HERE)
        except LeaseHeld:
            say("held")
        else:
            say(f"won {lease.epoch}")


async def look(path: Path) -> None:
    """Say what can be read of the run `r1` without writing, or why it cannot."""
    try:
        journal = await open_journal(path, read_only=True)
    except StoreError as error:
        say(f"{error.code}: {error}")
        return
    say(f"{len(await journal.read('r1'))} events, {len(await journal.verify('r1'))} faults")
    await journal.aclose()


async def main(what: str, path: Path) -> None:
    if what == "look":
        await look(path)
        return
    try:
        journal = await open_journal(path)
    except StoreError as error:
        say(f"{error.code}: {error}")
        return
    if what == "contend":
        await contend(journal)
    else:
        lease, _ = await journal.create("r1", "default", HERE, [said("begun")])
        await (write_forever if what == "write" else hold)(journal, lease)
    await journal.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
