"""An event on its way into and out of the record: fact, payload and link, always made the same way. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from planwarden.contracts.clock import Ids
from planwarden.contracts.event import EventLink, RunEvent
from planwarden.contracts.facts import Fact, RunStarted, fact_adapter
from planwarden.contracts.value import canonical_json
from planwarden.errors import StoreCorrupt
from planwarden.journal.chain import Payload, link


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A fact ready to be written, without a place yet."""

    fact: Fact
    """As everybody will read it back, not as it was passed in: a tuple inside a JSON value is a list here."""
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event in full: as the run sees it, as the chain sees it, and its payload."""

    event: RunEvent
    link: EventLink
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Where a run's record ends: what the next event is linked to."""

    run_id: str
    seq: int
    head: str


def fact_body(fact: Fact) -> bytes:
    """Write a fact as canonical JSON.

    Raises:
        ValueError: the fact holds NaN or an infinity.
    """
    return canonical_json(fact.model_dump(mode="json"))


def read_fact(body: bytes) -> Fact:
    """Read a fact back.

    Raises:
        ValueError: these bytes are not a fact.
    """
    return fact_adapter.validate_python(json.loads(body.decode("utf-8", "surrogatepass")))


def drafts(facts: Sequence[Fact], ids: Ids) -> tuple[Draft, ...]:
    """Make facts ready to be written, before anything is.

    Raises:
        ValueError: a fact holds NaN or an infinity.
    """
    bodies = [fact_body(fact) for fact in facts]
    return tuple(
        Draft(fact=read_fact(body), payload=Payload(nonce=ids.nonce(), body=body)) for body in bodies
    )


def conversation_of(ready: Sequence[Draft]) -> str | None:
    """Give the conversation that the first facts of a run name; None where they name none."""
    started = (draft.fact for draft in ready if isinstance(draft.fact, RunStarted))
    return next((fact.task.conversation for fact in started), None)


def conversation_in(body: object) -> str | None:
    """Give the conversation that a stored `run_started` names; None where it names none or is damaged.

    Read without the contract, which may have grown since the payload was written.
    """
    try:
        value = json.loads(body.decode("utf-8")) if isinstance(body, bytes) else None
    except (ValueError, RecursionError):
        return None
    match value:
        case {"kind": "run_started", "task": {"conversation": str(conversation)}}:
            return conversation if _storable(conversation) else None
        case _:
            return None


def tenant_in(body: object) -> str | None:
    """Give the tenant that a stored `run_started` names; None where it is damaged or is something else."""
    try:
        value = json.loads(body.decode("utf-8")) if isinstance(body, bytes) else None
    except (ValueError, RecursionError):
        return None
    match value:
        case {"kind": "run_started", "task": {"tenant": str(tenant)}}:
            return tenant
        case _:
            return None


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def entries(tail: Tail, ready: Sequence[Draft], *, at: datetime, epoch: int) -> tuple[Entry, ...]:
    """Give drafts their places after a run's tail."""
    placed: list[Entry] = []
    previous = tail.head
    for seq, draft in enumerate(ready, start=tail.seq + 1):
        event = RunEvent(run_id=tail.run_id, seq=seq, at=at, epoch=epoch, fact=draft.fact)
        linked = link(previous, event, draft.payload)
        previous = linked.hash
        placed.append(Entry(event=event, link=linked, payload=draft.payload))
    return tuple(placed)


def read_event(linked: EventLink, payload: Payload | None) -> RunEvent:
    """Put an event together from its link and its payload.

    Raises:
        StoreCorrupt: the payload is missing, erased, or not a fact.
    """
    where = f"Event {linked.seq} of run {linked.run_id}"
    remedy = f"See what else is wrong with `planwarden dossier verify {linked.run_id}`."
    if payload is None or payload.body is None:
        state = "was erased" if payload is not None and payload.erased else "is missing"
        raise StoreCorrupt(f"{where}: its payload {state}.", remedy=remedy)
    try:
        fact = read_fact(payload.body)
    except ValueError as error:
        raise StoreCorrupt(f"{where}: its payload cannot be read back.", remedy=remedy) from error
    return RunEvent(run_id=linked.run_id, seq=linked.seq, at=linked.at, epoch=linked.epoch, fact=fact)
