"""Whether the record tells what really happened: the journal against what tools noted, and its chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import CallIntended, CallReturned
from planwarden.contracts.value import canonical_json, digest
from planwarden.evaluation.soak.history import History, Invocation
from planwarden.journal.port import Journal


async def record_faults(run_id: str, journal: Journal, history: History) -> tuple[str, ...]:
    """Give everything in which a run's record differs from what happened; reads it back from the disk."""
    events = await journal.read(run_id)
    broken = [f"event {fault.seq}: {fault.problem}" for fault in await journal.verify(run_id)]
    return (*broken, *differences(events, history))


def differences(events: Sequence[RunEvent], history: History) -> tuple[str, ...]:
    """Compare events as stored with what was seen while the run went on. Pure."""
    seen = [moment for moment in history.moments if isinstance(moment, RunEvent)]
    by_seq = {event.seq: event for event in events}
    told = [
        f"event {event.seq} is not the one that was told" for event in seen if by_seq.get(event.seq) != event
    ]
    return (*told, *_unintended(history), *_results(events, history))


def _unintended(history: History) -> Iterable[str]:
    """Give the invocations that no intent on record came before, and the intents that nothing came of."""
    open_intents: Counter[tuple[str, str, bytes, str]] = Counter()
    for moment in history.moments:
        if isinstance(moment, RunEvent):
            if isinstance(fact := moment.fact, CallIntended):
                body = canonical_json(fact.call.arguments)
                open_intents[fact.call.id, fact.call.tool, body, fact.idempotency_key] += 1
            continue
        key = _key(moment)
        if not open_intents[key]:
            yield f"{moment.context.call_id} ({moment.tool}) began without such an intent on record"
        open_intents[key] -= 1
    for (call_id, tool, _, _), left in open_intents.items():
        if left > 0:
            yield f"{call_id} ({tool}) was intended and never began"


def _key(began: Invocation) -> tuple[str, str, bytes, str]:
    context = began.context
    return (context.call_id, began.tool, canonical_json(dict(began.arguments)), context.idempotency_key)


def _results(events: Iterable[RunEvent], history: History) -> Iterable[str]:
    """Give the results on record that are not what the tool gave."""
    given = {began.context.call_id: began.given for began in history.invocations if began.given is not None}
    for event in events:
        if isinstance(fact := event.fact, CallReturned) and given.get(fact.call_id) != digest(fact.value):
            yield f"the result of {fact.call_id} on record is not what the tool gave"
