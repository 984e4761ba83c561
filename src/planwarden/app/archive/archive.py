"""`Archive`: the rooms in which the record is looked after, put together over one journal and one memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from planwarden.app.archive.anchoring import Anchoring
from planwarden.app.archive.backups import Backups
from planwarden.app.archive.bundles import Bundles
from planwarden.app.archive.keeping import Keeping
from planwarden.app.archive.record import Record
from planwarden.app.archive.verification import Verification
from planwarden.app.system import VERSION
from planwarden.configuration.settings import Settings
from planwarden.contracts.clock import Clock
from planwarden.journal.owner import is_dead
from planwarden.journal.port import Owner
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.planning.memory.sqlite import SqliteMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Everything that is done with runs that are in the journal already."""

    record: Record
    """Dossiers, search and totals."""
    anchoring: Anchoring
    """Anchors over all runs, to be kept where nobody who writes here can write."""
    verification: Verification
    """Whether the record is what was written."""
    bundles: Bundles
    """Runs as one signed file, out of this journal and into it."""
    keeping: Keeping
    """Erasure of what runs said, and retention."""
    backups: Backups
    """Backup, restore and upgrade of the journal and the plan memory."""


def open_archive(
    settings: Settings,
    journal: Callable[[], Awaitable[SqliteJournal]],
    memory: SqliteMemory,
    clock: Clock,
    owner: Owner,
) -> Archive:
    """Put the rooms together; the journal is opened when the first of them needs it.

    Args:
        settings: where everything is.
        journal: opens it.
        memory: the plans that runs taught.
        clock: the time.
        owner: this process.
    """
    folder = settings.dossier_folder
    record = Record(journal=journal, dossier_folder=folder)
    anchoring = Anchoring(journal=journal, clock=clock)
    return Archive(
        record=record,
        anchoring=anchoring,
        verification=Verification(journal=journal, record=record, anchoring=anchoring, dossier_folder=folder),
        bundles=Bundles(journal=journal, anchoring=anchoring, key_file=settings.signing_key_file),
        keeping=Keeping(
            journal=journal,
            record=record,
            memory=memory,
            dossier_folder=folder,
            home=settings.planwarden_home,
            traces=(settings.traces_file, settings.spool_folder),
        ),
        backups=Backups(
            journal_path=settings.journal_path,
            memory_path=settings.memory_path,
            version=VERSION,
            clock=clock,
            is_dead=partial(is_dead, here=owner),
        ),
    )
