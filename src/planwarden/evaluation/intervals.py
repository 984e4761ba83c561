"""Means with 95 % bootstrap intervals (Efron 1979, percentile method). Pure: the seed is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, quantiles

RESAMPLES = 1_000
SEED = 20261123


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, its 95 % interval, and over how many values."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and between which quartiles the middle half of them lies."""

    median: float
    low: float
    high: float


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
    """Give the unweighted mean over groups' means; resampled within each group.

    As many samples lie below the interval as above it: values of the other sign have its mirror image.
    """
    random = Random(seed)  # noqa: S311 - statistics, not secrets
    kept = [values for values in groups.values() if values]
    means = sorted(
        fmean(fmean(random.choices(values, k=len(values))) for values in kept) for _ in range(resamples)
    )
    outside = int(0.025 * (resamples - 1))
    return Estimate(
        mean=fmean(fmean(values) for values in kept),
        low=means[outside],
        high=means[-1 - outside],
        count=sum(map(len, kept)),
    )


def spread_of(values: Sequence[float]) -> Spread:
    """Give the median and the quartiles of at least one value (interpolated between neighbours)."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def mean_spread(groups: Iterable[Spread]) -> Spread:
    """Give the unweighted means over groups of their medians and of their quartiles."""
    kept = tuple(groups)
    return Spread(
        fmean(each.median for each in kept),
        fmean(each.low for each in kept),
        fmean(each.high for each in kept),
    )


def paired_estimate(
    groups: Mapping[str, Sequence[tuple[float, float]]], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Estimate:
    """Give the unweighted mean over groups of how much the second of each pair is above the first.

    Both values of a pair belong to one task, so that what makes a task hard weighs on neither side; one group
    gives the mean over all pairs.
    """
    above = {name: [second - first for first, second in pairs] for name, pairs in groups.items()}
    return macro_estimate(above, resamples=resamples, seed=seed)
