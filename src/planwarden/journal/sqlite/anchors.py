"""Anchors in the journal's file: made of the rows of runs, and examined against the events."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from planwarden.contracts.event import ChainFault
from planwarden.errors import StoreCorrupt
from planwarden.journal.anchor import (
    Anchor,
    RunEnd,
    anchor_fault,
    anchor_problems,
    damaged_anchor,
    make_anchor,
)
from planwarden.journal.merkle import HashTree, root_of
from planwarden.journal.sqlite.thread import ConnectionThread

_SELECT = "SELECT number, at, runs, root, previous, hash FROM anchors"
_COLUMNS = ("number", "at", "runs", "root", "previous", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """A run's end in an anchor, at its place in the anchor's hash tree."""

    anchor: int
    end: RunEnd
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteAnchors:
    """Daily anchors over all runs; made by the journal whose file they are in."""

    reader: ConnectionThread
    writing: Callable[[], ConnectionThread]

    async def make(self, at: datetime) -> Anchor | None:
        """Take in every run that grew since the last anchor; None, and nothing written, when none did.

        Raises:
            StoreCorrupt: the last anchor cannot be read back.
        """
        return await self.writing().do(lambda connection: _make(connection, at))

    async def make_daily(self, at: datetime) -> Anchor | None:
        """Make an anchor where there is none of this day in UTC yet.

        Raises:
            StoreCorrupt: the last anchor cannot be read back.
        """
        if _is_of_today(await self.last(), at):
            return None
        return await self.writing().do(lambda connection: _make_daily(connection, at))

    async def last(self) -> Anchor | None:
        """Give the newest anchor.

        Raises:
            StoreCorrupt: it cannot be read back.
        """
        return await self.reader.do(_last)

    async def after(self, number: int, *, limit: int) -> tuple[Anchor, ...]:
        """Give the anchors after a number, oldest first.

        Raises:
            StoreCorrupt: one cannot be read back.
        """
        return await self.reader.do(lambda connection: _after(connection, number, limit))

    async def taken_in(self, run_id: str) -> tuple[TakenIn, ...]:
        """Give every end of a run that an anchor took in, oldest first."""
        return await self.reader.do(lambda connection: _taken_in(connection, run_id))

    async def tree(self, number: int) -> HashTree:
        """Build an anchor's hash tree, which gives proofs; holds 64 bytes for each of its runs."""
        return await self.reader.do(
            lambda connection: HashTree(end.leaf() for end in _ends(connection, number))
        )

    async def run_faults(self, run_id: str) -> tuple[ChainFault, ...]:
        """Compare what anchors hold of a run with its events; the anchors themselves are not looked at."""
        return await self.reader.do(lambda connection: _run_faults(connection, run_id))

    async def faults(self, number: int) -> tuple[ChainFault, ...]:
        """Examine an anchor: by itself, after the one before, and for runs of it that are gone whole."""
        return await self.reader.do(lambda connection: _faults(connection, number))

    async def numbers(self, place: int, *, limit: int) -> tuple[int, ...]:
        """Give the numbers of anchors after a place, readable or not, also where only their runs are left."""
        return await self.reader.do(lambda connection: _numbers(connection, place, limit))


def _make(connection: sqlite3.Connection, at: datetime) -> Anchor | None:
    grown = "FROM runs WHERE anchored_seq < last_seq"
    rows = connection.execute(f"SELECT run_id, last_seq, head {grown} ORDER BY run_id")
    anchor = make_anchor((_end(row) for row in rows), after=_last(connection), at=at)
    if anchor is None:
        return None
    kept = anchor.fields()
    connection.execute(
        "INSERT INTO anchors (number, at, runs, root, previous, hash) VALUES (?, ?, ?, ?, ?, ?)",
        tuple(kept[name] for name in _COLUMNS),
    )
    connection.execute(
        "INSERT INTO anchored (anchor, place, run_id, seq, hash)"
        f" SELECT ?, row_number() OVER (ORDER BY run_id) - 1, run_id, last_seq, head {grown}",
        (anchor.number,),
    )
    connection.execute("UPDATE runs SET anchored_seq = last_seq WHERE anchored_seq < last_seq")
    return anchor


def _make_daily(connection: sqlite3.Connection, at: datetime) -> Anchor | None:
    return None if _is_of_today(_last(connection), at) else _make(connection, at)


def _is_of_today(anchor: Anchor | None, at: datetime) -> bool:
    """Tell whether an anchor is of this day, or of a later one: a clock may be set back."""
    return anchor is not None and anchor.day >= at.astimezone(UTC).date().isoformat()


