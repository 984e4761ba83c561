"""`Bundles`: runs out of this journal as one signed file, and out of such a file into this journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from planwarden.app.archive.anchoring import Anchoring
from planwarden.app.system import VERSION
from planwarden.audit.bundle.contents import redacted_dossier, run_dossier
from planwarden.audit.bundle.keys import PublicKey, signing_key
from planwarden.audit.bundle.parts import ANCHORS, run_part, snapshot_part
from planwarden.audit.bundle.reading import Bundle, BundledRun, open_bundle
from planwarden.audit.bundle.run_record import AnchorProof, proof_bytes, record_bytes
from planwarden.audit.bundle.withholding import withheld_in, withhold
from planwarden.audit.bundle.writing import BundleWriter, new_bundle
from planwarden.contracts.dossier import RedactionKind
from planwarden.contracts.facts import ERASED
from planwarden.errors import BundleRejected, InputError, StoreCorrupt
from planwarden.journal.erasure import run_erased
from planwarden.journal.merkle import HashTree
from planwarden.journal.snapshot import Snapshot
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.journal.sqlite.transfer import RunChoice
from planwarden.journal.stored import StoredRun

PAGE = 200
TREES = 4
"""Hash trees of anchors that are held at a time, 64 bytes for each of their runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What went into a bundle."""

    runs: int
    key: PublicKey
    withheld: int
    """Payloads that were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of a bundle's runs."""

    fingerprint: str
    new: tuple[str, ...]
    there: tuple[str, ...]
    """Were here already, with the same chain."""
    refused: tuple[str, ...]
    """Are here with another chain; nothing of them was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """Exports and imports for one home."""

    journal: Callable[[], Awaitable[SqliteJournal]]
    """Opens it when first needed."""
    anchoring: Anchoring
    key_file: Path

    async def key(self) -> PublicKey:
        """Give the public part of the key that this home signs with, made on first use.

        Raises:
            SigningKeyRejected, StoreUnavailable: it cannot be used.
        """
        return (await asyncio.to_thread(signing_key, self.key_file)).public

    async def export(
        self, path: Path, wanted: Sequence[str] | RunChoice, redaction: RedactionKind | None = None
    ) -> Exported:
        """Write runs, named or chosen, to a new file; one is held at a time; redacted where it is asked for.

        What grew since the last anchor is taken into a new one first: so each run is in an anchor to its end.
        A run that goes on meanwhile is written as that anchor took it in, one that begins is left out.

        Raises:
            RunNotFound: a run that is named is not there.
            RunErased: a run was erased meanwhile; no file is left.
            StoreCorrupt: a run is not what was written; no file is left.
            InputError: the file is there already, or no run is as wanted.
            StoreUnavailable: it cannot be written.
            SigningKeyRejected: the key cannot be used.
        """
        key = await asyncio.to_thread(signing_key, self.key_file)
        with new_bundle(path) as writer:
            run_ids = await self._ids(wanted)
            if not run_ids:
                raise InputError(
                    "No such run is in this journal: there is nothing to export.",
                    remedy="See which there are with `planwarden runs`.",
                )
            await self.anchoring.make()
            anchors = await self.anchoring.all()
            await asyncio.to_thread(writer.add, ANCHORS, b"".join(anchor.line() for anchor in anchors))
            for name, content in await self._snapshots(run_ids):
                await asyncio.to_thread(writer.add, name, content)
            shelf = _TreeShelf(last=anchors[-1].number if anchors else 0)
            for run_id in run_ids:
                run, proofs = await self._anchored(run_id, shelf)
                await asyncio.to_thread(_write_run, writer, run, proofs, redaction)
            await asyncio.to_thread(writer.finish, key, VERSION, redaction)
        return Exported(runs=writer.runs, key=key.public, withheld=writer.withheld)

    async def import_from(self, path: Path, *, pin: str | None = None) -> Imported:
        """Take in the runs of a bundle, once all of it was found to be as it was signed.

        Each run is taken in whole or not at all.

        Raises:
            InputError: the file cannot be read.
            BundleRejected: it is no bundle, is altered, or is not signed by the key that is pinned.
            StoreError: the journal cannot be written.
        """
        with open_bundle(path, version=VERSION) as bundle:
            await asyncio.to_thread(_require_unaltered, bundle, pin)
            fingerprint = bundle.opened.fingerprint
            outcomes = [
                (await self._take_in(bundle, found, fingerprint), found.run.run_id)
                async for found in _in_threads(bundle.runs())
            ]
        return Imported(
            fingerprint=fingerprint,
            new=tuple(run_id for outcome, run_id in outcomes if outcome == "new"),
            there=tuple(run_id for outcome, run_id in outcomes if outcome == "there"),
            refused=tuple(run_id for outcome, run_id in outcomes if outcome == "another"),
        )

    async def _take_in(self, bundle: Bundle, found: BundledRun, fingerprint: str) -> str:
        if found.faults:
            raise _altered(found.faults[0].problem)
        kept = [snapshot for digest in found.snapshots if (snapshot := bundle.snapshot(digest))]
        return await (await self.journal()).transfer.put(found.run, kept, origin=fingerprint)

    async def _ids(self, wanted: Sequence[str] | RunChoice) -> Sequence[str]:
        """Give the ids of the runs that are wanted, in the order of ids, each once."""
        if not isinstance(wanted, RunChoice):
            return sorted(set(wanted))
        transfer, found = (await self.journal()).transfer, list[str]()
        while page := await transfer.ids_after(found[-1] if found else "", wanted, limit=PAGE):
            found += page
        return found

    async def _snapshots(self, run_ids: Sequence[str]) -> Iterable[tuple[str, bytes]]:
        """Give every catalog and policy that the runs name and that is kept, by their parts' names."""
        journal = await self.journal()
        found: dict[str, Snapshot | None] = {}
        for run_id in run_ids:
            for digest in await journal.survey.snapshots_named(run_id):
                if digest not in found:
                    found[digest] = await journal.snapshots.find(digest)
        parts = ((snapshot_part(each.kind, each.digest), each.body) for each in found.values() if each)
        return sorted(parts)

    async def _anchored(self, run_id: str, shelf: _TreeShelf) -> tuple[StoredRun, Sequence[AnchorProof]]:
        """Give a run as the last anchor took it in, with what shows that."""
        journal = await self.journal()
        run = await journal.transfer.take(run_id)
        missing = await journal.survey.missing_snapshots(run_id)
        if missing:
            raise StoreCorrupt(
                f"Run {run_id} cannot be exported: {missing[0].problem}.",
                remedy=f"See all that is wrong with `planwarden dossier verify {run_id}`.",
            )
        taken = [each for each in await journal.anchors.taken_in(run_id) if each.anchor <= shelf.last]
        run = _until(run, max((each.end.seq for each in taken), default=len(run.links)))
        proofs: list[AnchorProof] = []
        for each in taken:
            tree = await shelf.tree(journal, each.anchor)
            steps = [f"sha256:{step.hex()}" for step in tree.proof(each.index)]
            proofs.append(
                AnchorProof(
                    anchor=each.anchor, seq=each.end.seq, hash=each.end.hash, index=each.index, proof=steps
                )
            )
        return run, proofs


