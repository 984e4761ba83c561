"""Boosted regression trees (Friedman 2001), evaluated in NumPy. Grown by `planwarden tune ranker`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """Trees whose leaves add up to a logit. All arrays have shape (trees, nodes)."""

    feature: Ints
    """Which column a node looks at; −1 at a leaf."""
    threshold: Floats
    """A row goes left where its value is at most this."""
    left: Ints
    right: Ints
    value: Floats
    """Of a leaf; of a forest of several runs, already divided by their number."""

    def probability(self, rows: Floats) -> NDArray[np.float64]:
        """Give a probability for each row, shape (rows,)."""
        logits = [self._logits(rows[at : at + _ROWS_AT_ONCE]) for at in range(0, len(rows), _ROWS_AT_ONCE)]
        whole = np.concatenate(logits) if logits else np.zeros(0)
        return 1.0 / (1.0 + np.exp(-whole))

    def _logits(self, rows: Floats) -> NDArray[np.float64]:
        trees = np.arange(len(self.feature))[None, :]
        each = np.arange(len(rows))[:, None]
        node = np.zeros((len(rows), len(self.feature)), np.int32)
        while True:
            feature = self.feature[trees, node]
            inner = feature >= 0
            if not inner.any():
                return self.value[trees, node].sum(1, dtype=np.float64)
            goes_left = rows[each, np.maximum(feature, 0)] <= self.threshold[trees, node]
            step = np.where(goes_left, self.left[trees, node], self.right[trees, node])
            node = np.where(inner, step, node)

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Give its arrays under names of their own, to be stored."""
        return {
            f"{prefix}.feature": self.feature.astype(np.int16),
            f"{prefix}.threshold": self.threshold,
            f"{prefix}.left": self.left.astype(np.int16),
            f"{prefix}.right": self.right.astype(np.int16),
            f"{prefix}.value": self.value,
        }


def read_forest(arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> Forest:
    """Read what `Forest.arrays` gave.

    Raises:
        KeyError: it is not there.
        ValueError: its arrays make no trees.
    """
    forest = Forest(
        feature=arrays[f"{prefix}.feature"].astype(np.int32),
        threshold=arrays[f"{prefix}.threshold"].astype(np.float32),
        left=arrays[f"{prefix}.left"].astype(np.int32),
        right=arrays[f"{prefix}.right"].astype(np.int32),
        value=arrays[f"{prefix}.value"].astype(np.float32),
    )
    shape = forest.feature.shape
    arrays_of = (forest.threshold, forest.left, forest.right, forest.value)
    if forest.feature.ndim != 2 or not forest.feature.size or any(each.shape != shape for each in arrays_of):
        msg = f"{prefix} has arrays of different shapes"
        raise ValueError(msg)
    inner, places = forest.feature >= 0, np.arange(shape[1], dtype=np.int32)[None, :]
    if any((~((way > places) & (way < shape[1])) & inner).any() for way in (forest.left, forest.right)):
        msg = f"{prefix} has nodes that lead nowhere"  # or back: then it would never end
        raise ValueError(msg)
    return forest
