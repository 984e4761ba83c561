"""`Anchoring`: anchors over all runs, made daily or when asked for, and kept in a file elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from planwarden.audit.anchor_file import KeptAnchors, append_anchors, compared, read_anchor_file
from planwarden.contracts.clock import Clock
from planwarden.errors import StoreCorrupt
from planwarden.journal.anchor import Anchor
from planwarden.journal.sqlite.journal import SqliteJournal

PAGE = 200
_RESTORED = (
    "If you put an older journal back with `planwarden journal restore --force`, keep this file as it is, and"
    " start a new one: give --to a file that is not there yet."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """Anchors of one journal."""

    journal: Callable[[], Awaitable[SqliteJournal]]
    """Opens it when first needed."""
    clock: Clock

    async def daily(self) -> Anchor | None:
        """Make the anchor of this day in UTC where there is none yet.

        Raises:
            StoreError: the journal cannot be used.
        """
        return await (await self.journal()).anchors.make_daily(self.clock.now())

    async def make(self) -> Anchor | None:
        """Take in every run that grew since the last anchor; None when none did.

        Raises:
            StoreError: the journal cannot be used.
        """
        return await (await self.journal()).anchors.make(self.clock.now())

    async def all(self) -> tuple[Anchor, ...]:
        """Give all anchors, oldest first: one a day.

        Raises:
            StoreCorrupt: one cannot be read back.
        """
        anchors, found = (await self.journal()).anchors, list[Anchor]()
        while page := await anchors.after(found[-1].number if found else 0, limit=PAGE):
            found += page
        return tuple(found)

    async def keep_in(self, path: Path) -> int:
        """Add the anchors that a file lacks, also the rest of a line that was cut; gives how many they were.

        Raises:
            InputError: the file cannot be read.
            StoreCorrupt: it holds what this journal does not have, or is damaged; nothing was written.
            StoreUnavailable: it cannot be written.
        """
        there = await asyncio.to_thread(path.exists)
        kept = await asyncio.to_thread(read_anchor_file, path) if there else KeptAnchors(path=path)
        ours = await self.all()
        last = kept.anchors[-1].number if kept.anchors else 0
        missing = tuple(anchor for anchor in ours if anchor.number > last)
        goes_on = bool(missing) and missing[0].line().startswith(kept.torn)
        damage = kept.line_faults if goes_on else kept.faults
        faults = (*damage, *compared(kept, ours))
        if faults:
            see = "Nothing was written. See all with `planwarden dossier verify --all --anchors FILE`."
            raise StoreCorrupt(
                f"The anchors kept in {path} are not those of this journal: {faults[0].problem}.",
                remedy=see if damage else f"{see} {_RESTORED}",
            )
        if missing:
            await asyncio.to_thread(append_anchors, path, missing, begun=kept.torn)
        return len(missing)
