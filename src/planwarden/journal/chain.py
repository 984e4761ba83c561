"""The hash chain of a run: how events are linked, and where a record is not what was written. Pure.

Each event's hash covers its place, time, epoch, kind, the digest of its payload and the hash before it.
The payload's digest covers a nonce too, which is erased with it: what is erased cannot be guessed back.
Digests are taken over the very bytes that are stored, so that no byte can change unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from planwarden.contracts.event import GENESIS, ChainFault, EventLink, RunEvent
from planwarden.contracts.facts import ERASED
from planwarden.contracts.value import canonical_json, digest, digest_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The part of an event that can be erased: `nonce` and `body` are None once it is."""

    nonce: str | None
    body: bytes | None
    """The fact as canonical JSON."""
    erased: bool = False
    withheld: bool = False
    """Left out of a bundle, of which this is a part; no journal withholds anything."""


def instant_text(at: datetime) -> str:
    """Write a moment as the chain does: ISO 8601, UTC, microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def instant(text: object) -> datetime:
    """Read a moment that `instant_text` wrote.

    Raises:
        ValueError: it is written in any other way, even one that means the same.
    """
    at = datetime.fromisoformat(text) if isinstance(text, str) else None
    if at is None or at.tzinfo is None or instant_text(at) != text:
        raise ValueError(f"{text!r} is not a moment as the journal writes it")
    return at


def payload_digest(nonce: str, body: bytes) -> str:
    """Name a payload: the digest of `{"nonce": …, "payload": …}` as canonical JSON, over its stored bytes."""
    return digest_bytes(b'{"nonce":' + canonical_json(nonce) + b',"payload":' + body + b"}")


def event_hash(link: EventLink) -> str:
    """Compute what a link's `hash` has to be, from everything else in it."""
    return digest(
        {
            "run_id": link.run_id,
            "seq": link.seq,
            "at": instant_text(link.at),
            "epoch": link.epoch,
            "kind": link.kind,
            "payload_digest": link.payload_digest,
            "previous": link.previous,
        }
    )


def link(previous: str, event: RunEvent, payload: Payload) -> EventLink:
    """Link an event to the hash before it.

    Raises:
        ValueError: the payload is erased already.
    """
    if payload.nonce is None or payload.body is None:
        raise ValueError(f"event {event.seq} of run {event.run_id} has no payload to link")
    unsealed = EventLink(
        run_id=event.run_id,
        seq=event.seq,
        at=event.at,
        epoch=event.epoch,
        kind=event.fact.kind,
        payload_digest=payload_digest(payload.nonce, payload.body),
        previous=previous,
        hash=GENESIS,
    )
    return unsealed.model_copy(update={"hash": event_hash(unsealed)})


def chain_faults(
    links: Sequence[EventLink], payloads: Mapping[int, Payload], *, head: str | None = None
) -> tuple[ChainFault, ...]:
    """Find every place where a run's record is not what was written; empty when there is none.

    `links` are in the order they are stored in; `payloads` are by `seq`. `head` is the hash of the last event
    as kept elsewhere: without it, events dropped from the end leave no trace.
    """
    if not links:
        return ()
    run_id = links[0].run_id
    found = [*_order_faults(links), *_hash_faults(links), *_payload_faults(links, payloads)]
    found += _erasure_faults(links, payloads)
    if head is not None and links[-1].hash != head:
        found.append(
            (
                links[-1].seq,
                f"the last event is not the one kept as head ({head}): the end was cut or changed",
            )
        )
    return tuple(ChainFault(run_id=run_id, seq=seq, problem=problem) for seq, problem in sorted(found))


def _order_faults(links: Sequence[EventLink]) -> Iterator[tuple[int, str]]:
    expected = 1
    for found in links:
        if found.seq > expected:
            yield expected, f"{_events(expected, found.seq - 1)} missing"
        elif found.seq < expected:
            yield found.seq, f"event {found.seq} stands where event {expected} belongs"
        if found.run_id != links[0].run_id:
            yield found.seq, f"the event belongs to run {found.run_id}"
        expected = max(expected, found.seq + 1)


def _events(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"


def _hash_faults(links: Sequence[EventLink]) -> Iterator[tuple[int, str]]:
    previous = GENESIS
    for found in links:
        if found.hash != event_hash(found):
            yield found.seq, "the event is not what was written: its hash does not match"
        if found.previous != previous:
            yield found.seq, "the event does not follow the one before it: their hashes do not match"
        previous = found.hash


def _payload_faults(links: Sequence[EventLink], payloads: Mapping[int, Payload]) -> Iterator[tuple[int, str]]:
    for found in links:
        problem = _payload_problem(found, payloads.get(found.seq))
        if problem:
            yield found.seq, problem
    for seq in payloads.keys() - {found.seq for found in links}:
        yield seq, "there is a payload without an event"


def _erasure_faults(links: Sequence[EventLink], payloads: Mapping[int, Payload]) -> Iterator[tuple[int, str]]:
    """Hold what is erased against the last event that says so: everything before it is, and nothing else.

    Nothing follows that event: an erased run does not go on.
    """
    said = max((found.seq for found in links if found.kind == ERASED), default=0)
    if said and said != links[-1].seq:
        yield links[-1].seq, f"the run goes on after event {said}, which says that it was erased"
    for found in links:
        payload = payloads.get(found.seq)
        if payload is None or payload.erased == (found.seq < said):
            continue
        if payload.erased and payload.body is None and payload.nonce is None:
            yield found.seq, "the payload is erased, and no event says who erased it"
        elif not payload.erased:
            yield found.seq, f"the payload is still there, although event {said} says that it was erased"


def _payload_problem(found: EventLink, payload: Payload | None) -> str:
    if payload is None:
        return "the payload is missing"
    if payload.erased:
        kept = payload.body is not None or payload.nonce is not None
        return "the payload is marked as erased but is still there" if kept else ""
    if payload.withheld:
        kept = payload.body is not None or payload.nonce is not None
        return "the payload is marked as withheld but is still there" if kept else ""
    if payload.body is None or payload.nonce is None:
        return "the payload is gone without being marked as erased"
    if payload_digest(payload.nonce, payload.body) != found.payload_digest:
        return "the payload is not what was written: its digest does not match"
    return ""
