"""`Keeping`: how long the record says what was said: erasure of what runs said, and retention."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from stat import S_ISREG

from planwarden.app.archive.backups import ASIDE, BEFORE_UPGRADE
from planwarden.app.archive.record import Record
from planwarden.app.archive.scratch import left_in, sweep
from planwarden.audit.export import delete_dossier, dossier_path, write_dossier, write_tombstone
from planwarden.contracts.facts import ERASED, PayloadsErased
from planwarden.errors import LeaseHeld, RunErased, StoreCorrupt, StoreUnavailable
from planwarden.journal.erasure import Chosen, Selection
from planwarden.journal.sqlite.erasure import not_over
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.planning.memory.sqlite import SqliteMemory

PAGE = 200
"""Runs that are looked at together."""
NAMED = 20
"""Runs that are named in a report; all are counted."""
RETENTION = "planwarden journal retain"
"""Who erased, where time did."""

_EraseRun = Callable[[str], Awaitable[PayloadsErased]]


@dataclass(slots=True, kw_only=True)
class Erasure:
    """What came of erasing, or would."""

    runs: int = 0
    """Whose payloads were erased."""
    payloads: int = 0
    plans: int = 0
    """That these runs had taught, and that were forgotten."""
    already: int = 0
    """Runs that had been erased before."""
    left: int = 0
    """Runs that are not over, or whose own row is damaged, and were left as they are."""
    named: list[str] = field(default_factory=list[str])
    """The first of the runs that were erased."""
    left_named: list[str] = field(default_factory=list[str])
    altered: int = 0
    """Runs that were left because their record is not what was written: erasing would hide that."""
    altered_named: list[str] = field(default_factory=list[str])
    unverified: int = 0
    """Runs that were erased although it was not; that is on record now."""
    told_in: list[str] = field(default_factory=list[str])
    """Runs, not erased, of the same conversations: they quote what was said before in them."""
    copies: list[str] = field(default_factory=list[str])
    """What lies beside the journal and is not erased: what a restore put aside, what an upgrade backed up,
    and folders in which a backup is packed or unpacked."""
    wiped: bool = False
    """Whether files were written anew, so that no byte of it is left in free pages."""
    not_wiped: str = ""
    """Why that is still due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Erases what runs said: from the journal, the plan memory and the exported dossiers."""

    journal: Callable[[], Awaitable[SqliteJournal]]
    record: Record
    memory: SqliteMemory
    dossier_folder: Path
    home: Path
    traces: tuple[Path, ...] = ()
    """Files and folders of spans, which may hold what runs said."""

    async def erase(self, selection: Selection, *, by: str, reason: str, dry_run: bool = False) -> Erasure:
        """Erase what the chosen runs said; each run whole or not at all, and again without harm.

        Runs that are named have to be over, else nothing is erased; of those that are found by something
        else, the ones that are not over are left and counted. Where sound ones are meant, so are those
        whose record is not what was written; else that is put on record with the erasure.

        Raises:
            RunNotFound: one that is named is not there.
            RunNotOver: one that is named did not end, or a process is at work on it.
            StoreCorrupt: only sound runs are meant, and one was altered right now.
            StoreError: journal, memory or dossiers cannot be written; what was not erased stays whole.
        """
        journal, done = await self.journal(), Erasure()
        await self._require_over(journal, tuple(dict.fromkeys(selection.runs or ())))
        await self.record.bring_up_to_date()
        erase = partial(journal.erasure.erase, by=by, reason=reason, sound=selection.sound)
        told: dict[str, None] = {}
        place: int | None = 0
        while place is not None:
            place, page = await journal.erasure.choose(selection, place=place, limit=PAGE)
            meant = [run for run in page if run.erasable]
            _count(done, page)
            for run in meant:
                told.update(dict.fromkeys(await journal.erasure.told_in(run)))
            told = {each: None for each in told if each not in {run.run_id for run in meant}}
            if dry_run:
                _count_erased(done, meant)
            else:
                await self._erase(meant, erase, done)
        done.told_in = [each for each in told if (await journal.head(each)).last_kind != ERASED]
        if not dry_run:
            await asyncio.to_thread(sweep, self.home)
        done.copies = await asyncio.to_thread(_copies_in, self.home, self.traces)
        if not dry_run:
            await self._wipe(journal, done)
        return done

    async def finish(self) -> Erasure:
        """Wipe what an earlier erasure left to be wiped, and delete what a restore that was killed left.

        Raises:
            StoreError: the journal cannot be written.
        """
        done = Erasure()
        await asyncio.to_thread(sweep, self.home)
        done.copies = await asyncio.to_thread(_copies_in, self.home, self.traces)
        await self._wipe(await self.journal(), done)
        return done

    async def _require_over(self, journal: SqliteJournal, run_ids: tuple[str, ...]) -> None:
        for run_id in run_ids:
            await journal.head(run_id)  # it is there
        named = Selection(runs=run_ids)
        _, found = await journal.erasure.choose(named, place=0, limit=len(run_ids))
        if open_ones := [run.run_id for run in found if run.owned or not run.over]:
            raise not_over(open_ones)

    async def _erase(self, meant: list[Chosen], erase: _EraseRun, done: Erasure) -> None:
        """Erase a page of runs; the journal's own copy goes last, for by it the others are found."""
        by_tenant = sorted(meant, key=lambda run: run.tenant)
        for tenant, runs in groupby(by_tenant, key=lambda run: run.tenant):
            done.plans += await self.memory.forget_runs(tenant, [run.run_id for run in runs])
        for run in meant:
            exported = await asyncio.to_thread(dossier_path(self.dossier_folder, run.run_id).exists)
            await asyncio.to_thread(delete_dossier, self.dossier_folder, run.run_id)
            try:
                fact = await erase(run.run_id)
            except LeaseHeld:  # somebody took it, or went on with it, since it was chosen
                _count_left(done, [run.run_id])
                if exported:
                    await self._export_again(run.run_id)
                continue
            except RunErased:  # another process was faster
                done.already += 1
            else:
                _count_erased(done, [run])
                done.payloads += fact.payloads
                done.unverified += fact.verified is False
            tombstone = await self.record.tombstone(run.run_id)
            await asyncio.to_thread(write_tombstone, self.dossier_folder, tombstone)

    async def _export_again(self, run_id: str) -> None:
        """Write the dossier of a run that was not erased after all."""
        try:
            dossier = await self.record.dossier(run_id)
        except StoreCorrupt:
            return  # none can be made of it; `verify` says what is wrong
        await asyncio.to_thread(write_dossier, self.dossier_folder, dossier)

    async def _wipe(self, journal: SqliteJournal, done: Erasure) -> None:
        try:
            done.wiped = await journal.erasure.wipe()
        except StoreUnavailable as error:
            done.not_wiped = str(error)


