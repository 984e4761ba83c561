"""Words and parts of words as weighted vectors: how alike two texts are to the letter.

Each word counts as a whole and by its runs of three to five letters (Cavnar & Trenkle 1994), hashed into a
fixed number of places and weighted by how rare they are (inverse document frequency, Spärck Jones 1972).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PLACES = 1 << 16
_RUNS = (3, 4, 5)


@lru_cache(maxsize=50_000)
def grams_of(word: str) -> tuple[int, ...]:
    """Give the places of a word: its own, and those of its runs of letters."""
    marked = f"<{word}>"
    runs = [marked[at : at + n] for n in _RUNS for at in range(len(marked) - n + 1)]
    return tuple(zlib.crc32(text.encode()) % PLACES for text in (f"W{word}", *runs))


@dataclass(frozen=True, slots=True)
class Grams:
    """A sparse vector of length 1, or an empty one: places and their weights."""

    places: Ints
    weights: Floats

    def spread(self) -> Floats:
        """Give it as a dense vector of PLACES numbers."""
        dense = np.zeros(PLACES, np.float32)
        dense[self.places] = self.weights
        return dense


@dataclass(frozen=True, slots=True)
class Lexicon:
    """How much each place weighs."""

    rarity: Floats
    """Shape (PLACES,)."""

    def grams(self, words: Iterable[str]) -> Grams:
        """Give the vector of some words."""
        counted = counted_grams(words)
        places = np.fromiter(counted, np.int64, len(counted))
        weights = np.sqrt(np.fromiter(counted.values(), np.float32, len(counted))) * self.rarity[places]
        length = float(np.linalg.norm(weights))
        return Grams(places, weights / np.float32(length) if length else weights)


def counted_grams(words: Iterable[str]) -> dict[int, float]:
    """Count the places of some words, so that a long word weighs about as much as a short one."""
    counted: dict[int, float] = {}
    for word in words:
        own = grams_of(word)
        for place in own:
            counted[place] = counted.get(place, 0.0) + len(own) ** -0.5
    return counted


@dataclass(frozen=True, slots=True)
class GramRows:
    """Many sparse vectors, one after the other."""

    places: Ints
    weights: Floats
    lengths: Ints
    starts: Ints = field(init=False)
    """Where each row begins."""

    def __post_init__(self) -> None:
        """Find where rows begin."""
        object.__setattr__(self, "starts", np.cumsum(self.lengths) - self.lengths)

    @staticmethod
    def of(rows: Sequence[Grams]) -> GramRows:
        """Put vectors together."""
        return GramRows(
            np.concatenate([row.places for row in rows]) if rows else np.zeros(0, np.int64),
            np.concatenate([row.weights for row in rows]) if rows else np.zeros(0, np.float32),
            np.array([len(row.places) for row in rows], np.int64),
        )

    def row(self, at: int) -> Grams:
        """Give one vector."""
        start = int(self.starts[at])
        end = start + int(self.lengths[at])
        return Grams(self.places[start:end], self.weights[start:end])

    def chosen(self, rows: Sequence[int]) -> GramRows:
        """Give some of the rows, in that order."""
        wanted = np.asarray(rows, np.int64)
        lengths = self.lengths[wanted]
        starts = np.repeat(self.starts[wanted], lengths) if len(wanted) else wanted
        within = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(
            np.cumsum(lengths) - lengths, lengths
        )
        return GramRows(self.places[starts + within], self.weights[starts + within], lengths)

    def likeness(self, dense: Floats) -> Floats:
        """Give the cosine of each row with a dense vector, shape (rows,)."""
        found = np.zeros(len(self.lengths), np.float32)
        filled = np.flatnonzero(self.lengths)
        if len(filled):
            products = dense[self.places] * self.weights
            found[filled] = np.add.reduceat(products, self.starts[filled])
        return found
