"""What lessons say of each tool by regression over meanings. Pure.

Votes of the nearest lessons count what is near; regression also knows which lessons are near to each other
and say the same twice, and which tool makes the difference between two that are near. It is kernel ridge
regression, the mean of a Gaussian process (Rasmussen & Williams 2006, ch. 2), over the nearest lessons only
(local regression), so that its cost does not grow with the memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.ranking.lessons import Recalled

Floats = NDArray[np.float32]

NEAREST = 200
"""Lessons that are regressed over."""
NARROWNESS = 2.0
"""The kernel is exp(−NARROWNESS × (1 − cosine)). Of 2, 4 and 8 the best in cross-validation, as of 0.5 and 1
the noise."""
NOISE = 0.5
"""Added to a lesson's own kernel, divided by its weight: one that counts twice is doubted half as much."""


def taught(embeddings: Floats, recalled: Recalled, names: Sequence[str]) -> Floats:
    """Give how far lessons expect each tool for each part of a request: about 1 where they do, 0 elsewhere.

    Args:
        embeddings: of the request and its parts, each of length 1; shape (parts, 384).
        recalled: what lessons say of the request.
        names: the tools at hand.

    Returns:
        Shape (parts, tools); zeros where no lesson is about a tool at hand.
    """
    book, near = recalled.book, recalled.near
    if not len(near):
        return np.zeros((len(embeddings), len(names)), np.float32)
    alike = book.embeddings[near] @ embeddings.T
    if len(near) > NEAREST:
        nearest = np.argsort(-alike.max(1), kind="stable")[:NEAREST]
        near, alike = near[nearest], alike[nearest]
    own = book.embeddings[near]
    kernel = _kernel(own @ own.T)
    kernel[np.diag_indices(len(near))] += NOISE / np.maximum(book.weights[near], 1e-6)
    column = {name: at for at, name in enumerate(names)}
    used = np.zeros((len(near), len(names)), np.float64)
    places: list[int] = near.tolist()
    for row, place in enumerate(places):
        for tool in book.lessons[place].tools:
            if tool in column:
                used[row, column[tool]] = 1.0
    return (_kernel(alike).T @ np.linalg.solve(kernel, used)).astype(np.float32)


def _kernel(cosine: Floats) -> NDArray[np.float64]:
    return np.exp(-NARROWNESS * (1.0 - cosine.astype(np.float64)))
