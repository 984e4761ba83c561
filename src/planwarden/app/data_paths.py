"""The data paths of a task, as the record keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def absolute_paths(paths: Sequence[str]) -> tuple[str, ...]:
    """Make paths absolute, so that a run resumes from any folder; a path that is none is refused later."""
    return tuple(path if "\x00" in path else str(Path(path).expanduser().absolute()) for path in paths)
