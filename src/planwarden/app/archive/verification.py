"""`Verification`: whether the record is what was written, of one run or of the whole journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from planwarden.app.archive.anchoring import Anchoring
from planwarden.app.archive.record import Record
from planwarden.audit.anchor_file import KeptAnchors, compared
from planwarden.audit.export import exported_runs
from planwarden.contracts.event import ChainFault
from planwarden.errors import RunNotFound, StoreCorrupt
from planwarden.journal.anchor import anchor_fault
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.journal.sqlite.survey import StoredId, is_text

PAGE = 200
MOST_LOST = 10_000
"""Of rows that belong to no run, so many lines are said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One thing that was looked at, and what is wrong with it."""

    what: Literal["run", "anchor", "rest"]
    events: int = 0
    faults: tuple[ChainFault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Compares everything that is kept with what it was when it was written."""

    journal: Callable[[], Awaitable[SqliteJournal]]
    """Opens it when first needed."""
    record: Record
    anchoring: Anchoring
    dossier_folder: Path

    async def run(self, run_id: str, kept: KeptAnchors | None = None) -> tuple[ChainFault, ...]:
        """Examine one run: its chain, payloads, row, file, snapshots, and every anchor that took it in.

        Raises:
            RunNotFound: no such run, and no anchor took one in.
        """
        anchors = (await self.journal()).anchors
        try:
            found = list(await self.run_itself(run_id))
        except RunNotFound:
            found = list(await anchors.run_faults(run_id)) if is_text(run_id) else []
            if not found:
                raise
        for number in dict.fromkeys(each.anchor for each in await anchors.taken_in(run_id)):
            found += (fault for fault in await anchors.faults(number) if fault.run_id in ("", run_id))
        if kept is not None:
            found += await self._elsewhere(kept)
        return tuple(dict.fromkeys(found))

    async def run_itself(self, run_id: str) -> tuple[ChainFault, ...]:
        """Examine one run without looking at the anchors as a whole.

        Raises:
            RunNotFound: no such run.
        """
        journal = await self.journal()
        return (
            *await self.record.verify(run_id),
            *await journal.survey.missing_snapshots(run_id),
            *await journal.anchors.run_faults(run_id),
        )

    async def everything(self, kept: KeptAnchors | None = None) -> AsyncGenerator[Looked]:
        """Examine the whole journal, a page of runs held at a time; `kept` are anchors kept elsewhere."""
        journal = await self.journal()
        damage = await journal.damage()
        sound = () if damage is None else (anchor_fault(f"SQLite finds the file damaged: {damage}"),)
        yield Looked(what="rest", faults=sound)
        place = 0
        while page := await journal.survey.ids_after(place, limit=PAGE):
            for stored in page:
                yield await self._stored_run(stored)
            place = page[-1].place
        yield Looked(what="rest", faults=await journal.survey.lost_rows(limit=MOST_LOST))
        yield Looked(what="rest", faults=await journal.survey.snapshot_faults())
        async for faults in self._files():
            yield Looked(what="rest", faults=faults)
        place = -(2**63)
        while numbers := await journal.anchors.numbers(place, limit=PAGE):
            for number in numbers:
                yield Looked(what="anchor", faults=await journal.anchors.faults(number))
            place = numbers[-1]
        if kept is not None:
            yield Looked(what="rest", faults=await self._elsewhere(kept))

    async def _stored_run(self, stored: StoredId) -> Looked:
        if stored.run_id is None:
            problem = f"the row of run number {stored.place} has an id that is not text"
            return Looked(what="run", faults=(anchor_fault(problem),))
        try:
            faults = await self.run_itself(stored.run_id)
            events = 0 if faults else (await (await self.journal()).head(stored.run_id)).last_seq
        except (RunNotFound, StoreCorrupt) as error:
            return Looked(what="run", faults=(anchor_fault(error.message, run_id=stored.run_id),))
        return Looked(what="run", events=events, faults=faults)

    async def _files(self) -> AsyncGenerator[tuple[ChainFault, ...]]:
        """Find exported dossiers of runs that are not there; those that are were compared with their runs."""
        survey = (await self.journal()).survey
        files = exported_runs(self.dossier_folder)
        while page := await asyncio.to_thread(list[str], islice(files, PAGE)):
            for run_id in page:
                if not is_text(run_id) or not await survey.has_run(run_id):
                    problem = f"there is an exported file {run_id}.json of a run that is not here"
                    yield (anchor_fault(problem, run_id=run_id),)

    async def _elsewhere(self, kept: KeptAnchors) -> tuple[ChainFault, ...]:
        try:
            ours = await self.anchoring.all()
        except StoreCorrupt as error:
            return (*kept.faults, anchor_fault(error.message))
        return (*kept.faults, *compared(kept, ours))
