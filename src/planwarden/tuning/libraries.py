"""The libraries that only training needs, imported when it begins."""

from __future__ import annotations

import importlib
from typing import Any

from planwarden.errors import SettingsRejected, installing

NEEDED = ("gguf", "tokenizers", "torch")
"""What training cannot do without."""


def check_libraries() -> None:
    """Import all that training needs, so that nothing is missed half-way. Blocks.

    Raises:
        SettingsRejected: one is not installed.
    """
    for name in NEEDED:
        library(name)


def library(name: str) -> Any:  # noqa: ANN401 - these libraries are not installed where types are checked
    """Import a library of the `tune` extra.

    Raises:
        SettingsRejected: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SettingsRejected(
            f"Tuning needs {name.partition('.')[0]}, which is not installed ({error}).",
            remedy=f"Run {installing('tune')}; running Planwarden needs none of it.",
        ) from error
