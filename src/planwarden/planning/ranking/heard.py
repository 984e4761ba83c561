"""A request as the ranker hears it: its parts, their embeddings and their letters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.lexicon import Lexicon
from planwarden.planning.ranking.words import clauses, text_words

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A request, whole and in parts. Row 0 of the arrays is the whole, then one row for each clause."""

    text: str
    clauses: tuple[str, ...]
    embeddings: Floats
    """Shape (1 + clauses, 384)."""
    letters: Floats
    """Shape (1 + clauses, places)."""

    @property
    def length(self) -> int:
        """Give the number of words."""
        return len(self.text.split())


def hear(text: str, encoder: SentenceEncoder, lexicon: Lexicon) -> Heard:
    """Cut a request into its parts and embed them."""
    parts = clauses(text)
    texts = (text, *parts)
    letters = np.stack([lexicon.grams(text_words(each)).spread() for each in texts])
    return Heard(text=text, clauses=parts, embeddings=encoder.encode(texts), letters=letters)
