"""A file that appears whole or not at all, and is on disk when it does. Blocks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, beside: str) -> Generator[BinaryIO]:
    """Open a file to be written; it is at `path`, in place of what was there, when the context ends well.

    Args:
        path: where it will be.
        beside: how its name begins while it is written, in the same folder; a killed process leaves one.

    Raises:
        OSError: it cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=beside)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
