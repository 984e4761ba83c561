"""Folders in which a backup is packed or unpacked, and what killed processes left of them.

Whoever is at work in one holds a lock on it, which goes with the process: one that is not locked was left.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # no such locks on this system: what a crash left there stays, and is named
    fcntl = None

SUFFIX = ".planwarden-scratch"


@contextmanager
def scratch(folder: Path, name: str) -> Generator[Path]:
    """Give a folder of our own in another one; it is gone afterwards, and so are those that were left there.

    Raises:
        OSError: it cannot be made.
    """
    sweep(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-", suffix=SUFFIX) as made:
        handle = _locked(Path(made))
        try:
            yield Path(made)
        finally:
            if handle is not None:
                os.close(handle)


def sweep(folder: Path) -> None:
    """Delete what processes that were killed left in a folder; what cannot be deleted stays `left_in` it."""
    for path in left_in(folder):
        handle = _locked(path)
        if handle is not None:
            try:
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)


def left_in(folder: Path) -> list[Path]:
    """Give the scratch folders in another one: left, or with somebody at work in them."""
    return [path for path in folder.glob(f".*{SUFFIX}") if path.is_dir() and not path.is_symlink()]


def _locked(path: Path) -> int | None:
    """Lock a folder until the handle is closed; None where somebody else has it, or it is gone."""
    if fcntl is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
