"""A run's record as stored: read back in full, or examined for whatever is not as it was written."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from planwarden.contracts.event import ChainFault, EventLink, RunEvent
from planwarden.contracts.facts import PayloadsErased
from planwarden.errors import InputError, RunNotFound, StoreCorrupt
from planwarden.journal.chain import Payload, chain_faults, instant
from planwarden.journal.entry import read_event
from planwarden.journal.sqlite.rows import find_run, run_row, unerased_row

_LINK_COLUMNS = tuple(EventLink.model_fields)
_SELECT_LINKS = f"SELECT {', '.join(_LINK_COLUMNS)} FROM events WHERE run_id = ? ORDER BY seq"  # noqa: S608 - our own column names
_SELECT_PAYLOADS = "SELECT seq, nonce, body, erased FROM payloads WHERE run_id = ? ORDER BY seq"


def read_links(connection: sqlite3.Connection, run_id: str) -> tuple[EventLink, ...]:
    """Read the chain of a run.

    Raises:
        RunNotFound: no such run.
        StoreCorrupt: an event is missing, or is not one that we wrote.
    """
    run = run_row(connection, run_id)
    try:
        links = tuple(_link(row) for row in connection.execute(_SELECT_LINKS, (run_id,)))
    except ValueError as error:
        raise _damaged(run_id, "an event cannot be read back") from error
    if [link.seq for link in links] != list(range(1, run.last_seq + 1)):
        raise _damaged(run_id, f"it should have {run.last_seq} events and has {len(links)}")
    return links


def read_events(connection: sqlite3.Connection, run_id: str) -> tuple[RunEvent, ...]:
    """Read a run in full.

    Raises:
        RunNotFound: no such run.
        RunErased: its payloads were erased.
        StoreCorrupt: an event or a payload is missing, erased, or not one that we wrote.
    """
    unerased_row(connection, run_id)
    links = read_links(connection, run_id)
    try:
        payloads = dict(_payload(row) for row in connection.execute(_SELECT_PAYLOADS, (run_id,)))
    except ValueError as error:
        raise _damaged(run_id, "a payload cannot be read back") from error
    return tuple(read_event(link, payloads.get(link.seq)) for link in links)


def read_last_words(
    connection: sqlite3.Connection, run_id: str
) -> tuple[tuple[EventLink, ...], PayloadsErased]:
    """Read the chain of an erased run, and the last fact, which says who erased it and why.

    Raises:
        RunNotFound: no such run.
        InputError: it was not erased.
        StoreCorrupt: an event or that payload is not one that we wrote.
    """
    links = read_links(connection, run_id)
    row = connection.execute(f"{_SELECT_PAYLOADS} DESC LIMIT 1", (run_id,)).fetchone()
    try:
        payload = None if row is None else _payload(row)[1]
    except ValueError as error:
        raise _damaged(run_id, "a payload cannot be read back") from error
    match read_event(links[-1], payload).fact:
        case PayloadsErased() as fact:
            return links, fact
        case _:
            raise InputError(
                f"Run {run_id} was not erased.", remedy=f"Show it with `planwarden dossier show {run_id}`."
            )


def stored_faults(connection: sqlite3.Connection, run_id: str) -> tuple[ChainFault, ...]:
    """Find everything in a run's record that is not as it was written.

    Raises:
        RunNotFound: nothing of such a run is there.
    """
    faults: list[ChainFault] = []
    links: list[EventLink] = []
    payloads: dict[int, Payload] = {}
    for row in connection.execute(_SELECT_LINKS, (run_id,)):
        try:
            links.append(_link(row))
        except ValueError:
            faults.append(
                ChainFault(run_id=run_id, seq=_seq(row[1]), problem="the event cannot be read back")
            )
    for row in connection.execute(_SELECT_PAYLOADS, (run_id,)):
        try:
            seq, payload = _payload(row)
        except ValueError:
            faults.append(
                ChainFault(run_id=run_id, seq=_seq(row[0]), problem="the payload cannot be read back")
            )
        else:
            payloads[seq] = payload
    found = _run_faults(connection, run_id, links)
    if found is None:
        if not links and not payloads and not faults:
            raise RunNotFound(
                f"This journal holds no run {run_id}.", remedy="List its runs with `planwarden runs`."
            )
        problem = "the run's own row is missing"
        found = (ChainFault(run_id=run_id, seq=None, problem=problem),)
    return (*found, *faults, *chain_faults(links, payloads))


def _run_faults(
    connection: sqlite3.Connection, run_id: str, links: Sequence[EventLink]
) -> tuple[ChainFault, ...] | None:
    """Compare the run's own row, which keeps the head, with its last event; None when it is missing."""
    try:
        run = find_run(connection, run_id)
    except StoreCorrupt as error:
        return (ChainFault(run_id=run_id, seq=None, problem=error.message),)
    if run is None:
        return None
    kept = (run.last_seq, run.last_kind, run.head)
    if not links:
        problem = f"all {run.last_seq} events are missing"
    elif kept == (links[-1].seq, links[-1].kind, links[-1].hash):
        return ()
    else:
        problem = (
            f"the run's own row says that it ends with event {run.last_seq} ({run.last_kind}, {run.head}), "
            f"its events end with {links[-1].seq} ({links[-1].kind}, {links[-1].hash}): "
            "events at the end were dropped, added or changed"
        )
    return (ChainFault(run_id=run_id, seq=None, problem=problem),)


def _link(row: Sequence[object]) -> EventLink:
    columns = dict(zip(_LINK_COLUMNS, row, strict=True))
    return EventLink.model_validate({**columns, "at": instant(columns["at"])}, strict=True)


def _payload(row: Sequence[object]) -> tuple[int, Payload]:
    match row:
        case (int(seq), str() | None as nonce, bytes() | None as body, 0 | 1 as erased):
            return seq, Payload(nonce=nonce, body=body, erased=erased == 1)
        case _:
            raise ValueError("a payload is not stored as we store it")


def _seq(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _damaged(run_id: str, reason: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"The record of run {run_id} is damaged: {reason}.",
        remedy=f"See what is wrong with `planwarden dossier verify {run_id}`.",
    )
