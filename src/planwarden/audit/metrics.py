"""What all runs of a journal add up to: a fold over runs, made into text by `exposition`. Pure.

Every label has a closed set of values, and every value is present, with 0 where nothing happened yet.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import get_args

from planwarden.contracts.deviations import DEVIATION_KINDS
from planwarden.contracts.facts import RunOutcome
from planwarden.contracts.plan import PlanSource, Rung
from planwarden.contracts.run import CallStatus, RunState

PROVIDERS = ("ollama", "openai", "embedded", "other")
"""`other`: any provider that is not one of ours, so that the label stays bounded."""
SOURCES: tuple[str, ...] = get_args(PlanSource)
RUNGS: tuple[str, ...] = get_args(Rung)
OUTCOMES: tuple[str, ...] = get_args(RunOutcome)
OPEN = ("running", "waiting", "in_doubt")
CALLS: tuple[str, ...] = (*get_args(CallStatus), "refused")

LATENCY_S = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
DURATION_S = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
SHARES = (0.0, 0.25, 0.5, 0.75, 0.99, 1.0)
"""Between 0.99 and 1 lie exactly the runs that went as planned."""
STEPS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)


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

    def plus(self, value: float | None) -> Spread:
        """Add one value; nothing for None."""
        if value is None:
            return self
        place = bisect_left(self.bounds, value)
        counts = tuple(count + (at == place) for at, count in enumerate(self.counts))
        return replace(self, counts=counts, total=self.total + value)

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Give the cumulative counts as Prometheus has them."""
        names = [*(str(bound) for bound in self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


def _none(names: Sequence[str]) -> Mapping[str, int]:
    return dict.fromkeys(names, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What all runs so far add up to."""

    latency: Mapping[str, Spread] = field(
        default_factory=lambda: {provider: Spread.over(LATENCY_S) for provider in PROVIDERS}
    )
    adherence: Spread = field(default_factory=lambda: Spread.over(SHARES))
    duration: Spread = field(default_factory=lambda: Spread.over(DURATION_S))
    steps: Spread = field(default_factory=lambda: Spread.over(STEPS))
    deviations: Mapping[str, int] = field(default_factory=lambda: _none(DEVIATION_KINDS))
    plans: Mapping[str, int] = field(default_factory=lambda: _none(SOURCES))
    refusals: Mapping[str, int] = field(default_factory=lambda: _none(RUNGS))
    outcomes: Mapping[str, int] = field(default_factory=lambda: _none(OUTCOMES))
    still_open: Mapping[str, int] = field(default_factory=lambda: _none(OPEN))
    calls: Mapping[str, int] = field(default_factory=lambda: _none(CALLS))
    damaged: int = 0

    def plus_damaged(self) -> Totals:
        """Count a run whose record cannot be read back; nothing else of it is counted."""
        return replace(self, damaged=self.damaged + 1)

    def plus(self, run: RunState) -> Totals:
        """Add one run, as far as it got. Adherence and duration count once it is over."""
        over = run.ended is not None
        plan = run.decision.plan if run.decision else None
        provider = run.started.planner.provider
        known = provider if provider in PROVIDERS else "other"
        refused = [refusal.rung for refusal in run.decision.refusals] if run.decision else []
        calls = [call.status for call in run.calls]
        calls_refused = ["refused" for step in run.steps.values() for _ in step.refused]
        return replace(
            self,
            latency=dict(self.latency) | {known: self.latency[known].plus(run.planner_latency_s)},
            adherence=self.adherence.plus(run.adherence if over else None),
            duration=self.duration.plus((run.updated_at - run.started_at).total_seconds() if over else None),
            steps=self.steps.plus(len(plan.steps) if plan else None),
            deviations=_with(self.deviations, [deviation.kind for deviation in run.deviations]),
            plans=_with(self.plans, [plan.metadata.source] if plan else []),
            refusals=_with(self.refusals, refused),
            outcomes=_with(self.outcomes, [run.status] if over else []),
            still_open=_with(self.still_open, [] if over else [run.status]),
            calls=_with(self.calls, [*calls, *calls_refused]),
        )


def _with(counts: Mapping[str, int], names: Sequence[str]) -> Mapping[str, int]:
    if not names:
        return counts
    return {name: count + names.count(name) for name, count in counts.items()}
