"""How good stated probabilities are: calibration error, ranking, risk against coverage. Pure.

Everything is over pairs of a confidence and whether what it was said of was right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import sqrt
from random import Random
from statistics import fmean

from planwarden.evaluation.intervals import SEED, Estimate

Case = tuple[float, bool]
"""A confidence, 0 to 1, and whether it was right."""
BINS = 10
LEAST_IN_A_BIN = 10
"""Of few cases fewer bins are made."""
RESAMPLES = 500
_Z = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Cases of like confidence: how sure they were, and how many were right."""

    count: int
    confidence: float
    """Mean."""
    right: float
    """Share."""
    low: float
    high: float
    """95 % interval of the share (Wilson 1927)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPoint:
    """What is risked when only the surest are followed."""

    coverage: float
    """Share that is followed."""
    risk: float
    """Share of those that is wrong."""
    confidence: float
    """The least sure of those: the minimum to set for this coverage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sureness:
    """The figures of a set of cases, with 95 % bootstrap intervals."""

    cases: int
    right: float
    """Share."""
    ece: Estimate
    ece_by_chance: float
    """What so many cases would show if the confidence were perfect: the calibration error is never 0."""
    auroc: Estimate | None
    """None where all are right or all wrong: there is nothing to rank."""
    brier: Estimate
    aurc: Estimate
    bins: tuple[Bin, ...]
    curve: tuple[RiskPoint, ...]


def sureness(cases: Sequence[Case], *, resamples: int = RESAMPLES, seed: int = SEED) -> Sureness:
    """Give every figure of at least one case."""
    bins = max(2, min(BINS, len(cases) // LEAST_IN_A_BIN))
    error = partial(expected_calibration_error, bins=bins)
    random = Random(seed)  # noqa: S311 - statistics, not secrets
    drawn = [random.choices(cases, k=len(cases)) for _ in range(resamples)]
    mixed = [each for each in drawn if _is_mixed(each)]
    chance = [
        error([(each, random.random() < each) for each, _ in cases]) for _ in range(min(resamples, 200))
    ]
    ece_again = [error(each) for each in drawn]
    return Sureness(
        cases=len(cases),
        right=fmean(right for _, right in cases),
        ece=_centred(_estimate(error(cases), ece_again, cases), fmean(ece_again)),
        ece_by_chance=fmean(chance),
        auroc=_estimate(auroc(cases), map(auroc, mixed), cases) if _is_mixed(cases) else None,
        brier=_estimate(brier(cases), map(brier, drawn), cases),
        aurc=_estimate(
            area_under(risk_coverage(cases)), (area_under(risk_coverage(d)) for d in drawn), cases
        ),
        bins=reliability_bins(cases, bins),
        curve=risk_coverage(cases),
    )


def reliability_bins(cases: Sequence[Case], bins: int = BINS) -> tuple[Bin, ...]:
    """Cut the cases, in order of confidence, into bins of equal mass.

    Cases of the same confidence stay together, in the bin where their middle falls; so there may be fewer
    bins than asked for.
    """
    held: dict[int, list[Case]] = {}
    seen = 0
    for tied in _tied(cases):
        place = int((seen + len(tied) / 2) * bins / len(cases))
        held.setdefault(place, []).extend(tied)
        seen += len(tied)
    return tuple(_bin(own) for own in held.values())


def expected_calibration_error(cases: Sequence[Case], bins: int = BINS) -> float:
    """Give the mean distance of confidence and share right over equal-mass bins (Naeini et al. 2015)."""
    found = reliability_bins(cases, bins)
    return sum(each.count * abs(each.confidence - each.right) for each in found) / len(cases)


def brier(cases: Sequence[Case]) -> float:
    """Give the mean squared distance of confidence and outcome (Brier 1950)."""
    return fmean((confidence - right) ** 2 for confidence, right in cases)


def auroc(cases: Sequence[Case]) -> float:
    """Give how often a right case is surer than a wrong one, ties counting half (Mann & Whitney 1947).

    Raises:
        ZeroDivisionError: all are right, or all wrong.
    """
    ranks, seen = 0.0, 0
    for tied in _tied(cases):
        ranks += sum(right for _, right in tied) * (seen + (len(tied) + 1) / 2)
        seen += len(tied)
    good = sum(right for _, right in cases)
    return (ranks - good * (good + 1) / 2) / (good * (len(cases) - good))


def risk_coverage(cases: Sequence[Case]) -> tuple[RiskPoint, ...]:
    """Give the risk at each coverage, from the surest case alone to all (El-Yaniv & Wiener 2010).

    Cases of the same confidence cannot be told apart; each of them is as wrong as they are on average.
    """
    points: list[RiskPoint] = []
    wrong, seen = 0.0, 0
    for tied in reversed(_tied(cases)):
        share = fmean(not right for _, right in tied)
        for _ in tied:
            seen, wrong = seen + 1, wrong + share
            points.append(RiskPoint(coverage=seen / len(cases), risk=wrong / seen, confidence=tied[0][0]))
    return tuple(points)


def area_under(curve: Sequence[RiskPoint]) -> float:
    """Give the mean risk over all coverages, the AURC (Geifman & El-Yaniv 2017); lower is better."""
    return fmean(point.risk for point in curve)


def minimum_for(curve: Sequence[RiskPoint], risk: float) -> RiskPoint | None:
    """Give the point of the widest coverage whose risk is at most this; None where there is none."""
    good = [point for at, point in enumerate(curve) if point.risk <= risk and _is_whole(curve, at)]
    return good[-1] if good else None


def _is_whole(curve: Sequence[RiskPoint], at: int) -> bool:
    """Say whether all cases of that confidence are followed: a minimum cannot part equals."""
    return at + 1 == len(curve) or curve[at + 1].confidence < curve[at].confidence


def _tied(cases: Sequence[Case]) -> list[list[Case]]:
    return [list(own) for _, own in groupby(sorted(cases), key=lambda case: case[0])]


def _is_mixed(cases: Sequence[Case]) -> bool:
    return 0 < sum(right for _, right in cases) < len(cases)


def _bin(cases: Sequence[Case]) -> Bin:
    count = len(cases)
    right = fmean(right for _, right in cases)
    middle = (right + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * sqrt(right * (1 - right) / count + _Z**2 / (4 * count**2))
    return Bin(
        count=count,
        confidence=fmean(confidence for confidence, _ in cases),
        right=right,
        low=min(right, max(0.0, middle - half)),
        high=max(right, min(1.0, middle + half)),
    )


def _centred(found: Estimate, again: float) -> Estimate:
    """Shift an interval by the bootstrap's own bias: resampling adds noise, which counts as error."""
    bias = again - found.mean
    low, high = (max(0.0, edge - bias) for edge in (found.low, found.high))
    return Estimate(found.mean, low, high, found.count)


def _estimate(value: float, again: Iterable[float], cases: Sequence[Case]) -> Estimate:
    found = sorted(again)
    if not found:
        return Estimate(value, value, value, len(cases))
    last = len(found) - 1
    return Estimate(value, found[int(0.025 * last)], found[int(0.975 * last)], len(cases))
