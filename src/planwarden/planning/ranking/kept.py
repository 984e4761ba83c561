"""Embeddings of a catalog's tools, kept on disk, so that a large catalog is embedded once."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planwarden.errors import DataRejected
from planwarden.planning.ranking.encoder import FORM, WIDTH, SentenceEncoder

Floats = NDArray[np.float32]

WORTH_KEEPING = 200
"""Texts from which on a file is quicker than embedding anew."""


@dataclass(frozen=True, slots=True)
class KeptEmbeddings:
    """A folder with one file for each set of texts, named by their digest."""

    folder: Path

    def prepare(self, texts: Sequence[str], encoder: SentenceEncoder) -> None:
        """Have the encoder know these texts: from their file where there is one, else embedded and filed.

        Raises:
            DataRejected: the file cannot be written.
        """
        if len(texts) < WORTH_KEEPING:
            return
        path = self.folder / f"{_name(texts)}.npy"
        found = _read(path, len(texts))
        if found is not None:
            encoder.keep(texts, found)
            return
        _write(path, encoder.encode(texts))


def _name(texts: Sequence[str]) -> str:
    whole = hashlib.sha256(FORM.encode())
    for text in texts:
        whole.update(text.encode("utf-8", "replace") + b"\x00")
    return whole.hexdigest()


def _read(path: Path, rows: int) -> Floats | None:
    """Give what a file holds; None where there is none, or it holds something else: then it is made anew."""
    try:
        with path.open("rb") as file:
            found: Floats = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    if not isinstance(found, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance] - a file may hold several
        return None
    return found if found.shape == (rows, WIDTH) and found.dtype == np.float32 else None


def _write(path: Path, embeddings: Floats) -> None:
    """Put a file in place whole or not at all."""
    beside = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            np.save(file, embeddings)
        beside.replace(path)
    except OSError as error:
        raise DataRejected(
            f"The index of the catalog cannot be kept in {path.parent}: {error.strerror}.",
            remedy="Make room or name another folder with PLANWARDEN_HOME.",
        ) from error
