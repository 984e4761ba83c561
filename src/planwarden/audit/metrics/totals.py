"""What runs add up to: a fold over their summaries, of which two can be joined to one. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from operator import add

from planwarden.audit.metrics.contribution import marks
from planwarden.audit.metrics.declared import METRICS, Declared, Labels
from planwarden.contracts.summary import RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A histogram: how many values fell into each bucket, the last one open, and their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float = 0.0

    @classmethod
    def over(cls, bounds: tuple[float, ...]) -> Spread:
        """Begin with nothing."""
        return cls(bounds=bounds, counts=(0,) * (len(bounds) + 1))

    def plus(self, value: float) -> Spread:
        """Add one value."""
        place = bisect_left(self.bounds, value)
        counts = (*self.counts[:place], self.counts[place] + 1, *self.counts[place + 1 :])
        return replace(self, counts=counts, total=self.total + value)

    def joined(self, other: Spread) -> Spread:
        """Add all values of another."""
        counts = tuple(map(add, self.counts, other.counts))
        return replace(self, counts=counts, total=self.total + other.total)

    @property
    def count(self) -> int:
        """Say how many values there are."""
        return sum(self.counts)

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Give the cumulative counts as Prometheus has them."""
        names = [*(str(bound) for bound in self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


Counts = Mapping[tuple[str, Labels], float]
Spreads = Mapping[tuple[str, Labels], Spread]


def _no_counts() -> Counts:
    return {
        (each.name, labels): 0.0
        for each in METRICS.values()
        if each.kind != "histogram"
        for labels in each.values
    }


def _no_spreads() -> Spreads:
    return {
        (each.name, labels): Spread.over(each.bounds)
        for each in METRICS.values()
        if each.kind == "histogram"
        for labels in each.values
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What some runs add up to; every metric is there, with 0 where nothing happened yet."""

    counts: Counts = field(default_factory=_no_counts)
    spreads: Spreads = field(default_factory=_no_spreads)

    def of(self, name: str, *labels: str) -> float:
        """Give the value of a counter or gauge.

        Raises:
            KeyError: there is none of that name with these labels.
        """
        return self.counts[name, labels]

    def spread(self, name: str, *labels: str) -> Spread:
        """Give a histogram.

        Raises:
            KeyError: there is none of that name with these labels.
        """
        return self.spreads[name, labels]

    @property
    def damaged(self) -> int:
        """Say how many runs could not be read back."""
        return int(self.of("planwarden_damaged_runs"))

    def plus(self, runs: Iterable[RunSummary]) -> Totals:
        """Add runs, as far as they got."""
        counts, spreads = dict(self.counts), dict(self.spreads)
        for run in runs:
            for name, labels, amount in marks(run):
                metric = METRICS[name]
                key = (name, metric.place(labels))
                if metric.kind == "histogram":
                    spreads[key] = spreads[key].plus(amount)
                else:
                    counts[key] = _joined(metric, counts[key], amount)
        return Totals(counts=counts, spreads=spreads)

    def plus_gauge(self, name: str, values: Mapping[str, int]) -> Totals:
        """Add to a gauge that no run's summary tells, by the values of its one label."""
        added = {(name, (label,)): self.of(name, label) + count for label, count in values.items()}
        return replace(self, counts={**self.counts, **added})

    def plus_damaged(self, count: int = 1) -> Totals:
        """Count runs whose record cannot be read back; nothing else of them is counted."""
        key = ("planwarden_damaged_runs", ())
        return replace(self, counts={**self.counts, key: self.counts[key] + count})

    def joined(self, other: Totals) -> Totals:
        """Add all runs of another."""
        counts = {
            (name, labels): _joined(METRICS[name], value, other.counts[name, labels])
            for (name, labels), value in self.counts.items()
        }
        spreads = {key: spread.joined(other.spreads[key]) for key, spread in self.spreads.items()}
        return Totals(counts=counts, spreads=spreads)


def _joined(metric: Declared, one: float, other: float) -> float:
    if metric.kind == "oldest":
        return min(one or other, other or one)
    return one + other
