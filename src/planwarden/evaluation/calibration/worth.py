"""What a model's word is worth beside the prior's: weights, and whether it helps at all. Pure.

A weight is kept only where it was shown to help on tasks that it was not fitted on; see `Worth.helps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planwarden.evaluation.calibration.logistic import Array, fit_logistic, log_loss
from planwarden.evaluation.intervals import Estimate, estimate
from planwarden.planning.fusion.fuse import logit

FOLDS = 5
LEAST_TASKS = 20
"""With fewer tasks that hold a choice of a kind, the model gets no weight there: nothing can be shown."""
RIDGE = 1.0

PRIOR, MODEL, BIAS = 0, 1, 2
PRIOR_AS_IT_IS = np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One choice: what the prior and the model gave it, and whether it was right."""

    prior: float
    model: float
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """Fused logit = bias + prior·logit(prior) + model·logit(model)."""

    prior: float = 1.0
    model: float = 0.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What the model's word is worth in one kind of choice."""

    whole: Weighing
    """Fitted on every task; the prior as it is where the model does not help."""
    held_out: tuple[Weighing, ...]
    """Fold → the same, fitted on the tasks of the other folds."""
    gain: Estimate | None
    """By how many nats a task's log-loss falls when the model is heard beside the prior, on tasks not fitted
    on, with its paired interval; both are fitted anew, so that mending the prior is not the model's merit.
    None where there were too few tasks."""
    helps: bool
    """Whether the lower end of the gain is above 0, and the weight therefore kept."""
    tasks: int
    choices: int


def fold_of(place: int) -> int:
    """Give the fold of a task from its place among the tasks."""
    return place % FOLDS


def find_worth(observed: Sequence[Sequence[Observation]], *, heard: bool = True) -> Worth:
    """Fit the weights of one kind of choice, and find out whether the model helps.

    Args:
        observed: for each task, in order, its choices of this kind; may be none.
        heard: False fits the prior alone: for when the plans came out worse with the model.
    """
    some = [place for place, own in enumerate(observed) if own]
    choices = sum(map(len, observed))
    as_it_is = Worth(
        whole=Weighing(),
        held_out=(Weighing(),) * FOLDS,
        gain=None,
        helps=False,
        tasks=len(some),
        choices=choices,
    )
    if len(some) < LEAST_TASKS:
        return as_it_is
    table = {place: _rows(observed[place]) for place in some}
    alone = _per_fold(table, model=False)
    both = _per_fold(table, model=True)
    gain = estimate(
        [_loss(table[at], alone[fold_of(at)]) - _loss(table[at], both[fold_of(at)]) for at in some]
    )
    if not heard or gain.low <= 0.0:
        return replace(as_it_is, gain=gain)
    whole = _fit(list(table.values()), model=True)
    return replace(
        as_it_is, whole=_weighing(whole), held_out=tuple(map(_weighing, both)), gain=gain, helps=True
    )


_Rows = tuple[Array, Array]
"""Inputs (prior logit, model logit, 1) and labels of a task's choices."""


def _rows(observed: Sequence[Observation]) -> _Rows:
    inputs = np.array([[logit(each.prior), logit(each.model), 1.0] for each in observed])
    return inputs, np.array([float(each.right) for each in observed])


def _per_fold(table: Mapping[int, _Rows], *, model: bool) -> list[Array]:
    return [
        _fit([rows for place, rows in table.items() if fold_of(place) != fold], model=model)
        for fold in range(FOLDS)
    ]


def _fit(rows: Sequence[_Rows], *, model: bool) -> Array:
    inputs = np.concatenate([inputs for inputs, _ in rows])
    labels = np.concatenate([labels for _, labels in rows])
    columns = [PRIOR, MODEL, BIAS] if model else [PRIOR, BIAS]
    found = np.zeros(3)
    found[columns] = fit_logistic(
        inputs[:, columns],
        labels,
        PRIOR_AS_IT_IS[columns],
        ridge=RIDGE,
        at_least_zero=range(len(columns) - 1),
    )
    return found


def _loss(rows: _Rows, weights: Array) -> float:
    inputs, labels = rows
    return float(log_loss(inputs @ weights, labels).sum())


def _weighing(found: Array) -> Weighing:
    prior, model, bias = (round(float(each), 4) for each in found)
    return Weighing(prior=prior, model=model, bias=bias)
