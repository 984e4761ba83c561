"""Means with 95 % bootstrap intervals (Efron 1979, percentile method). Pure: the seed is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean

RESAMPLES = 1_000
SEED = 20261123


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, its 95 % interval, and over how many values."""

    mean: float
    low: float
    high: float
    count: int


def estimate(values: Sequence[float], *, resamples: int = RESAMPLES, seed: int = SEED) -> Estimate:
    """Give the mean of values with its interval.

    Args:
        values: at least one.
        resamples: how many bootstrap samples.
        seed: of the resampling.
    """
    return macro_estimate({"": values}, resamples=resamples, seed=seed)


def macro_estimate(
    groups: Mapping[str, Sequence[float]], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Estimate:
    """Give the unweighted mean over groups' means; resampled within each group."""
    random = Random(seed)  # noqa: S311 - statistics, not secrets
    kept = [values for values in groups.values() if values]
    means = sorted(
        fmean(fmean(random.choices(values, k=len(values))) for values in kept) for _ in range(resamples)
    )
    return Estimate(
        mean=fmean(fmean(values) for values in kept),
        low=means[int(0.025 * (resamples - 1))],
        high=means[int(0.975 * (resamples - 1))],
        count=sum(map(len, kept)),
    )
