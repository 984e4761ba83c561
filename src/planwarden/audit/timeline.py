"""When what happened in a run: spans and marks, in seconds from its beginning. Pure.

It says names and times only, no free text, so that a redacted dossier can be shown with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from planwarden.contracts import facts as f
from planwarden.contracts.event import RunEvent

SpanKind = Literal["planning", "step", "call", "exchange", "waiting"]
SpanEnd = Literal["done", "failed", "denied", "in_doubt", "open"]
"""`open`: its end is not in the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took time."""

    kind: SpanKind
    step: str | None
    label: str
    ref: str
    """What it is in the dossier: a step's or call's id, an exchange's event number."""
    begin_s: float
    end_s: float
    end: SpanEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened at a moment."""

    label: str
    step: str | None
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A run in time."""

    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    length_s: float


def timeline(events: Sequence[RunEvent]) -> Timeline:
    """Lay a run's events out in time; a clock that was set back stands still until it catches up."""
    if not events:
        return Timeline(spans=(), marks=(), length_s=0.0)
    reading = _Reading(start=events[0].at)
    for event in events:
        reading.take(event)
    reading.close()
    spans = sorted(reading.spans, key=lambda span: (span.begin_s, -span.end_s))
    return Timeline(spans=tuple(spans), marks=tuple(reading.marks), length_s=reading.now_s)


@dataclass(slots=True, kw_only=True)
class _Open:
    kind: SpanKind
    step: str | None
    label: str
    begin_s: float


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One pass over the events; what has begun and not ended is in `open`, by kind and ref."""

    start: datetime
    now_s: float = 0.0
    open: dict[tuple[SpanKind, str], _Open] = field(default_factory=dict[tuple[SpanKind, str], _Open])
    spans: list[Span] = field(default_factory=list[Span])
    marks: list[Mark] = field(default_factory=list[Mark])

    def take(self, event: RunEvent) -> None:
        self.now_s = max(self.now_s, (event.at - self.start).total_seconds())
        if isinstance(event.fact, f.ModelAnswered):
            self._exchange(event.seq, event.fact)
        self._begin(event.fact)
        self._end(event.fact)
        for mark in _marks(event.fact):
            self.marks.append(Mark(label=mark[0], step=mark[1], at_s=self.now_s))

    def close(self) -> None:
        for kind, ref in tuple(self.open):
            self._stop(kind, ref, "open")
        self.spans = _one_after_the_other(self.spans)

    def _exchange(self, seq: int, fact: f.ModelAnswered) -> None:
        begin = max(0.0, self.now_s - fact.exchange.usage.latency_s)
        span = Span(
            kind="planning" if fact.step is None else "exchange",
            step=fact.step,
            label=fact.exchange.purpose,
            ref=str(seq),
            begin_s=begin,
            end_s=self.now_s,
            end="failed" if fact.exchange.reply is None else "done",
        )
        self.spans.append(span)

    def _begin(self, fact: f.Fact) -> None:
        match fact:
            case f.StepStarted(step=step, agent=agent):
                self._start("step", step, step, agent)
            case f.CallIntended(call=call):
                self._start("call", call.id, call.step, call.tool)
            case f.ApprovalAsked(call=call):
                self._start("waiting", call.id, call.step, f"approval of {call.tool}")
            case f.PlanApprovalAsked():
                self._start("waiting", "plan", None, "approval of the plan")
            case f.CallInDoubt(call_id=call_id):
                step = call_id.partition(".")[0]
                self._stop("call", call_id, "in_doubt")
                self._start("waiting", call_id, step, "outcome in doubt")
            case _:
                pass

    def _end(self, fact: f.Fact) -> None:
        match fact:
            case f.StepAnswered(step=step):
                self._stop("step", step, "done")
            case f.StepFailed(step=step):
                self._stop("step", step, "failed")
            case f.CallReturned(call_id=call_id):
                self._stop("call", call_id, "done")
            case f.CallFailed(call_id=call_id):
                self._stop("call", call_id, "failed")
            case f.ApprovalGiven(call_id=call_id, approved=approved):
                self._stop("waiting", call_id, "done" if approved else "denied")
            case f.PlanApprovalGiven(approved=approved):
                self._stop("waiting", "plan", "done" if approved else "denied")
            case f.CallSettled(call_id=call_id):
                self._stop("call", call_id, "in_doubt")
                self._stop("waiting", call_id, "done")
            case _:
                pass

    def _start(self, kind: SpanKind, ref: str, step: str | None, label: str) -> None:
        self._stop(kind, ref, "open")  # begun again after a crash: the first attempt has no end of its own
        self.open[kind, ref] = _Open(kind=kind, step=step, label=label, begin_s=self.now_s)

    def _stop(self, kind: SpanKind, ref: str, end: SpanEnd) -> None:
        begun = self.open.pop((kind, ref), None)
        if begun is None:
            return
        span = Span(
            kind=kind,
            step=begun.step,
            label=begun.label,
            ref=ref,
            begin_s=begun.begin_s,
            end_s=self.now_s,
            end=end,
        )
        self.spans.append(span)


def _one_after_the_other(spans: Sequence[Span]) -> list[Span]:
    """Put the planner's exchanges, which are recorded together when planning is over, behind each other."""
    planning = [span for span in spans if span.kind == "planning"]
    placed = [span for span in spans if span.kind != "planning"]
    following: Span | None = None
    for span in reversed(planning):
        end = span.end_s if following is None else min(span.end_s, following.begin_s)
        begin = end - (span.end_s - span.begin_s)
        following = span if begin < 0 else replace(span, begin_s=begin, end_s=end)
        placed.append(following)
    return placed


def _marks(fact: f.Fact) -> Iterator[tuple[str, str | None]]:
    match fact:
        case f.PlanDecided():
            yield "plan decided", None
        case f.RunTakenOver():
            yield "taken over", None
        case f.CallRefused(step=step, refusal=refusal):
            yield refusal, step
        case f.ModelNotOpened(role=role):
            yield f"no model for {role}", None
        case f.ExecutionFell(step=step):
            yield "goes on directed", step
        case f.CancelRequested():
            yield "cancel asked", None
        case f.RunEnded(outcome=outcome):
            yield outcome, None
        case _:
            pass
