"""Counting in constant memory: quantiles, names, shares with their intervals. Pure."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from planwarden.audit.report.figures import Latencies, Share

_Z = 1.959964
"""Of a 95 % interval."""
_ERROR = 0.02
_GROWTH = (1 + _ERROR) / (1 - _ERROR)
_LEAST_S, _MOST_S = 1e-4, 1e6


@dataclass(slots=True)
class Sketch:
    """Quantiles of durations within 2 %, whatever their number (DDSketch: Masson, Rim, Lee 2019)."""

    counts: Counter[int] = field(default_factory=Counter[int])

    def add(self, seconds: float) -> None:
        """Count one duration."""
        bounded = min(max(seconds, _LEAST_S), _MOST_S)
        self.counts[math.ceil(math.log(bounded) / math.log(_GROWTH))] += 1

    def quantile(self, share: float) -> float | None:
        """Give the duration that this share of all is at most; None of nothing."""
        rank, seen = max(1, math.ceil(share * self.counts.total())), 0
        for place in sorted(self.counts):
            seen += self.counts[place]
            if seen >= rank:
                return 2 * _GROWTH**place / (_GROWTH + 1)
        return None

    @property
    def latencies(self) -> Latencies:
        """Give the quantiles that a report shows."""
        p50, p90, p99 = map(self.quantile, (0.5, 0.9, 0.99))
        return Latencies(count=self.counts.total(), p50_s=p50, p90_s=p90, p99_s=p99)


def share_of(count: int, of: int) -> Share:
    """Give a share with its 95 % interval (Wilson 1927); of nothing it may be anything."""
    if of == 0:
        return Share(count=0, of=0, low=0.0, high=1.0)
    right = count / of
    middle = (right + _Z**2 / (2 * of)) / (1 + _Z**2 / of)
    half = _Z / (1 + _Z**2 / of) * math.sqrt(right * (1 - right) / of + _Z**2 / (4 * of**2))
    low, high = min(right, max(0.0, middle - half)), max(right, min(1.0, middle + half))
    return Share(count=count, of=of, low=low, high=high)
