"""Reading a bundle, from nothing but its bytes: run by run, each with whatever is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from planwarden.audit.bundle.archive import Place, places, read_part, rejected
from planwarden.audit.bundle.contents import dossier_problem, redacted_problem, snapshots_wanted
from planwarden.audit.bundle.coverage import coverage_problem
from planwarden.audit.bundle.envelope import Opened, Signed, unseal
from planwarden.audit.bundle.parts import (
    MANIFEST,
    SIGNATURE,
    in_order,
    manifest_head,
    manifest_line,
    run_of,
    snapshot_of,
)
from planwarden.audit.bundle.run_record import AnchorProof, proof_problem, read_proofs, read_record
from planwarden.audit.bundle.withholding import withheld_in, withholding_problems
from planwarden.contracts.event import ChainFault
from planwarden.contracts.value import digest_bytes
from planwarden.errors import InputError
from planwarden.journal.anchor import Anchor, anchor_fault, anchor_problems, read_anchor
from planwarden.journal.snapshot import Snapshot
from planwarden.journal.stored import StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledRun:
    """A run of a bundle, and what is wrong with it."""

    run: StoredRun
    snapshots: tuple[str, ...]
    """Digests of the catalogs and policies that it names and that the bundle has."""
    proofs: tuple[AnchorProof, ...]
    """What shows that anchors took it in."""
    faults: tuple[ChainFault, ...]


@dataclass(slots=True, kw_only=True)
class Bundle:
    """An open bundle. Nothing is known of its parts until `runs` came to an end."""

    file: BinaryIO
    opened: Opened
    manifest: Place
    version: str
    """Of this Planwarden: only a dossier that it made can be made anew."""
    anchors: dict[int, Anchor] = field(default_factory=dict[int, Anchor])
    faults: list[ChainFault] = field(default_factory=list[ChainFault])
    """What is wrong with the bundle as a whole."""
    _withheld: int = 0
    _snapshots: dict[str, Place] = field(default_factory=dict[str, Place])

    def runs(self) -> Iterator[BundledRun]:
        """Give every run, oldest id first, comparing each part with the signed manifest on the way.

        Raises:
            BundleRejected: a part cannot be read, is unknown, out of order or there twice.
        """
        self.anchors.clear()
        self.faults[:] = self._signature_faults()
        checked = _Manifest(self.file, self.manifest)
        self._withheld = 0
        count, held = 0, dict[str, bytes]()
        for place in in_order(places(self.file)):
            if held and (run_of(place.name) or ("",))[0] != held["run"].decode():
                yield self._run(held)
                held = {}
            if place.name in (MANIFEST, SIGNATURE):
                continue
            content = read_part(self.file, place)
            self.faults += checked.faults(place.name, content)
            if run := run_of(place.name):
                held |= {"run": run[0].encode(), run[1]: content}
                count += run[1] == "record.jsonl"
            else:
                self._take_in(place, content)
        self.faults += checked.end(self.opened.signed, runs=count, withheld=self._withheld)

    def snapshot(self, digest: str) -> Snapshot | None:
        """Give a catalog or policy that the bundle has; after `runs` came past it."""
        place = self._snapshots.get(digest)
        name = snapshot_of(place.name) if place else None
        if place is None or name is None:
            return None
        return Snapshot(digest=digest, kind=name.kind, body=read_part(self.file, place))

    def _signature_faults(self) -> Iterator[ChainFault]:
        if not self.opened.genuine:
            yield anchor_fault(f"the signature is not that of the key {self.opened.fingerprint}")
        if _digest_at(self.file, self.manifest) != self.opened.signed.manifest:
            yield anchor_fault("the manifest is not the one that was signed")

    def _take_in(self, place: Place, content: bytes) -> None:
        name = snapshot_of(place.name)
        if name is None:
            self._take_in_anchors(content)
            return
        self._snapshots[name.digest] = place
        if digest_bytes(content) != name.digest:
            self.faults.append(anchor_fault(f"the {name.kind} {name.digest} is not what its digest says"))

    def _take_in_anchors(self, content: bytes) -> None:
        before: Anchor | None = None
        for number, line in enumerate(content.splitlines(keepends=True), start=1):
            try:
                anchor = read_anchor(line)
            except ValueError as error:
                raise rejected(f"line {number} of its anchors is {error}") from error
            self.faults += (anchor_fault(problem) for problem in anchor_problems(anchor, before))
            self.anchors[anchor.number] = before = anchor

    def _run(self, held: Mapping[str, bytes]) -> BundledRun:
        run_id = held["run"].decode()
        run = read_record(run_id, held["record.jsonl"])
        proofs = read_proofs(run_id, held.get("anchored.json", b"[]\n"))
        wanted = snapshots_wanted(run)
        gone = (digest for digest in wanted.kept if digest not in self._snapshots)
        problems = [f"the catalog or policy {digest} that it names is not in the bundle" for digest in gone]
        self._withheld += withheld_in(run)
        problems += withholding_problems(run, self.opened.signed.redaction)
        problems += filter(None, (proof_problem(run, proof, self.anchors) for proof in proofs))
        faults = list(run.faults())
        if not faults:
            same = self.version == self.opened.signed.planwarden_version
            problems += filter(None, [dossier_problem(run, held.get("dossier.json"), same_version=same)])
            redacted = held.get("redacted.json")
            problems += filter(None, [redacted_problem(run, redacted, self.opened.signed.redacted)])
            problems += filter(None, [coverage_problem(run, proofs, self.anchors.values())])
        faults += (ChainFault(run_id=run_id, seq=None, problem=problem) for problem in problems)
        return BundledRun(
            run=run,
            snapshots=tuple(digest for digest in wanted.named if digest in self._snapshots),
            proofs=proofs,
            faults=tuple(faults),
        )


@contextmanager
def open_bundle(path: Path, *, version: str) -> Generator[Bundle]:
    """Open a bundle and its signature.

    Raises:
        InputError: the file cannot be read.
        BundleRejected: it is no bundle, is damaged beyond reading, or is of another version.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(
            f"The bundle {path} cannot be read: {error.strerror or error}.",
            remedy="Name a file that `planwarden dossier export` wrote.",
        ) from error
    with file:
        found = {place.name: place for place in in_order(places(file)) if place.name in (MANIFEST, SIGNATURE)}
        opened = unseal(read_part(file, found[SIGNATURE]))
        yield Bundle(file=file, opened=opened, manifest=found[MANIFEST], version=version)


