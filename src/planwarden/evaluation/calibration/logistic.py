"""Logistic regression: ridge towards given values, some coefficients held at 0 or above. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEPS = 60
CLOSE = 1e-9


def sigmoid(logits: Array) -> Array:
    """Give the probabilities of logits, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), dtype=np.float64)


def log_loss(logits: Array, labels: Array) -> Array:
    """Give the loss of each case in nats, from its logit."""
    return np.asarray(np.logaddexp(0.0, logits) - labels * logits, dtype=np.float64)


def fit_logistic(
    inputs: Array,
    labels: Array,
    towards: Array,
    *,
    ridge: float = 1.0,
    at_least_zero: Sequence[int] = (),
) -> Array:
    """Give the coefficients of the likeliest logistic model (Newton's method, i.e. IRLS).

    A coefficient that has to be 0 or above and would not be is held at 0, and the others are fitted anew,
    the worst offender first (an active-set method).

    Args:
        inputs: cases by coefficients, shape (n, k); a column of ones for the bias.
        labels: 0 or 1, shape (n,).
        towards: what each coefficient is drawn to, shape (k,).
        ridge: how strongly; counts like so many units of squared input.
        at_least_zero: columns whose coefficient may not be negative.
    """
    held: list[int] = []
    while True:
        free = [k for k in range(inputs.shape[1]) if k not in held]
        found = np.zeros(inputs.shape[1])
        found[free] = _newton(inputs[:, free], labels, towards[free], ridge)
        broken = [k for k in at_least_zero if found[k] < 0.0]
        if not broken:
            return found
        held.append(min(broken, key=lambda k: float(found[k])))


def _newton(inputs: Array, labels: Array, towards: Array, ridge: float) -> Array:
    found = towards.astype(np.float64).copy()
    loss = _penalised(inputs, labels, towards, ridge, found)
    for _ in range(STEPS):
        chances = sigmoid(inputs @ found)
        slope = inputs.T @ (chances - labels) + ridge * (found - towards)
        bend = (inputs * (chances * (1.0 - chances))[:, None]).T @ inputs + ridge * np.eye(len(found))
        step = np.linalg.solve(bend, slope)
        size = 1.0
        while size > CLOSE:
            tried = found - size * step
            less = _penalised(inputs, labels, towards, ridge, tried)
            if less <= loss:
                break
            size /= 2.0
        else:
            return found
        done = loss - less < CLOSE * (1.0 + loss)
        found, loss = tried, less
        if done:
            return found
    return found


def _penalised(inputs: Array, labels: Array, towards: Array, ridge: float, at: Array) -> float:
    return float(log_loss(inputs @ at, labels).sum() + 0.5 * ridge * np.square(at - towards).sum())
