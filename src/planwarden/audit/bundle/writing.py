"""Writing a bundle: part by part into a file that appears whole or not at all."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from planwarden.audit.bundle.archive import write_end, write_large_part, write_part
from planwarden.audit.bundle.envelope import Signed, seal
from planwarden.audit.bundle.keys import SigningKey
from planwarden.audit.bundle.parts import MANIFEST, SIGNATURE, manifest_head, manifest_line, run_of
from planwarden.audit.redaction.redact import NO_DIGEST
from planwarden.audit.whole_file import whole_file
from planwarden.contracts.dossier import RedactionKind
from planwarden.contracts.value import digest_bytes
from planwarden.errors import InputError, StoreUnavailable


class BundleWriter:
    """Takes parts in their order; the manifest is kept in a file of its own until all are there."""

    def __init__(self, file: BinaryIO, lines: BinaryIO) -> None:
        """Take the bundle's file and one for the manifest's lines."""
        self._file = file
        self._lines = lines
        self._parts = 0
        self.runs = 0
        self.withheld = 0
        """Payloads that were left out; whoever leaves them out counts them."""

    def add(self, name: str, content: bytes) -> None:
        """Add a part.

        Raises:
            BundleRejected: it is larger than a part may be.
        """
        write_part(self._file, name, content)
        self._lines.write(manifest_line(name, content, digest_bytes(content)))
        self._parts += 1
        run = run_of(name)
        self.runs += run is not None and run[1] == "record.jsonl"

    def finish(self, key: SigningKey, version: str, redaction: RedactionKind | None = None) -> None:
        """Add manifest and signature; `version` is that of Planwarden, `redaction` what was left out."""
        signed = Signed(
            manifest=NO_DIGEST,
            planwarden_version=version,
            runs=self.runs,
            redacted=redaction,
            withheld=self.withheld,
        )
        head = manifest_head(runs=self.runs, parts=self._parts, redacted=signed.redaction)
        with tempfile.TemporaryFile() as manifest:
            manifest.write(head)
            self._lines.seek(0)
            while piece := self._lines.read(2**20):
                manifest.write(piece)
            size = manifest.tell()
            digest = _digest_of(manifest)
            manifest.seek(0)
            write_large_part(self._file, MANIFEST, manifest, size)
        write_part(self._file, SIGNATURE, seal(signed.model_copy(update={"manifest": digest}), key))
        write_end(self._file)


@contextmanager
def new_bundle(path: Path) -> Generator[BundleWriter]:
    """Open a bundle to be written; it is at `path` when the context ends well.

    Raises:
        InputError: something is there already.
        StoreUnavailable: it cannot be written.
    """
    if path.exists():
        raise InputError(f"{path} is there already.", remedy="Name a file that is not there yet.")
    try:
        with whole_file(path, beside=f".{path.name}-") as file, tempfile.TemporaryFile() as lines:
            yield BundleWriter(file, lines)
    except OSError as error:
        raise StoreUnavailable(
            f"The bundle {path} cannot be written: {error.strerror or error}.",
            remedy="Name a file in a folder that can be written to, on a disk with room.",
        ) from error


def _digest_of(file: BinaryIO) -> str:
    hashed = hashlib.sha256()
    file.seek(0)
    while piece := file.read(2**20):
        hashed.update(piece)
    return f"sha256:{hashed.hexdigest()}"
