"""A backup as one file: a zip with a manifest, written whole or not at all, trusted in nothing. Blocks."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from pydantic import ValidationError

from planwarden.errors import BackupRefused, StoreUnavailable
from planwarden.journal.backup.manifest import MANIFEST, BackupManifest, StoredFile

_CHUNK = 1 << 20
_MAX_MANIFEST = 1 << 16
_LEVEL = 3
_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What reading a file raises that is no zip, or a damaged or an encrypted one; zlib's error is below."""
_ANOTHER = "Take another backup; this one is not what `planwarden journal backup` wrote."


def file_digest(path: Path) -> str:
    """Name a file by the SHA-256 of its bytes, read piece by piece."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def write_archive(path: Path, manifest: BackupManifest, files: Mapping[str, Path]) -> None:
    """Write a backup to `path`, which must not be there; on disk when this returns.

    Raises:
        OSError: it cannot be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
            for name, source in files.items():
                archive.write(source, name)
        file.flush()
        os.fsync(file.fileno())


def check_archive(path: Path) -> BackupManifest:
    """Read a whole backup and hold it against its manifest.

    Raises:
        BackupRefused: it is not a whole backup.
        StoreUnavailable: it cannot be read.
    """
    with _opened(path) as archive:
        manifest = _manifest(archive, path)
        for stored in manifest.files:
            _copy(archive, path, stored, None)
    return manifest


def read_archive(path: Path, folder: Path) -> BackupManifest:
    """Unpack a backup into a folder, each file held against the manifest; nothing else of it is unpacked.

    Raises:
        BackupRefused: it is not a whole backup.
        StoreUnavailable: it cannot be read, or the folder cannot be written.
    """
    with _opened(path) as archive:
        manifest = _manifest(archive, path)
        for stored in manifest.files:
            with (folder / stored.name).open("xb") as target:
                _copy(archive, path, stored, target)
                target.flush()
                os.fsync(target.fileno())
    return manifest


@contextmanager
def _opened(path: Path) -> Generator[zipfile.ZipFile]:
    import zlib  # noqa: PLC0415 - named only here, for the error that it raises

    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (*_DAMAGE, zlib.error) as error:
        if isinstance(error, BackupRefused):
            raise
        _refuse(path, f"it cannot be read: {error}")
    except OSError as error:
        raise StoreUnavailable(
            f"The backup {path} cannot be unpacked: {error.strerror or error}.",
            remedy="Mend the path or its permissions, or free some space.",
        ) from error


def _manifest(archive: zipfile.ZipFile, path: Path) -> BackupManifest:
    try:
        with archive.open(MANIFEST) as file:
            text = file.read(_MAX_MANIFEST)
        manifest = BackupManifest.model_validate_json(text)
    except KeyError:
        _refuse(path, "it has no manifest")
    except ValidationError as error:
        _refuse(path, f"its manifest is not ours: {error.errors()[0]['msg']}")
    names = [stored.name for stored in manifest.files]
    if sorted(archive.namelist()) != sorted([MANIFEST, *names]) or len(set(names)) != len(names):
        _refuse(path, "it does not hold what its manifest says")
    return manifest


def _copy(archive: zipfile.ZipFile, path: Path, stored: StoredFile, target: IO[bytes] | None) -> None:
    """Read a file of the archive to its end, no further than it may be long, and check its digest."""
    whole, size = hashlib.sha256(), 0
    with archive.open(stored.name) as source:
        while piece := source.read(_CHUNK):
            size += len(piece)
            if size > stored.size:
                break
            whole.update(piece)
            if target is not None:
                target.write(piece)
    if (size, f"sha256:{whole.hexdigest()}") != (stored.size, stored.digest):
        _refuse(path, f"{stored.name} in it is not what its manifest says")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise BackupRefused(f"{path} is not a whole backup: {reason}.", remedy=_ANOTHER)
