"""`Record`: everything that is asked of the journal as a whole or of a run that is there already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from planwarden.app.archive.tally import Tally
from planwarden.audit.dossier import build_dossier
from planwarden.audit.export import (
    file_faults,
    older_export,
    tombstone_faults,
    write_dossier,
    write_tombstone,
)
from planwarden.audit.metrics.totals import Totals
from planwarden.audit.tombstone import build_tombstone
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import ChainFault
from planwarden.contracts.facts import ERASED
from planwarden.contracts.fold import fold
from planwarden.contracts.run import RunState
from planwarden.contracts.summary import RunSummary, summarise
from planwarden.contracts.tombstone import Tombstone
from planwarden.errors import RunErased, StoreCorrupt
from planwarden.journal.index import RunQuery, Unreadable
from planwarden.journal.port import Journal, RunHead
from planwarden.journal.sqlite.journal import SqliteJournal

PAGE = 200
"""Runs that are held at a time while all of them are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Dossiers, verification, search and totals over one journal."""

    journal: Callable[[], Awaitable[SqliteJournal]]
    """Opens it when first needed."""
    dossier_folder: Path

    async def runs(
        self, *, limit: int = 50, conversation: str | None = None
    ) -> tuple[tuple[RunHead, RunState | StoreCorrupt | RunErased], ...]:
        """Give the newest runs, newest first; in place of a damaged one's state, what is wrong with it."""
        return await self._with_states(
            await (await self.journal()).heads(limit=limit, conversation=conversation)
        )

    async def found(self, query: RunQuery) -> tuple[tuple[RunHead, RunState | StoreCorrupt | RunErased], ...]:
        """Find runs as `search` does, each with its head and state."""
        summaries, journal = await self.search(query), await self.journal()
        return await self._with_states([await journal.head(summary.run_id) for summary in summaries])

    async def search(self, query: RunQuery) -> tuple[RunSummary, ...]:
        """Find runs, newest first, after bringing the index up to date; damaged ones are not found.

        Raises:
            StoreError: the journal or its index cannot be used.
        """
        await self.bring_up_to_date()
        return await (await self.journal()).index.search(query)

    async def _with_states(
        self, heads: Sequence[RunHead]
    ) -> tuple[tuple[RunHead, RunState | StoreCorrupt | RunErased], ...]:
        journal = await self.journal()
        return tuple([(head, await _state_or_damage(journal, head.run_id)) for head in heads])

    async def summaries(self) -> AsyncGenerator[RunSummary | Unreadable]:
        """Give every run in names and numbers, oldest first, a page held at a time.

        Raises:
            StoreError: the journal or its index cannot be used.
        """
        await self.bring_up_to_date()
        journal, place = await self.journal(), 0
        while page := await journal.index.after(place, limit=PAGE):
            for _, summary in page:
                yield summary
            place = page[-1][0]

    async def bring_up_to_date(self) -> int:
        """Summarise the runs that went on since they were summarised last; unreadable ones as such.

        Each once: a run that goes on meanwhile is taken in next time. Gives how many there were.

        Raises:
            StoreError: the journal cannot be used.
        """
        journal, place, count = await self.journal(), 0, 0
        while due := await journal.index.due(place, limit=PAGE):
            await journal.index.put([await _summary(journal, run_id, seq) for _, run_id, seq in due])
            place = due[-1][0]
            count += len(due)
        return count

    async def reindex(self) -> int:
        """Make the index anew from the runs; gives how many there are.

        Raises:
            StoreError: the journal cannot be used.
        """
        await (await self.journal()).index.forget()
        return await self.bring_up_to_date()

    def tally(self) -> Tally:
        """Begin to add up all runs, to be looked at again and again."""
        return Tally(self.journal, self.bring_up_to_date)

    async def metrics(self) -> Totals:
        """Add up every run that was begun in this journal; damaged ones are only counted.

        Raises:
            StoreError: the journal or its index cannot be used.
        """
        return await self.tally().look()

    async def dossier(self, run_id: str) -> Dossier:
        """Build a run's dossier from its journal.

        Raises:
            RunNotFound: no such run.
            StoreCorrupt: its record cannot be read back.
        """
        journal = await self.journal()
        return build_dossier(await journal.read(run_id), await journal.links(run_id))

    async def export(self, dossier: Dossier) -> Path:
        """Write a dossier to its file; its tombstone, if the run was erased while that was done.

        Raises:
            StoreUnavailable: the folder cannot be written.
        """
        path = await asyncio.to_thread(write_dossier, self.dossier_folder, dossier)
        if (await (await self.journal()).head(dossier.run_id)).last_kind == ERASED:
            tombstone = await self.tombstone(dossier.run_id)
            path = await asyncio.to_thread(write_tombstone, self.dossier_folder, tombstone)
        return path

    async def dossier_or_tombstone(self, run_id: str) -> Dossier | Tombstone:
        """Build a run's dossier, or what stands in its place once its payloads are erased.

        Raises:
            RunNotFound: no such run.
            StoreCorrupt: its record cannot be read back.
        """
        try:
            return await self.dossier(run_id)
        except RunErased:
            return await self.tombstone(run_id)

    async def tombstone(self, run_id: str) -> Tombstone:
        """Build what is left of an erased run.

        Raises:
            RunNotFound: no such run.
            InputError: it was not erased.
            StoreCorrupt: its record cannot be read back.
        """
        erasure = (await self.journal()).erasure
        links, erased = await erasure.last_words(run_id)
        return build_tombstone(links, erased, await erasure.kept_summary(run_id))

    async def verify(self, run_id: str) -> tuple[ChainFault, ...]:
        """Find every place where a run's record is not what was written: chain, payloads, exported file.

        A file that was exported before the run went on to its end is none: `older_export` tells of it.
        Of an erased run, also its summary: it is all that is left of what it did.
        """
        journal = await self.journal()
        faults = await journal.verify(run_id)
        if faults:
            return faults
        try:
            kept = await self.dossier_or_tombstone(run_id)
        except StoreCorrupt as error:
            return (ChainFault(run_id=run_id, seq=None, problem=error.message),)
        if isinstance(kept, Tombstone):
            faults = await journal.erasure.summary_faults(run_id)
            return faults or await asyncio.to_thread(tombstone_faults, self.dossier_folder, kept)
        faults = await asyncio.to_thread(file_faults, self.dossier_folder, kept)
        return () if faults and await self.older_export(run_id) else faults

    async def older_export(self, run_id: str) -> int | None:
        """Say of how many of a run's first events the exported file is; None: of all, or of none.

        Raises:
            RunNotFound: no such run.
            StoreCorrupt: its record cannot be read back.
            StoreUnavailable: the file cannot be read.
        """
        journal = await self.journal()
        events, links = await journal.read(run_id), await journal.links(run_id)
        return await asyncio.to_thread(older_export, self.dossier_folder, run_id, events, links)


async def _state_or_damage(journal: Journal, run_id: str) -> RunState | StoreCorrupt | RunErased:
    try:
        return fold(await journal.read(run_id))
    except (StoreCorrupt, RunErased) as nothing:
        return nothing


async def _summary(journal: Journal, run_id: str, seq: int) -> RunSummary | Unreadable:
    try:
        return summarise(await journal.read(run_id))
    except (StoreCorrupt, RunErased):
        return Unreadable(run_id=run_id, seq=seq)
