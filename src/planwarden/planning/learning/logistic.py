"""Logistic regression by Newton's method (iteratively reweighted least squares)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_STEPS = 50
_SMALL = 1e-8


def fit_logistic(
    rows: Floats, right: NDArray[np.bool_], *, ridge: float, weights: Floats | None = None
) -> Floats:
    """Give the coefficients of the most likely logit, held near 0 by `ridge`.

    Args:
        rows: shape (rows, columns); a constant column, where one is wanted, is part of it.
        right: shape (rows,).
        ridge: half the weight of the squared coefficients.
        weights: how much each row counts, shape (rows,); alike when None.
    """
    x, y = rows.astype(np.float64), right.astype(np.float64)
    count = np.ones(len(x)) if weights is None else weights.astype(np.float64)
    coefficients = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ coefficients, -30, 30)))
        slope = x.T @ (count * (p - y)) + ridge * coefficients
        curve = (x * (count * p * (1 - p))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        step = np.linalg.solve(curve, slope)
        coefficients -= step
        if float(np.abs(step).max()) < _SMALL:
            break
    return coefficients.astype(np.float32)
