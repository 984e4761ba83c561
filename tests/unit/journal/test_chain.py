"""The hash chain, without a store."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.event import GENESIS, EventLink, RunEvent
from planwarden.contracts.facts import PayloadsErased, StepFailed
from planwarden.journal.chain import Payload, chain_faults, instant, instant_text, link, payload_digest
from planwarden.journal.entry import fact_body

pytestmark = pytest.mark.requirement("JRN-6")

AT = datetime(2026, 5, 4, 12, 0, 0, 5, tzinfo=UTC)


def event(seq: int, words: str) -> RunEvent:
    fact = StepFailed(step="s1", code="said", message=words)
    return RunEvent(run_id="r1", seq=seq, at=AT + timedelta(seconds=seq), epoch=1, fact=fact)


def chain(*said: str) -> tuple[list[EventLink], dict[int, Payload]]:
    links: list[EventLink] = []
    payloads: dict[int, Payload] = {}
    for seq, words in enumerate(said, start=1):
        told = event(seq, words)
        payloads[seq] = Payload(nonce=f"{seq:032x}", body=fact_body(told.fact))
        links.append(link(links[-1].hash if links else GENESIS, told, payloads[seq]))
    return links, payloads


def seqs_and_problems(links: list[EventLink], payloads: dict[int, Payload], head: str | None = None) -> str:
    return "\n".join(f"{fault.seq} {fault.problem}" for fault in chain_faults(links, payloads, head=head))


def test_the_hashes_can_be_computed_by_anybody_from_the_description() -> None:
    (first,), payloads = chain("hello")
    body = {"kind": "step_failed", "step": "s1", "code": "said", "message": "hello"}
    sealed = json.dumps({"nonce": f"{1:032x}", "payload": body}, sort_keys=True, separators=(",", ":"))
    assert first.payload_digest == "sha256:" + hashlib.sha256(sealed.encode()).hexdigest()
    described = {
        "run_id": "r1",
        "seq": 1,
        "at": "2026-05-04T12:00:01.000005+00:00",
        "epoch": 1,
        "kind": "step_failed",
        "payload_digest": first.payload_digest,
        "previous": "sha256:" + "0" * 64,
    }
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    assert first.hash == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert chain_faults([first], payloads) == ()


def test_an_empty_chain_has_no_faults() -> None:
    assert chain_faults([], {}) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"at": AT},
        {"epoch": 2},
        {"kind": "run_ended"},
        {"payload_digest": GENESIS},
        {"previous": GENESIS},
        {"hash": GENESIS},
        {"run_id": "r2"},
    ],
)
def test_a_change_of_any_field_is_found_at_its_event(change: dict[str, object]) -> None:
    links, payloads = chain("a", "b", "c")
    links[1] = links[1].model_copy(update=change)
    assert "2 the event is not what was written" in seqs_and_problems(links, payloads)


def test_a_changed_payload_is_found_at_its_event() -> None:
    links, payloads = chain("a", "b", "c")
    payloads[2] = Payload(nonce=payloads[2].nonce, body=payloads[1].body)
    assert seqs_and_problems(links, payloads) == (
        "2 the payload is not what was written: its digest does not match"
    )


def test_a_gap_names_the_events_that_are_missing() -> None:
    links, payloads = chain("a", "b", "c", "d", "e")
    found = seqs_and_problems([links[0], *links[3:]], payloads)
    assert "2 events 2 to 3 are missing" in found
    assert "4 the event does not follow the one before it" in found
    assert "2 there is a payload without an event" in found


def test_events_out_of_order_are_found() -> None:
    links, payloads = chain("a", "b", "c")
    assert "2 event 2 stands where event 4 belongs" in seqs_and_problems(
        [links[0], links[2], links[1]], payloads
    )


def test_an_event_twice_is_found() -> None:
    links, payloads = chain("a", "b")
    assert "2 event 2 stands where event 3 belongs" in seqs_and_problems([*links, links[1]], payloads)


def test_a_dropped_tail_is_found_only_by_a_head_kept_elsewhere() -> None:
    links, payloads = chain("a", "b", "c")
    del payloads[3]
    assert chain_faults(links[:2], payloads) == ()
    assert chain_faults(links[:2], payloads, head=links[1].hash) == ()
    assert "2 the last event is not the one kept as head" in seqs_and_problems(
        links[:2], payloads, links[2].hash
    )


def test_an_event_of_another_run_is_found() -> None:
    links, payloads = chain("a", "b")
    other = link(links[1].hash, event(3, "c").model_copy(update={"run_id": "r2"}), payloads[2])
    assert "3 the event belongs to run r2" in seqs_and_problems([*links, other], {**payloads, 3: payloads[2]})


@pytest.mark.requirement("JRN-7")
def test_an_erased_payload_is_accepted_only_when_marked_and_gone_and_an_event_says_so() -> None:
    links, payloads = chain("a", "b", "c")
    gone = Payload(nonce=None, body=None, erased=True)
    body, nonce = payloads[2].body, payloads[2].nonce
    assert seqs_and_problems(links, {**payloads, 2: gone}) == (
        "2 the payload is erased, and no event says who erased it"
    )
    said = RunEvent(
        run_id="r1", seq=4, at=AT, epoch=1, fact=PayloadsErased(by="dpo", reason="asked", payloads=3)
    )
    word = Payload(nonce="4" * 32, body=fact_body(said.fact))
    links.append(link(links[-1].hash, said, word))
    assert chain_faults(links, {1: gone, 2: gone, 3: gone, 4: word}) == ()
    more = Payload(nonce="5" * 32, body=fact_body(event(5, "d").fact))
    gone_on = [*links, link(links[-1].hash, event(5, "d"), more)]
    assert seqs_and_problems(gone_on, {1: gone, 2: gone, 3: gone, 4: word, 5: more}) == (
        "5 the run goes on after event 4, which says that it was erased"
    )
    assert seqs_and_problems(links, {**payloads, 1: gone, 3: gone, 4: word}) == (
        "2 the payload is still there, although event 4 says that it was erased"
    )
    assert "4 the payload is erased, and no event" in seqs_and_problems(
        links, dict.fromkeys(range(1, 5), gone)
    )
    links, payloads = chain("a", "b", "c")
    for left in (
        Payload(nonce=None, body=None),
        Payload(nonce=nonce, body=None, erased=True),
        Payload(nonce=None, body=body, erased=True),
        Payload(nonce=nonce, body=body, erased=True),
    ):
        (fault,) = chain_faults(links, {**payloads, 2: left})
        assert fault.seq == 2
    without = {seq: payload for seq, payload in payloads.items() if seq != 2}
    assert seqs_and_problems(links, without) == "2 the payload is missing"


def test_an_erased_payload_cannot_be_linked() -> None:
    with pytest.raises(ValueError, match="no payload"):
        link(GENESIS, event(1, "a"), Payload(nonce=None, body=None, erased=True))


@pytest.mark.requirement("JRN-7")
def test_the_nonce_changes_the_digest() -> None:
    assert payload_digest("0" * 32, b"{}") != payload_digest("1" * 32, b"{}")


@given(
    st.datetimes(timezones=st.just(UTC))
    | st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        timezones=st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_a_moment_is_written_in_one_way_and_read_back(at: datetime) -> None:
    assert instant(instant_text(at)) == at


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-04T12:00:00+00:00",
        "2026-05-04 12:00:00.000000+00:00",
        "2026-05-04t12:00:00.000000+00:00",
        "2026-05-04T12:00:00.000000Z",
        "2026-05-04T12:00:00.000000",
        "2026-05-04T14:00:00.000000+02:00",
        "today",
        b"2026-05-04T12:00:00.000000+00:00",
        None,
        0,
    ],
)
def test_a_moment_written_in_another_way_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"moment|isoformat"):
        instant(text)
