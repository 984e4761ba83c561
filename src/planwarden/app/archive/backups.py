"""`Backups`: the store as one file and back, and its upgrade. This process must not have it open."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from planwarden.app.archive.scratch import scratch
from planwarden.contracts.clock import Clock
from planwarden.errors import (
    BackupRefused,
    InputError,
    LeaseHeld,
    StoreCorrupt,
    StoreUnavailable,
    StoreVersionMismatch,
)
from planwarden.journal.backup import replacing
from planwarden.journal.backup.archive import check_archive, file_digest, read_archive, write_archive
from planwarden.journal.backup.copying import (
    bring_up_to_date,
    copy_database,
    journal_facts,
    stored_version,
)
from planwarden.journal.backup.manifest import JOURNAL, MEMORY, BackupManifest, StoredFile
from planwarden.journal.leasing import IsDead
from planwarden.journal.sqlite.file import open_for_writing
from planwarden.journal.sqlite.schema import SCHEMA_VERSION
from planwarden.journal.sqlite.wiping import is_due
from planwarden.planning.memory.carrying import carry_forgotten

ASIDE = ".before-restore-"
"""What stands between the name of a file and a moment, in the name of one that a restore replaced."""


BEFORE_UPGRADE = "before-upgrade-v"
"""How the name of a backup begins that an upgrade took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """A backup that was written and read back."""

    path: Path
    size: int
    manifest: BackupManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A backup that took the place of what was there."""

    manifest: BackupManifest
    aside: tuple[Path, ...]
    """What was there before, under its new names."""
    lost: int
    """Runs that were there, and that the backup has less of."""
    erased_again: int
    """Runs that had been erased since the backup, and are erased in it now."""
    forgotten_again: int
    """Remembered plans, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """A journal that was brought up to date, or was already."""

    before: int
    after: int
    backup: Path | None
    """None where there was nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backups:
    """Backup, restore and upgrade of the journal and the plan memory in one folder."""

    journal_path: Path
    memory_path: Path
    version: str
    clock: Clock
    is_dead: IsDead

    async def backup(self, target: Path) -> BackedUp:
        """Write journal and memory into one new file, as of one moment each, and check what was written.

        Runs may go on meanwhile. A folder gets a file that is named by the moment.

        Raises:
            InputError: there is no journal, or the file exists.
            StoreError: something cannot be read or written, or is damaged; then there is no file.
        """
        return await asyncio.to_thread(self._backup, target)

    async def restore(self, source: Path, *, force: bool = False) -> Restored:
        """Put a backup in the place of journal and memory, which stay aside under another name.

        What was erased or forgotten since the backup is erased and forgotten in it too.

        Raises:
            BackupRefused: it is not a whole backup; or runs would be lost, without `force`.
            LeaseHeld: another process is at work on the journal.
            StoreError: something cannot be read or written; what was there stays.
        """
        return await asyncio.to_thread(self._restore, source, force)

    async def upgrade(self, backup: Path | None = None) -> Upgraded:
        """Bring a journal of an older schema up to date, after a backup of it.

        Raises:
            InputError: there is no journal.
            StoreError: it cannot be used; it stays as it was.
        """
        return await asyncio.to_thread(self._upgrade, backup)

    # ---- inside ------------------------------------------------------------------------------------------

    def _backup(self, target: Path) -> BackedUp:
        if stored_version(self.journal_path) is None:
            raise self._no_journal()
        path = target / f"planwarden-{_stamp(self.clock.now())}.zip" if target.is_dir() else target
        if path.exists():
            raise InputError(f"{path} exists.", remedy="Name a file that does not, or a folder.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with scratch(path.parent, path.name) as folder:
                manifest = self._copies(folder)
                written = folder / "backup"
                files = {stored.name: folder / stored.name for stored in manifest.files}
                write_archive(written, manifest, files)
                check_archive(written)
                os.link(written, path)
                replacing.flush_folder(path.parent)
        except OSError as error:
            raise StoreUnavailable(
                f"The backup {path} cannot be written: {error.strerror or error}.",
                remedy="No file was left. Free some space or mend the permissions, or name another place.",
            ) from error
        return BackedUp(path=path, size=path.stat().st_size, manifest=manifest)

    def _copies(self, folder: Path) -> BackupManifest:
        """Copy memory and journal into a folder, and say what they are."""
        unwiped = is_due(self.journal_path)
        if self.memory_path.exists():
            copy_database(self.memory_path, folder / MEMORY, "memory", anew=False)
        copy_database(self.journal_path, folder / JOURNAL, "journal", anew=unwiped)
        facts = journal_facts(folder / JOURNAL)
        names = [name for name in (JOURNAL, MEMORY) if (folder / name).exists()]
        return BackupManifest(
            planwarden_version=self.version,
            made_at=self.clock.now(),
            schema_version=facts.schema_version,
            runs=facts.runs,
            events=facts.events,
            heads=facts.heads,
            damaged=facts.damaged,
            files=tuple(
                StoredFile.model_validate(
                    {
                        "name": name,
                        "size": (folder / name).stat().st_size,
                        "digest": file_digest(folder / name),
                    }
                )
                for name in names
            ),
        )

    def _restore(self, source: Path, force: bool) -> Restored:  # noqa: FBT001 - internal
        home = self.journal_path.parent
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with scratch(home, "restore") as folder:
                manifest = read_archive(source, folder)
                self._check(source, folder, manifest)
                bring_up_to_date(folder / JOURNAL)
                return self._replace(folder, manifest, force=force)
        except OSError as error:
            raise StoreUnavailable(
                f"The backup cannot be restored in {home}: {error.strerror or error}.",
                remedy="Nothing was replaced. Free some space or mend the permissions, then try again.",
            ) from error

    def _check(self, source: Path, folder: Path, manifest: BackupManifest) -> None:
        """Hold the unpacked journal against the manifest."""
        facts = journal_facts(folder / JOURNAL)
        said = (manifest.schema_version, manifest.runs, manifest.events, manifest.heads, manifest.damaged)
        found = (facts.schema_version, facts.runs, facts.events, facts.heads, facts.damaged)
        if said != found:
            raise BackupRefused(
                f"{source} is not a whole backup: its journal does not hold the runs that its manifest says.",
                remedy="Take another backup.",
            )

    def _replace(self, folder: Path, manifest: BackupManifest, *, force: bool) -> Restored:
        stamp = _stamp(self.clock.now())
        compared = self._replace_journal(folder / JOURNAL, stamp, force=force)
        forgotten = self._replace_memory(folder / MEMORY, stamp)
        kept = [self._aside(path, stamp) for path in (self.journal_path, self.memory_path)]
        return Restored(
            manifest=manifest,
            aside=tuple(path for path in kept if path.exists()),
            lost=compared.lost if compared else 0,
            erased_again=len(compared.erased) if compared else 0,
            forgotten_again=forgotten,
        )

    def _replace_journal(self, new: Path, stamp: str, *, force: bool) -> replacing.Compared | None:
        """Put the restored journal in place; says what it lacks of the one that was there, if readable."""
        path = self.journal_path
        aside = self._aside(path, stamp)
        if not path.exists():
            replacing.put_in_place(new, path, aside)
            return None
        try:
            journal_facts(path)  # it can be read
            with replacing.alone_with(path) as current:
                self._refuse_work(replacing.runs_at_work(current, now=self.clock.now(), is_dead=self.is_dead))
                compared = replacing.compare(current, new)
                if compared.lost and not force:
                    raise _would_lose(compared)
                if compared.erased:
                    replacing.carry_erasures(current, new, compared.erased)
                replacing.put_in_place(new, path, aside)
                return compared
        except (StoreCorrupt, StoreVersionMismatch) as damage:
            if not force:
                raise BackupRefused(
                    f"Nobody knows which of its runs the backup lacks: {damage.message}",
                    remedy="Say --force to put it aside as it is, and restore the backup in its place.",
                ) from damage
        replacing.move_log_aside(path, aside)
        replacing.put_in_place(new, path, aside)
        return None

    def _replace_memory(self, new: Path, stamp: str) -> int:
        """Put the restored memory in place, if there is one; gives how many plans were forgotten in it."""
        path = self.memory_path
        aside = self._aside(path, stamp)
        forgotten = 0
        if not new.exists():
            return forgotten
        if path.exists():
            try:
                forgotten = carry_forgotten(path, new)
                with replacing.alone_with(path):
                    pass  # its log is written back into it
            except StoreCorrupt:
                replacing.move_log_aside(path, aside)
        replacing.put_in_place(new, path, aside)
        return forgotten

    def _refuse_work(self, runs: tuple[str, ...]) -> None:
        if runs:
            raise LeaseHeld(
                f"A process is at work on {'run' if len(runs) == 1 else 'runs'} {', '.join(runs[:5])}.",
                remedy="Wait until it is done, or cancel it, then try again.",
            )

    def _aside(self, path: Path, stamp: str) -> Path:
        return path.with_name(f"{path.name}{ASIDE}{stamp}")

    def _upgrade(self, backup: Path | None) -> Upgraded:
        before = stored_version(self.journal_path)
        if before is None:
            raise self._no_journal()
        if before == SCHEMA_VERSION:
            return Upgraded(before=before, after=before, backup=None)
        home = self.journal_path.parent
        place = backup or home / f"{BEFORE_UPGRADE}{before}-{_stamp(self.clock.now())}.zip"
        made = self._backup(place)
        open_for_writing(self.journal_path).close()
        return Upgraded(before=before, after=SCHEMA_VERSION, backup=made.path)

    def _no_journal(self) -> InputError:
        return InputError(
            f"There is no journal at {self.journal_path}.",
            remedy="Set PLANWARDEN_HOME to the folder that it is in; the first run makes one.",
        )


def _would_lose(compared: replacing.Compared) -> BackupRefused:
    parts = {
        "are not in the backup": compared.missing,
        "went on since": compared.longer,
        "are not the same": compared.other,
    }
    told = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
    return BackupRefused(
        f"Runs in the journal would be lost: {told} ({', '.join(compared.named)}"
        f"{', …' if compared.lost > len(compared.named) else ''}).",
        remedy="Say --force to restore all the same; the journal there is stays aside under another name.",
    )


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03d}Z"