class _Manifest:
    """The manifest, read line by line beside the parts that it lists."""

    def __init__(self, file: BinaryIO, place: Place) -> None:
        self._file = file
        self._offset = place.offset
        self._end = place.offset + place.size
        self._head = self._line()
        self._parts = 0

    def faults(self, name: str, content: bytes) -> Sequence[ChainFault]:
        """Compare a part with the manifest's next line."""
        self._parts += 1
        if self._line() == manifest_line(name, content, digest_bytes(content)):
            return ()
        return (anchor_fault(f"the part {name} is not the one that the manifest lists"),)

    def end(self, signed: Signed, *, runs: int, withheld: int) -> Iterator[ChainFault]:
        """Compare how many there were; nothing may be left."""
        head = manifest_head(runs=runs, parts=self._parts, redacted=signed.redaction)
        if self._head != head or signed.runs != runs:
            yield anchor_fault("there are not as many runs and parts as the manifest says")
        if signed.withheld != withheld:
            said = f"the signed manifest says {signed.withheld}"
            yield anchor_fault(f"{withheld} payloads are left out, and {said}")
        if self._offset != self._end:
            yield anchor_fault("the manifest lists parts that are not there")

    def _line(self) -> bytes:
        self._file.seek(self._offset)
        line = self._file.readline(min(self._end - self._offset, 4096))
        self._offset += len(line)
        return line


def _digest_at(file: BinaryIO, place: Place) -> str:
    file.seek(place.offset)
    hashed, left = hashlib.sha256(), place.size
    while piece := file.read(min(left, 2**20)):
        hashed.update(piece)
        left -= len(piece)
    padding = file.read(-place.size % 512)
    if padding.strip(b"\0"):
        raise rejected("its manifest is not padded with zeros")
    return f"sha256:{hashed.hexdigest()}"