def _last(connection: sqlite3.Connection) -> Anchor | None:
    row = connection.execute(f"{_SELECT} ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else _read(row)


def _after(connection: sqlite3.Connection, number: int, limit: int) -> tuple[Anchor, ...]:
    rows = connection.execute(f"{_SELECT} WHERE number > ? ORDER BY number LIMIT ?", (number, limit))
    return tuple(_read(row) for row in rows)


def _read(row: Sequence[object]) -> Anchor:
    try:
        return Anchor.model_validate(dict(zip(_COLUMNS, row, strict=True)))
    except ValidationError as error:
        raise damaged_anchor(row[0]) from error


def _ends(connection: sqlite3.Connection, number: int) -> Iterator[RunEnd]:
    rows = connection.execute(
        "SELECT run_id, seq, hash FROM anchored WHERE anchor = ? ORDER BY place", (number,)
    )
    return (_end(row) for row in rows)


def _end(row: Sequence[object]) -> RunEnd:
    run_id, seq, hashed = row
    return RunEnd(run_id=str(run_id), seq=seq if isinstance(seq, int) else -1, hash=str(hashed))


def _taken_in(connection: sqlite3.Connection, run_id: str) -> tuple[TakenIn, ...]:
    rows = connection.execute(
        "SELECT anchor, run_id, seq, hash, place FROM anchored WHERE run_id = ? ORDER BY anchor",
        (run_id,),
    )
    return tuple(TakenIn(anchor=row[0], end=_end(row[1:4]), index=row[4]) for row in rows)


_NOT_THERE = (
    "SELECT anchored.anchor, anchored.run_id, anchored.seq, anchored.hash, events.hash FROM anchored"
    " LEFT JOIN events ON events.run_id = anchored.run_id AND events.seq = anchored.seq"
    " WHERE events.hash IS NOT anchored.hash AND"
)


def _run_faults(connection: sqlite3.Connection, run_id: str) -> tuple[ChainFault, ...]:
    rows = connection.execute(f"{_NOT_THERE} anchored.run_id = ? ORDER BY anchored.anchor", (run_id,))
    found = [_missing(row) for row in rows]
    noted = connection.execute(
        "SELECT anchored_seq, (SELECT max(seq) FROM anchored WHERE run_id = runs.run_id) FROM runs"
        " WHERE run_id = ?",
        (run_id,),
    ).fetchone()
    if noted is not None and noted[0] != (noted[1] or 0):
        found.append(
            anchor_fault(
                f"the run's own row says that it was anchored with {noted[0]} events, the anchors have"
                f" {noted[1] or 'none of it'}",
                run_id=run_id,
            )
        )
    return tuple(found)


def _faults(connection: sqlite3.Connection, number: int) -> tuple[ChainFault, ...]:
    found = [anchor_fault(problem) for problem in _own_problems(connection, number)]
    rows = connection.execute(
        f"{_NOT_THERE} anchored.anchor = ? AND NOT EXISTS"  # noqa: S608 - our own words only
        " (SELECT 1 FROM runs WHERE runs.run_id = anchored.run_id) ORDER BY anchored.place",
        (number,),
    )
    return (*found, *(_missing(row) for row in rows))


def _own_problems(connection: sqlite3.Connection, number: int) -> Iterator[str]:
    pair = connection.execute(
        f"{_SELECT} WHERE number IN (?, ?) ORDER BY number", (number - 1, number)
    ).fetchall()
    try:
        read = {row[0]: _read(row) for row in pair}
    except StoreCorrupt:
        yield f"anchor {number} or the one before it cannot be read back"
        return
    anchor = read.get(number)
    if anchor is None:
        yield f"anchor {number} is gone, the runs that it took in are still noted"
        return
    yield from anchor_problems(anchor, read.get(number - 1))
    noted: tuple[int, int | None] = connection.execute(
        "SELECT count(*), max(place) FROM anchored WHERE anchor = ? AND place >= 0", (number,)
    ).fetchone()
    root = root_of(end.leaf() for end in _ends(connection, number))
    if noted != (anchor.runs, anchor.runs - 1) or f"sha256:{root.hex()}" != anchor.root:
        yield f"the {noted[0]} runs noted for anchor {number} are not the {anchor.runs} that it took in"


def _missing(row: Sequence[object]) -> ChainFault:
    number, run_id, seq, wanted, there = row
    state = "is gone" if there is None else f"has now {there}"
    problem = f"anchor {number} took in event {seq} with hash {wanted}; that event {state}"
    return anchor_fault(problem, run_id=str(run_id), seq=seq if isinstance(seq, int) else None)


def _numbers(connection: sqlite3.Connection, place: int, limit: int) -> tuple[int, ...]:
    rows = connection.execute(
        "SELECT number FROM anchors WHERE number > ?1 UNION SELECT anchor FROM anchored WHERE anchor > ?1"
        " ORDER BY 1 LIMIT ?2",
        (place, limit),
    )
    return tuple(row[0] for row in rows)
