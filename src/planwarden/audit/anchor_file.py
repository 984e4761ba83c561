"""Anchors kept elsewhere: a file of one JSON object a line, compared with the journal and added to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from planwarden.contracts.event import ChainFault
from planwarden.errors import InputError, StoreUnavailable
from planwarden.journal.anchor import Anchor, anchor_fault, anchor_problems, read_anchor

_MAX_BYTES = 64 * 2**20
"""Far more than a line a day for a century."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnchors:
    """What a file of anchors says, and what is wrong with the file by itself."""

    path: Path
    anchors: tuple[Anchor, ...] = ()
    line_faults: tuple[ChainFault, ...] = ()
    """What is wrong with its whole lines."""
    torn: bytes = b""
    """What follows the last whole line: whoever wrote it was stopped in the middle."""

    @property
    def faults(self) -> tuple[ChainFault, ...]:
        """Give everything that is wrong with it."""
        torn = anchor_fault(f"the last line of {self.path} is cut short")
        return (*self.line_faults, torn) if self.torn else self.line_faults

    def only(self, anchors: tuple[Anchor, ...]) -> KeptAnchors:
        """Give the same file with these of its anchors."""
        return replace(self, anchors=anchors)


def read_anchor_file(path: Path) -> KeptAnchors:
    """Read a file of anchors; it may begin at any anchor, and goes on without gaps.

    Raises:
        InputError: it is missing, cannot be read, or is no file of anchors at all.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"The file of anchors {path} cannot be read: {error.strerror or error}.",
            remedy="Name a file that `planwarden journal anchor --to FILE` wrote.",
        ) from error
    if len(data) > _MAX_BYTES:
        raise InputError(
            f"The file of anchors {path} is larger than {_MAX_BYTES} bytes.",
            remedy="Name a file that `planwarden journal anchor --to FILE` wrote.",
        )
    return _parsed(path, data)


def anchors_to_compare(path: Path) -> KeptAnchors:
    """Read a file of anchors to hold a record against.

    Raises:
        InputError: see `read_anchor_file`; or it holds no anchor, and everything would agree with it.
    """
    kept = read_anchor_file(path)
    if not (kept.anchors or kept.faults):
        raise InputError(
            f"The file of anchors {path} holds no anchor.",
            remedy="Name a file that `planwarden journal anchor --to FILE` wrote.",
        )
    return kept


def _parsed(path: Path, data: bytes) -> KeptAnchors:
    anchors: list[Anchor] = []
    faults: list[ChainFault] = []
    end = data.rfind(b"\n") + 1
    for number, line in enumerate(data[:end].splitlines(keepends=True), start=1):
        try:
            anchor = read_anchor(line)
            if not line.endswith(b"}\n"):
                raise ValueError("cut short")  # noqa: TRY301 - one place says what is wrong with a line
        except ValueError as error:
            faults.append(anchor_fault(f"line {number} of {path} is {error}"))
            continue
        before = anchors[-1] if anchors else None
        faults += (
            anchor_fault(f"{path}: {problem}") for problem in anchor_problems(anchor, before, first=False)
        )
        anchors.append(anchor)
    return KeptAnchors(path=path, anchors=tuple(anchors), line_faults=tuple(faults), torn=data[end:])


def compared(kept: KeptAnchors, ours: Sequence[Anchor]) -> Iterator[ChainFault]:
    """Say which anchors that are kept elsewhere are not those of the journal."""
    by_number = {anchor.number: anchor for anchor in ours}
    for anchor in kept.anchors:
        found = by_number.get(anchor.number)
        if found is None:
            yield anchor_fault(f"anchor {anchor.number} is kept in {kept.path} and is gone from here")
        elif found != anchor:
            yield anchor_fault(f"anchor {anchor.number} is another one in {kept.path}: {anchor.hash}")


def append_anchors(path: Path, anchors: Sequence[Anchor], *, begun: bytes = b"") -> None:
    """Add lines to a file of anchors; on disk when this returns.

    `begun` is what the file has of the first of these lines already.

    Raises:
        StoreUnavailable: it cannot be written.
    """
    try:
        with path.open("ab") as file:
            file.write(b"".join(anchor.line() for anchor in anchors).removeprefix(begun))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreUnavailable(
            f"The file of anchors {path} cannot be written: {error.strerror or error}.",
            remedy="Make it writable, then try again: what is missing is added.",
        ) from error
