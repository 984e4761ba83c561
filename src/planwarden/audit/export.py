"""Dossiers as files: written whole or not at all, compared byte for byte."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from planwarden.audit.dossier import build_dossier, dossier_bytes
from planwarden.audit.tombstone import tombstone_bytes
from planwarden.audit.whole_file import whole_file
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import ChainFault, EventLink, RunEvent
from planwarden.contracts.tombstone import Tombstone
from planwarden.errors import StoreCorrupt, StoreUnavailable


def dossier_path(folder: Path, run_id: str) -> Path:
    """Give the file of a run's dossier."""
    return folder / f"{run_id}.json"


def write_dossier(folder: Path, dossier: Dossier) -> Path:
    """Write a dossier to its file, whole or not at all; on disk when this returns.

    Raises:
        StoreUnavailable: the folder cannot be written.
    """
    return _write(folder, dossier.run_id, dossier_bytes(dossier))


def write_tombstone(folder: Path, tombstone: Tombstone) -> Path:
    """Write a tombstone in place of the dossier, likewise.

    Raises:
        StoreUnavailable: the folder cannot be written.
    """
    return _write(folder, tombstone.run_id, tombstone_bytes(tombstone))


def delete_dossier(folder: Path, run_id: str) -> None:
    """Delete the exported file of a run, and what a process that was killed while writing it left there.

    Raises:
        StoreUnavailable: it cannot be deleted.
    """
    path = dossier_path(folder, run_id)
    try:
        for each in (path, *folder.glob(f".{glob.escape(run_id)}.*")):
            each.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"The dossier {path} cannot be deleted: {error.strerror or error}.",
            remedy="Nothing was erased yet. Make the folder writable, then try again.",
        ) from error


def _write(folder: Path, run_id: str, content: bytes) -> Path:
    path = dossier_path(folder, run_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(path, beside=f".{run_id}.") as file:
            file.write(content)
    except OSError as error:
        raise StoreUnavailable(
            f"The dossier {path} cannot be written: {error.strerror or error}.",
            remedy="The run itself is safe in the journal. Make the folder writable, or set PLANWARDEN_HOME.",
        ) from error
    return path


def file_faults(folder: Path, dossier: Dossier) -> tuple[ChainFault, ...]:
    """Compare the exported file of a finished run with the dossier that its journal gives now.

    A run that is not over grows past its last export: only its chain can be judged.
    """
    if dossier.status in ("running", "waiting", "in_doubt"):
        return ()
    return _differences(dossier_path(folder, dossier.run_id), dossier.run_id, dossier_bytes(dossier))


def tombstone_faults(folder: Path, tombstone: Tombstone) -> tuple[ChainFault, ...]:
    """Compare the exported file of an erased run with the tombstone that its journal gives now."""
    return _differences(dossier_path(folder, tombstone.run_id), tombstone.run_id, tombstone_bytes(tombstone))


def older_export(
    folder: Path, run_id: str, events: Sequence[RunEvent], links: Sequence[EventLink]
) -> int | None:
    """Say of how many of a run's first events the exported file is the dossier; None: of all, or of none.

    A process that is killed after a run ended and before it was exported leaves an earlier one.
    """
    found = _read(dossier_path(folder, run_id))
    count = _events_listed(found) if found else 0
    if not 0 < count < len(links):
        return None
    try:
        earlier = build_dossier(events[:count], links[:count])
    except StoreCorrupt:
        return None
    return count if dossier_bytes(earlier) == found else None


def _events_listed(content: bytes) -> int:
    try:
        value: object = json.loads(content)
    except (ValueError, RecursionError):
        return 0
    events = cast("dict[str, object]", value).get("events") if isinstance(value, dict) else None
    return len(cast("list[object]", events)) if isinstance(events, list) else 0


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(
            f"The dossier {path} cannot be read: {error.strerror or error}.", remedy="Make it readable."
        ) from error


def _differences(path: Path, run_id: str, expected: bytes) -> tuple[ChainFault, ...]:
    found = _read(path)
    if found is None or found == expected:
        return ()
    place = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), None)
    at = f"byte {min(len(found), len(expected)) if place is None else place}"
    problem = f"the exported file {path} differs from the journal at {at}"
    return (ChainFault(run_id=run_id, seq=None, problem=problem),)


def exported_runs(folder: Path) -> Iterator[str]:
    """Give the ids of the runs that have an exported file.

    Raises:
        StoreUnavailable: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".json") and not entry.name.startswith("."):
                    yield entry.name.removesuffix(".json")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreUnavailable(
            f"The dossiers in {folder} cannot be read: {error.strerror or error}.",
            remedy="Make the folder readable.",
        ) from error
