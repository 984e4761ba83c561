"""The journal's file: made whole or not at all, opened to write or to read, refused when not ours."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from planwarden.errors import StoreUnavailable
from planwarden.journal.sqlite.refusal import SQLITE_ERRORS, corrupt, other_version, refusal, unreachable
from planwarden.journal.sqlite.schema import SCHEMA_VERSION, migrate, require_ours, schema_version

_BUSY_S = 5.0
"""How long to wait for another process's transaction. Ours take milliseconds."""
_HEADER_BYTES = 100


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the journal at `path`, making or migrating it where needed; the caller closes the connection.

    Raises:
        StoreUnavailable: it cannot be made, opened or written.
        StoreVersionMismatch: another program or a newer Planwarden made it; it was not changed.
        StoreCorrupt: it is not an SQLite file, or is cut short.
    """
    _require_no_folder(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        cut_short = _is_cut_short(path)
    except OSError as error:
        raise unreachable(path, str(error)) from error

    def prepare(connection: sqlite3.Connection) -> None:
        _require_whole(connection, path, suspect=cut_short)
        require_ours(connection, path)
        _set_up(connection, path)
        migrate(connection)

    return _connected(path, "mode=rw", prepare)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the journal at `path` without ever writing to it, also where the disk is read-only.

    Raises:
        StoreUnavailable: it cannot be opened.
        StoreVersionMismatch: another program or another Planwarden made it.
        StoreCorrupt: it is not an SQLite file, or is cut short.
    """
    _require_no_folder(path)
    try:
        cut_short = _is_cut_short(path)
    except OSError as error:
        raise unreachable(path, str(error)) from error

    def prepare(connection: sqlite3.Connection) -> None:
        _require_whole(connection, path, suspect=cut_short)
        require_ours(connection, path)
        if schema_version(connection) < SCHEMA_VERSION:
            raise other_version(path, found=schema_version(connection), ours=SCHEMA_VERSION)

    try:
        return _connected(path, "mode=ro", prepare)
    except StoreUnavailable:
        if not _is_sealed_off(path):
            raise
        return _connected(path, "mode=ro&immutable=1", prepare)


def connect_to_wipe(path: Path) -> sqlite3.Connection:
    """Open the journal at `path` to write it anew; it is ours and whole, for it was opened before."""
    connection = connect(path, "mode=rw")
    _set_up(connection, path)
    return connection


def _connected(path: Path, how: str, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    try:
        connection = connect(path, how)
        try:
            prepare(connection)
        except BaseException:
            connection.close()
            raise
    except SQLITE_ERRORS as error:
        raise refusal(error, path) from error
    return connection


def connect(path: Path, how: str) -> sqlite3.Connection:
    """Open a file plainly, as `mode=ro` and the like of SQLite's addresses say; the caller closes it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY_S, isolation_level=None
    )
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str:
    """Read text that may be damaged: what is not UTF-8 is for the chain to find, and must not stop a copy."""
    return data.decode("utf-8", "surrogateescape")


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    mode: tuple[str] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode[0] != "wal":
        raise unreachable(path, f"its file system cannot share a write-ahead log (journal mode {mode[0]})")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")


def _make(path: Path) -> None:
    """Make an empty journal elsewhere and link it into place, so that nobody ever sees half of one.

    When another process was first, its file stays. SQLite flushes the folder when it begins the log.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        new = Path(folder) / path.name
        try:
            connection = connect(new, "mode=rwc")
            try:
                _set_up(connection, path)
                migrate(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise refusal(error, path) from error
        with suppress(FileExistsError):  # made by another process meanwhile, as whole as ours
            new.chmod(0o600)  # whatever the folder lets others see: it holds what people asked
            os.link(new, path)


def _require_no_folder(path: Path) -> None:
    try:
        folder = path.is_dir()
    except OSError as error:  # a folder above it may not be looked into
        raise unreachable(path, str(error)) from error
    if folder:
        raise unreachable(path, "it is a folder")


def _is_cut_short(path: Path) -> bool:
    """Tell whether the file is smaller than its header says, which can also be a checkpoint under way.

    Never opens the file past SQLite: closing it again would give up every lock that this process has on it
    (POSIX), and another process would then take away the log that a live connection here writes to.

    Raises:
        OSError: it cannot be read.
        StoreCorrupt: there is no header.
    """
    size = path.stat().st_size
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if size < _HEADER_BYTES:
        raise corrupt(path, "it does not begin like an SQLite file" if size else "it is empty")
    try:
        with closing(connect(path, "mode=ro&immutable=1")) as connection:
            pages: tuple[int] = connection.execute("PRAGMA page_count").fetchone()
            page_bytes: tuple[int] = connection.execute("PRAGMA page_size").fetchone()
    except SQLITE_ERRORS as error:
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code == sqlite3.SQLITE_CORRUPT:
            return True
        if code == sqlite3.SQLITE_NOTADB:
            raise corrupt(path, "it does not begin like an SQLite file") from error
        raise refusal(error, path) from error
    return size < pages[0] * page_bytes[0]


def _require_whole(connection: sqlite3.Connection, path: Path, *, suspect: bool) -> None:
    if not suspect:
        return
    if _log_is_empty(path) and _is_cut_short(path):
        raise corrupt(path, "it is cut short")
    verdict: tuple[str] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict[0] != "ok":
        raise corrupt(path, f"it is cut short ({verdict[0]})")


def _is_sealed_off(path: Path) -> bool:
    """Tell whether the folder is read-only and nothing is left in the write-ahead log.

    Then, and only then, may SQLite read the file without the shared-memory file that it cannot make there:
    a live writer elsewhere would have made one.
    """
    return _log_is_empty(path) and not os.access(path.parent, os.W_OK)


def _log_is_empty(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return not log.exists() or log.stat().st_size == 0
