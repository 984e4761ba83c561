"""Snapshots: values as they were when a run began, kept under the digest of their canonical bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from planwarden.contracts.value import digest_bytes
from planwarden.errors import StoreCorrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A value, found again by its digest."""

    digest: str
    """Of `body`, which is canonical JSON."""
    kind: str
    """`catalog` or `policy`."""
    body: bytes


class Snapshots(Protocol):
    """Where snapshots are kept."""

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep values; one that is there already is not written again.

        Raises:
            ValueError: a digest is not that of its body.
        """
        ...

    async def find(self, digest: str) -> Snapshot | None:
        """Give the value of that digest; None when it was never kept.

        Raises:
            StoreCorrupt: the stored bytes are not those that were kept.
        """
        ...


def require_own_digest(snapshot: Snapshot) -> None:
    """Refuse to keep a value under another digest than its own.

    Raises:
        ValueError: the digest is not that of the body.
    """
    if digest_bytes(snapshot.body) != snapshot.digest:
        raise ValueError(f"a {snapshot.kind} is not what its digest {snapshot.digest} says")


def read_back(digest: str, kind: str, body: bytes) -> Snapshot:
    """Give a stored value, checked against its digest.

    Raises:
        StoreCorrupt: these are not the bytes that were kept.
    """
    if digest_bytes(body) != digest:
        raise StoreCorrupt(
            f"The {kind} kept as {digest} is not what was kept: its digest does not match.",
            remedy="Restore the journal from a backup: `planwarden journal restore FILE`.",
        )
    return Snapshot(digest=digest, kind=kind, body=body)
