"""Adding up runs, one at a time: what is kept does not grow with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from planwarden.audit.report.figures import (
    ConfidenceBin,
    ConfidenceCheck,
    ModelTrouble,
    PeriodReport,
    PlanRefusal,
    RefusedTool,
    Slot,
    Tokens,
)
from planwarden.audit.report.statistics import Sketch, share_of
from planwarden.contracts.deviations import DeviationKind
from planwarden.contracts.plan import PlanSource
from planwarden.contracts.run import RunStatus
from planwarden.contracts.summary import RunSummary

OVER: frozenset[RunStatus] = frozenset({"completed", "failed", "refused", "cancelled", "asked"})
TRIED: frozenset[RunStatus] = frozenset({"completed", "failed", "refused"})
"""Over, and neither stopped nor handed back by a person: their success says something about the plan."""
DERIVED: frozenset[PlanSource] = frozenset({"planner", "repaired", "prior"})
"""Plans whose confidence was derived as they were made."""
MAX_TOOLS = 500
"""Tools counted by name; a model can make up any number of names."""
BINS = 10
LEAST_IN_A_BIN = 10
LEAST_CASES = 50
TOP = 10


@dataclass(slots=True, kw_only=True)
class _SlotTally:
    runs: int = 0
    completed: int = 0
    measured: int = 0
    adherence: float = 0.0
    deviations: int = 0
    plans: int = 0
    fallback_plans: int = 0
    latency: Sketch = field(default_factory=Sketch)


@dataclass(slots=True)
class _BinTally:
    cases: int = 0
    successes: int = 0
    confidence: float = 0.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the runs of a period add up to so far."""

    since: datetime
    first_slot: datetime
    """Where the first slot begins, at or before `since`."""
    until: datetime
    width: timedelta
    """Of a slot."""
    runs: int = 0
    measured: int = 0
    adherence: float = 0.0
    as_planned: int = 0
    deviating: int = 0
    calibrated: int = 0
    latency: Sketch = field(default_factory=Sketch)
    outcomes: Counter[RunStatus] = field(default_factory=Counter[RunStatus])
    sources: Counter[PlanSource] = field(default_factory=Counter[PlanSource])
    deviations: Counter[DeviationKind] = field(default_factory=Counter[DeviationKind])
    plan_refusals: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    troubles: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    tokens: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    refused: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    refused_others: int = 0
    slots: dict[int, _SlotTally] = field(default_factory=dict[int, _SlotTally])
    bins: list[_BinTally] = field(default_factory=lambda: [_BinTally() for _ in range(BINS)])

    def add(self, run: RunSummary) -> None:
        """Count a run that began within the period."""
        slot = self.slots.setdefault(max(0, (run.started_at - self.first_slot) // self.width), _SlotTally())
        self.runs += 1
        self.outcomes[run.status] += 1
        self.deviations.update(run.deviations)
        self.deviating += bool(run.deviations)
        slot.runs += 1
        slot.completed += run.status == "completed"
        slot.deviations += sum(run.deviations.values())
        self._plan(run, slot)
        self._adherence(run, slot)
        self._models(run, slot)
        self._calls(run)

    def _plan(self, run: RunSummary, slot: _SlotTally) -> None:
        self.plan_refusals.update((refusal.rung, refusal.reason) for refusal in run.refusals)
        if run.source is None:
            return
        self.sources[run.source] += 1
        slot.plans += 1
        slot.fallback_plans += run.source == "fallback"
        if run.confidence is None or run.source not in DERIVED or run.status not in TRIED:
            return
        if run.adherence is None:
            return
        own = self.bins[min(BINS - 1, int(run.confidence * BINS))]
        own.cases += 1
        own.confidence += run.confidence
        own.successes += run.status == "completed" and run.adherence == 1.0
        self.calibrated += run.calibrated

    def _adherence(self, run: RunSummary, slot: _SlotTally) -> None:
        if run.adherence is None or run.status not in OVER:
            return
        for counted in (self, slot):
            counted.measured += 1
            counted.adherence += run.adherence
        self.as_planned += run.adherence == 1.0

    def _models(self, run: RunSummary, slot: _SlotTally) -> None:
        if run.planner_latency_s is not None:
            self.latency.add(run.planner_latency_s)
            slot.latency.add(run.planner_latency_s)
        for fault in run.model_faults:
            self.troubles[fault.role, fault.code] += fault.count
        for cost in run.tokens:
            counts = {"prompt": cost.prompt, "cached": cost.cached, "output": cost.output}
            self.tokens.setdefault(cost.role, Counter()).update({**counts, "exchanges": cost.calls})

    def _calls(self, run: RunSummary) -> None:
        for call in run.calls:
            if call.status != "refused" or call.refusal is None:
                continue
            if call.tool in self.refused or len(self.refused) < MAX_TOOLS:
                self.refused.setdefault(call.tool, Counter())[call.refusal] += 1
            else:
                self.refused_others += 1

    def report(self, *, unreadable: int, tenant: str | None) -> PeriodReport:
        """Say what it all adds up to."""
        named = sorted(self.refused.items(), key=lambda item: (-item[1].total(), item[0]))
        beyond = sum(counts.total() for _, counts in named[TOP:])
        return PeriodReport(
            since=self.since,
            until=self.until,
            tenant=tenant,
            runs=self.runs,
            unreadable=unreadable,
            outcomes=dict(self.outcomes.most_common()),
            sources=dict(self.sources.most_common()),
            adherence=self.adherence / self.measured if self.measured else None,
            as_planned=share_of(self.as_planned, self.measured),
            deviating=share_of(self.deviating, self.runs),
            deviations=dict(self.deviations.most_common()),
            fallback=share_of(self.sources["fallback"], self.sources.total()),
            latency=self.latency.latencies,
            slots=tuple(self._slots()),
            confidence=self._confidence(),
            refused_tools=tuple(
                RefusedTool(tool=tool, count=counts.total(), refusals=dict(counts.most_common()))
                for tool, counts in named[:TOP]
            ),
            refused_others=self.refused_others + beyond,
            plan_refusals=tuple(
                PlanRefusal(rung=rung, reason=reason, count=count)
                for (rung, reason), count in self.plan_refusals.most_common()
            ),
            model_troubles=tuple(
                ModelTrouble(role=role, code=code, count=count)
                for (role, code), count in self.troubles.most_common()
            ),
            tokens=tuple(Tokens(role=role, **counts) for role, counts in sorted(self.tokens.items())),
        )

    def _slots(self) -> Iterator[Slot]:
        for place in range(
            -(-(self.until - self.first_slot) // self.width) if self.until > self.since else 0
        ):
            own = self.slots.get(place, _SlotTally())
            begin = self.first_slot + place * self.width
            yield Slot(
                begin=max(begin, self.since),
                end=min(begin + self.width, self.until),
                runs=own.runs,
                completed=own.completed,
                adherence=own.adherence / own.measured if own.measured else None,
                deviations=own.deviations,
                plans=own.plans,
                fallback_plans=own.fallback_plans,
                latency=own.latency.latencies,
            )

    def _confidence(self) -> ConfidenceCheck:
        bins = tuple(
            ConfidenceBin(
                low=place / BINS,
                high=(place + 1) / BINS,
                confidence=own.confidence / own.cases,
                success=share_of(own.successes, own.cases),
                enough=own.cases >= LEAST_IN_A_BIN,
            )
            for place, own in enumerate(self.bins)
            if own.cases
        )
        cases = sum(own.cases for own in self.bins)
        distance = sum(own.cases * abs(own.confidence / own.cases - own.successes / own.cases)
                       for own in self.bins if own.cases)  # fmt: skip
        return ConfidenceCheck(
            cases=cases,
            calibrated=self.calibrated,
            error=distance / cases if cases >= LEAST_CASES else None,
            least_cases=LEAST_CASES,
            bins=bins,
        )