class _TreeShelf:
    """The hash trees that were needed last: neighbouring runs are mostly in the same anchors."""

    def __init__(self, *, last: int) -> None:
        """Take the number of the last anchor that the bundle has."""
        self.last = last
        self._trees: dict[int, HashTree] = {}

    async def tree(self, journal: SqliteJournal, number: int) -> HashTree:
        """Give an anchor's tree."""
        if number not in self._trees:
            if len(self._trees) == TREES:
                del self._trees[next(iter(self._trees))]
            self._trees[number] = await journal.anchors.tree(number)
        return self._trees[number]


def _until(run: StoredRun, seq: int) -> StoredRun:
    """Leave out what a run did after the anchor.

    Raises:
        RunErased: it was erased since, what it said before cannot be exported any more.
    """
    erased = next((link for link in run.links[seq:] if link.kind == ERASED), None)
    if erased is not None:
        raise run_erased(run.run_id, erased.at)
    return run.first(seq)


def _write_run(
    writer: BundleWriter, run: StoredRun, proofs: Sequence[AnchorProof], redaction: RedactionKind | None
) -> None:
    shown = run if redaction is None else withhold(run, redaction)
    left_out = withheld_in(shown)
    writer.withheld += left_out
    writer.add(run_part(run.run_id, "record.jsonl"), record_bytes(shown))
    if run.is_whole and redaction is not None and left_out:
        writer.add(run_part(run.run_id, "redacted.json"), redacted_dossier(run, redaction))
    elif run.is_whole:
        writer.add(run_part(run.run_id, "dossier.json"), run_dossier(run))
    writer.add(run_part(run.run_id, "anchored.json"), proof_bytes(proofs))


def _require_unaltered(bundle: Bundle, pin: str | None) -> None:
    """Look through the whole bundle before anything is taken from it.

    Raises:
        BundleRejected: something is wrong with it.
    """
    if pin is not None and pin != bundle.opened.fingerprint:
        raise BundleRejected(
            f"The bundle is signed by key {bundle.opened.fingerprint}, not by {pin}.",
            remedy="Ask whoever sent it for the fingerprint of their key.",
        )
    if (redaction := bundle.opened.signed.redaction) is not None:
        raise BundleRejected(
            f"The bundle is redacted ({redaction.kind}, {redaction.withheld} payloads withheld):"
            " a journal keeps whole runs only.",
            remedy="Check it with `planwarden dossier verify --bundle FILE` and read runs/RUN/redacted.json"
            " in it, or ask for a bundle that is not redacted.",
        )
    for found in bundle.runs():
        if found.faults:
            raise _altered(f"run {found.run.run_id}: {found.faults[0].problem}")
    if bundle.faults:
        raise _altered(bundle.faults[0].problem)


def _altered(problem: str) -> BundleRejected:
    return BundleRejected(
        f"The bundle is not what was signed: {problem}.",
        remedy="Nothing of it was taken in. See all with `planwarden dossier verify --bundle FILE`.",
    )


async def _in_threads(runs: Iterable[BundledRun]) -> AsyncGenerator[BundledRun]:
    """Read on in a thread, a run at a time."""
    reading = iter(runs)
    while page := await asyncio.to_thread(list[BundledRun], islice(reading, 1)):
        yield page[0]
