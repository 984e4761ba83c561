"""What a backup says of itself: which files it holds, by which digests, and what is in its journal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from planwarden.contracts.value import Contract, Digest

MANIFEST = "manifest.json"
JOURNAL, MEMORY = "journal.db", "memory.db"
"""The names of the files in a backup."""


class StoredFile(Contract):
    """One file in a backup."""

    name: Literal["journal.db", "memory.db"]
    size: Annotated[int, Field(ge=0)]
    """In bytes."""
    digest: Digest


class BackupManifest(Contract):
    """The first thing that is read of a backup."""

    backup_version: Literal[1] = 1
    planwarden_version: str
    made_at: AwareDatetime
    schema_version: Annotated[int, Field(ge=1)]
    """Of the journal."""
    runs: Annotated[int, Field(ge=0)]
    events: Annotated[int, Field(ge=0)]
    heads: Digest
    """Over id, last place and head of all runs, in the order in which they began."""
    damaged: Annotated[int, Field(ge=0)] = 0
    """Runs that did not end with the head that is kept of them, when the backup was made."""
    files: Annotated[tuple[StoredFile, ...], Field(min_length=1, max_length=2)]
