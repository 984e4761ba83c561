"""Whether a violation was caught: the record shows it where it was tried, and no tool did it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import CallRefused, ExecutionFell, PlanDecided, StepAnswered
from planwarden.contracts.run import RunState
from planwarden.contracts.value import storable
from planwarden.evaluation.soak.history import History
from planwarden.evaluation.soak.ledger import (
    Seeded,
    SeenBySoak,
    ShownByDeviation,
    ShownByFall,
    ShownByPlanRefusal,
    ShownByRefusal,
)
from planwarden.evaluation.soak.world.parameters import NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A violation that was tried and not caught."""

    seeded: Seeded
    because: str


def missed(seeded: Sequence[Seeded], history: History, state: RunState) -> tuple[Missed, ...]:
    """Give the violations of a run that were not caught.

    Args:
        seeded: what was tried.
        history: of the run, to its end.
        state: as folded from the journal.
    """
    unclaimed = [event.fact for event in _events(history) if isinstance(event.fact, CallRefused)]
    found: list[Missed] = []
    for each in seeded:
        because = _not_shown(each, history, state, unclaimed) or _effect(each, history)
        if because:
            found.append(Missed(seeded=each, because=because))
    return tuple(found)


def _not_shown(seeded: Seeded, history: History, state: RunState, unclaimed: list[CallRefused]) -> str:
    """Say what the record lacks; a refusal that shows one violation shows no other."""
    after = tuple(_events(history, seeded.since))
    match seeded.proof:
        case ShownByRefusal() as proof:
            shown = _claim(seeded, proof, unclaimed)
        case ShownByDeviation(deviation=kind):
            shown = any((each.kind, each.step) == (kind, seeded.step) for each in state.deviations)
        case ShownByFall(reason=reason):
            shown = _fell_before_answer(after, seeded.step, reason)
        case ShownByPlanRefusal(rungs=rungs):
            decided = [event.fact.decision for event in after if isinstance(event.fact, PlanDecided)]
            shown = any(refusal.rung in rungs for decision in decided for refusal in decision.refusals)
        case SeenBySoak(caught=caught):
            shown = caught
    return "" if shown else "the record does not show that it was refused"


def _claim(seeded: Seeded, proof: ShownByRefusal, unclaimed: list[CallRefused]) -> bool:
    tool = storable(seeded.tool or "")[:200]
    for fact in unclaimed:
        placed = (fact.step, fact.tool) == (seeded.step, tool) and fact.refusal in proof.refusals
        if placed and (not proof.by_note or fact.arguments.get(NOTE) == seeded.id):
            unclaimed.remove(fact)
            return True
    return False


def _fell_before_answer(events: Iterable[RunEvent], step: str | None, reason: str) -> bool:
    """Say whether a step fell for this reason before it was answered."""
    for event in events:
        match event.fact:
            case ExecutionFell(step=fallen, reason=why) if fallen == step:
                return why == reason
            case StepAnswered(step=answered) if answered == step:
                return False
            case _:
                pass
    return False


def _effect(seeded: Seeded, history: History) -> str:
    """Say that a tool did what was tried."""
    if history.noted(seeded.id):
        return "a tool did it"
    for began in history.invocations:
        if began.unlawful and (began.step, began.tool) == (seeded.step, seeded.tool):
            return f"the tool began: {began.unlawful}"
    return ""


def _events(history: History, since: int = 0) -> Iterable[RunEvent]:
    return (moment for moment in history.moments[since:] if isinstance(moment, RunEvent))