def _copies_in(home: Path, traces: Iterable[Path]) -> list[str]:
    found = [*home.glob(f"*{ASIDE}*"), *home.glob(f"{BEFORE_UPGRADE}*"), *left_in(home)]
    for path in traces:
        found += [each for each in (path.glob("*") if path.is_dir() else [path]) if _says_something(each)]
    return sorted(str(path) for path in found)


def _says_something(path: Path) -> bool:
    """Say whether a file with something in it is there: exporters delete what they sent at any moment."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return S_ISREG(found.st_mode) and found.st_size > 0


def _count(done: Erasure, page: tuple[Chosen, ...]) -> None:
    """Count what is not meant to be erased, of runs that were looked at."""
    left = [run.run_id for run in page if not run.erased and not run.erasable and not run.altered]
    altered = [run.run_id for run in page if run.altered]
    done.already += sum(run.erased for run in page)
    _count_left(done, left)
    done.altered += len(altered)
    done.altered_named += altered[: NAMED - len(done.altered_named)]


def _count_left(done: Erasure, run_ids: list[str]) -> None:
    done.left += len(run_ids)
    done.left_named += run_ids[: NAMED - len(done.left_named)]


def _count_erased(done: Erasure, runs: list[Chosen]) -> None:
    done.runs += len(runs)
    done.named += [run.run_id for run in runs][: NAMED - len(done.named)]
