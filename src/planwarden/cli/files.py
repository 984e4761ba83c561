"""Files that a command writes where an option says."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from planwarden.errors import DataRejected


def check_writable(path: Path | None, option: str) -> None:
    """Find out before long work that a file could not be written; what it holds stays as it is.

    Raises:
        DataRejected: it cannot be.
    """
    if path is not None:
        _put(path, "", option, "a")


def write_file(path: Path, text: str, option: str) -> None:
    """Write a file, in place of what it held.

    Raises:
        DataRejected: it cannot be written.
    """
    _put(path, text, option, "w")


def _put(path: Path, text: str, option: str, mode: Literal["w", "a"]) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DataRejected(
            f"{path} cannot be written: {error.strerror}.",
            remedy=f"Name a file that can be written with {option}.",
        ) from error
