"""Boosted regression trees (Friedman 2001), evaluated in NumPy. Grown by `planwarden tune ranker`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_ROWS_AT_ONCE = 256
_MOST_LEAVES = 64
"""Of a tree, so that its leaves fit the bits of one number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masks:
    """Trees as masks: each comparison that fails rules out the leaves on its left (Lucchese et al. 2015)."""

    feature: Ints
    """Shape (nodes, trees): which column is compared; trees with fewer nodes have idle ones."""
    threshold: Floats
    """Shape (nodes, trees, 1)."""
    left_out: NDArray[np.unsignedinteger]
    """Shape (nodes, trees, 1): a bit is 0 for each leaf that is ruled out where a row goes right."""
    value: Floats
    """Of the leaves of all trees, from left to right, `width` for each."""
    width: int


@dataclass(frozen=True, kw_only=True)
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

    @cached_property
    def _masks(self) -> _Masks | None:
        """Give the trees as masks, made once; None where one has too many leaves."""
        trees = [_leaves_left(self, tree) for tree in range(len(self.feature))]
        width = max(len(leaves) for leaves, _ in trees)
        depth = max(1, *(len(inner) for _, inner in trees))
        if width > _MOST_LEAVES:
            return None
        bits = np.dtype(np.uint16 if width <= 16 else np.uint32 if width <= 32 else np.uint64)
        whole = int(np.iinfo(bits).max)
        feature = np.zeros((depth, len(trees)), np.int32)
        threshold = np.full((depth, len(trees), 1), np.inf, np.float32)
        left_out = np.full((depth, len(trees), 1), whole, bits)
        value = np.zeros((len(trees), width), np.float32)
        for tree, (leaves, inner) in enumerate(trees):
            value[tree, : len(leaves)] = self.value[tree, leaves]
            for at, (node, first, end) in enumerate(inner):
                feature[at, tree], threshold[at, tree, 0] = (
                    self.feature[tree, node],
                    self.threshold[tree, node],
                )
                left_out[at, tree, 0] = whole ^ ((1 << end) - (1 << first))
        return _Masks(
            feature=feature, threshold=threshold, left_out=left_out, value=value.ravel(), width=width
        )

    def _logits(self, rows: Floats) -> NDArray[np.float64]:
        masks = self._masks
        if masks is None:
            return self._walked(rows)
        columns = np.ascontiguousarray(rows.T)
        trees = np.arange(len(self.feature))[:, None] * masks.width
        still = np.full(
            (len(self.feature), len(rows)), np.iinfo(masks.left_out.dtype).max, masks.left_out.dtype
        )
        for feature, threshold, left_out in zip(masks.feature, masks.threshold, masks.left_out, strict=True):
            goes_left = columns[feature] <= threshold
            still &= left_out | -goes_left.astype(still.dtype)
        leaf = np.bitwise_count((still & -still) - still.dtype.type(1))  # the leftmost that is left
        return np.ascontiguousarray(masks.value.take(trees + leaf).T).sum(1, dtype=np.float64)

    def _walked(self, rows: Floats) -> NDArray[np.float64]:
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


def _leaves_left(forest: Forest, tree: int) -> tuple[list[int], list[tuple[int, int, int]]]:
    """Give a tree's leaves from left to right, and of each inner node which of them lie to its left.

    As (node, first, end): leaves number `first` up to before `end`.
    """
    leaves: list[int] = []
    inner: list[tuple[int, int, int]] = []
    waiting: list[tuple[int, int | None]] = [(0, None)]
    while waiting and len(leaves) <= _MOST_LEAVES:
        node, first = waiting.pop()
        if first is not None:  # its left side has been gone through
            inner.append((node, first, len(leaves)))
        elif forest.feature[tree, node] < 0:
            leaves.append(node)
        else:
            waiting += [
                (int(forest.right[tree, node]), None),
                (node, len(leaves)),
                (int(forest.left[tree, node]), None),
            ]
    return leaves, inner
