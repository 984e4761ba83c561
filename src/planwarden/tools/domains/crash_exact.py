"""Writing a file such that, after a crash at any moment, one can say whether it was written.

Order, each step on disk before the next: temporary file beside the target, marker named by the key, rename
over the target. The rename is the effect. So without a marker it was not done; with marker and temporary file
it was not done; with a marker and no temporary file it was.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from planwarden.contracts.value import Json
from planwarden.errors import ToolFailed
from planwarden.tools.tool import Done, NotDone, Unknown, Verification

TEMPORARY_PREFIX = ".planwarden-"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRequest:
    """A write, its idempotency key, and the value to give back when it is done."""

    target: Path
    content: bytes
    key: str
    state_dir: Path
    value: dict[str, Json]

    @property
    def temporary(self) -> Path:
        """Name the file that holds the content until the rename."""
        return self.target.with_name(f"{TEMPORARY_PREFIX}{self._name}.tmp")

    @property
    def marker(self) -> Path:
        """Name the file that says the content is ready."""
        return self.state_dir / f"{self._name}.json"

    @property
    def _name(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]


def write_once(request: WriteRequest) -> dict[str, Json]:
    """Write the file, or only give the recorded value when this key was already written.

    Raises:
        OSError: the disk refuses; nothing was written.
        ToolFailed: an earlier write with this key cannot be told done or not.
    """
    match outcome_of(request):
        case Done(value=value):
            return cast("dict[str, Json]", value)
        case Unknown(reason=reason):
            raise ToolFailed(reason, remedy="Look at the file and settle the call by hand.")
        case NotDone():
            pass
    _make_folder(request.state_dir)
    _make_folder(request.target.parent)
    try:
        _write_durably(request.temporary, request.content)
        _write_marker(request)
        request.temporary.replace(request.target)
    except OSError:
        _drop(request.marker)  # first: a marker without a temporary file would mean done
        _drop(request.temporary)
        raise
    _sync_folder(request.target.parent)
    return request.value


def outcome_of(request: WriteRequest) -> Verification:
    """Say whether the write with this key was done; `Unknown` when its traces are spoilt."""
    try:
        marker = json.loads(request.marker.read_bytes())
        value = cast("dict[str, Json]", marker["value"])
        same = marker["target"] == str(request.target)
    except FileNotFoundError:
        return NotDone()
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Unknown(reason=f"the record {request.marker} cannot be read: {error}.")
    if not same:
        return Unknown(reason=f"the record {request.marker} is of another file.")
    if request.temporary.exists():
        return NotDone()
    if not request.target.exists():
        return Unknown(reason=f"{request.target} was written and is gone, or its folder was moved.")
    return Done(value=value)


def _write_marker(request: WriteRequest) -> None:
    """Make the marker appear whole or not at all."""
    draft = request.marker.with_suffix(".new")
    digest = hashlib.sha256(request.content).hexdigest()
    body = {"target": str(request.target), "sha256": digest, "value": request.value}
    _write_durably(draft, json.dumps(body, ensure_ascii=False).encode())
    draft.replace(request.marker)
    _sync_folder(request.state_dir)


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    _sync_folder(path.parent)


def _drop(path: Path) -> None:
    if path.exists():
        path.unlink()
        _sync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    missing = [folder] if not folder.exists() else []
    while missing and not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
