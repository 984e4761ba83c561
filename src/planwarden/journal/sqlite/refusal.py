"""What an error of SQLite or of the file system means to an operator: typed, with the path and a remedy."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from planwarden.errors import StoreCorrupt, StoreError, StoreUnavailable, StoreVersionMismatch

_ELSEWHERE = "or set PLANWARDEN_HOME to a folder on a disk that you can write to."
_AWAY = "move it away together with its -wal and -shm files"
_RESTORE = {
    "journal": f"Restore it from a copy, or {_AWAY} to begin a new journal.",
    "memory": f"Restore it from a copy, or {_AWAY}: `planwarden memory rebuild` fills a new one from the"
    " journal, examples have to be added again.",
}

_UNAVAILABLE = {
    sqlite3.SQLITE_FULL: ("the disk is full", f"Free some space, {_ELSEWHERE}"),
    sqlite3.SQLITE_READONLY: ("it is read-only", f"Make the file and its folder writable, {_ELSEWHERE}"),
    sqlite3.SQLITE_PERM: ("this user may not open it", f"Give this user access, {_ELSEWHERE}"),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        f"Check that the folder can be written to, {_ELSEWHERE}",
    ),
    sqlite3.SQLITE_IOERR: ("the disk refused to read or write", f"Check the disk, {_ELSEWHERE}"),
    sqlite3.SQLITE_BUSY: (
        "another process keeps it locked",
        "Find the process that holds the file open in a transaction and let it finish, then try again.",
    ),
    sqlite3.SQLITE_NOMEM: ("there is not enough memory", "Free some memory and try again."),
    sqlite3.SQLITE_TOOBIG: ("a fact is larger than SQLite can keep", "Make the tool return less."),
}
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""SQLITE_ERROR too: our own statements fail so only when a table is gone, or is not what we made."""


StoredIn = Literal["journal", "memory"]
"""Which of our files."""

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What `sqlite3` raises; the second when a damaged schema makes SQLite's own message unreadable."""


def refusal(error: sqlite3.Error | UnicodeDecodeError, path: Path, which: StoredIn = "journal") -> StoreError:
    """Translate an error of SQLite about our file at `path`."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in _CORRUPT:
        return corrupt(path, f"SQLite says: {error}", which)
    reason, remedy = _UNAVAILABLE.get(code, ("SQLite refused", f"Check the disk, {_ELSEWHERE}"))
    return StoreUnavailable(
        f"The {which} {path} cannot be used: {reason} (SQLite says: {error}). Nothing was written.",
        remedy=remedy,
    )


def corrupt(path: Path, reason: str, which: StoredIn = "journal") -> StoreCorrupt:
    """Say that the file at `path` is not an intact one of ours."""
    return StoreCorrupt(f"The {which} {path} is damaged or not a {which}: {reason}.", remedy=_RESTORE[which])


def unreachable(path: Path, reason: str, which: StoredIn = "journal") -> StoreUnavailable:
    """Say that the file at `path` cannot be opened or made."""
    return StoreUnavailable(
        f"The {which} {path} cannot be opened: {reason}.",
        remedy=f"Mend the path or its permissions, {_ELSEWHERE}",
    )


def other_version(path: Path, *, found: int, ours: int, which: StoredIn = "journal") -> StoreVersionMismatch:
    """Say that the file at `path` has a schema that this Planwarden does not know how to use."""
    advice = "Use the Planwarden that wrote it" if found > ours else "Open it for writing once, to migrate it"
    return StoreVersionMismatch(
        f"The {which} {path} has schema version {found}; this Planwarden works with version {ours}.",
        remedy=f"{advice}, or set PLANWARDEN_HOME to another folder.",
    )


def other_application(path: Path, *, found: int, version: int, ours: int) -> StoreVersionMismatch:
    """Say that the file at `path` is some other program's database."""
    return StoreVersionMismatch(
        f"{path} is an SQLite database, but not a Planwarden journal (application id {found:#010x}, "
        f"schema version {version}; a journal of this Planwarden has version {ours}).",
        remedy="Nothing was changed in it. Set PLANWARDEN_HOME to another folder.",
    )
