"""Hands on the journal's file: a run's rows changed in it, looked at, and put back as they were. Blocks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from planwarden.contracts.event import ChainFault
from planwarden.evaluation.soak.ledger import TamperKind

TABLES = ("runs", "events", "payloads")
COLUMNS: Mapping[str, str] = {
    "at": "2020-01-01T00:00:00.000000+00:00",
    "epoch": "9",
    "kind": "run_ended",
    "payload_digest": f"sha256:{'0' * 64}",
    "previous": f"sha256:{'1' * 64}",
    "hash": f"sha256:{'2' * 64}",
}
"""Column of an event → what is written there instead."""

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tampering:
    """One thing that is done to a run's rows."""

    kind: TamperKind
    seq: int
    """The event that it is done to."""
    column: str = ""
    place: int = 0
    """Which byte of the payload, where one is flipped."""

    def found_in(self, faults: Sequence[ChainFault]) -> bool:
        """Say whether `verify` found it, at its place; a tail that is gone has none."""
        if self.kind == "tail_dropped":
            return bool(faults)
        return any(fault.seq in (self.seq, self.seq + 1) for fault in faults)


def tampering_of(kind: TamperKind, events: int, rng: Random) -> Tampering:
    """Choose where and how a run of so many events is tampered with."""
    last = events if kind == "tail_dropped" else events - 1
    seq = last if kind == "tail_dropped" else rng.randint(1, max(1, last))
    return Tampering(kind=kind, seq=seq, column=rng.choice(sorted(COLUMNS)), place=rng.randint(0, 1 << 20))


@contextmanager
def tampered(path: Path, run_id: str, change: Callable[[sqlite3.Connection], None]) -> Generator[None]:
    """Change a run's rows in the file for as long as the context lasts.

    What is written to the run meanwhile is lost with the change.
    """
    with closing(sqlite3.connect(path, timeout=30.0, isolation_level=None)) as database:
        kept = {table: _rows(database, table, run_id) for table in TABLES}
        _in_one(database, change)
        try:
            yield
        finally:
            _in_one(database, lambda connection: _put_back(connection, run_id, kept))


def apply(tampering: Tampering, run_id: str) -> Callable[[sqlite3.Connection], None]:
    """Give what does it to an open database."""
    where, which = "WHERE run_id = ? AND seq = ?", (run_id, tampering.seq)

    def change(database: sqlite3.Connection) -> None:
        match tampering.kind:
            case "byte_flipped":
                (body,) = database.execute(f"SELECT body FROM payloads {where}", which).fetchone()  # noqa: S608 - our own words
                at = tampering.place % len(body)
                flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
                database.execute(f"UPDATE payloads SET body = ? {where}", (flipped, *which))  # noqa: S608 - our own words
            case "event_altered":
                column = tampering.column
                database.execute(f"UPDATE events SET {column} = ? {where}", (COLUMNS[column], *which))  # noqa: S608 - our own words
            case "event_dropped" | "tail_dropped":
                database.execute(f"DELETE FROM payloads {where}", which)  # noqa: S608 - our own words
                database.execute(f"DELETE FROM events {where}", which)  # noqa: S608 - our own words
            case "payloads_swapped":
                _swap(database, run_id, tampering.seq)
            case "event_inserted":
                _insert(database, run_id, tampering.seq)

    return change


def edit_payload(run_id: str, seq: int, old: bytes, new: bytes) -> Callable[[sqlite3.Connection], None]:
    """Give what writes one text in place of another into a payload."""

    def change(database: sqlite3.Connection) -> None:
        database.execute(
            "UPDATE payloads SET body = CAST(REPLACE(CAST(body AS TEXT), ?, ?) AS BLOB) "
            "WHERE run_id = ? AND seq = ?",
            (old.decode(), new.decode(), run_id, seq),
        )

    return change


def _swap(database: sqlite3.Connection, run_id: str, seq: int) -> None:
    """Put the payload of an event in place of the next one's, and the other way round."""
    for old, new in ((seq, -1), (seq + 1, seq), (-1, seq + 1)):
        database.execute("UPDATE payloads SET seq = ? WHERE run_id = ? AND seq = ?", (new, run_id, old))


def _insert(database: sqlite3.Connection, run_id: str, seq: int) -> None:
    """Put a second copy of an event after it; those behind it move on by one."""
    for table in ("events", "payloads"):
        rows = database.execute(f"SELECT max(seq) FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608 - our own words
        (last,) = rows.fetchone()
        for place in range(last, seq, -1):
            moved = f"UPDATE {table} SET seq = ? WHERE run_id = ? AND seq = ?"  # noqa: S608 - our own words
            database.execute(moved, (place + 1, run_id, place))
        columns = [name for name in _columns(database, table) if name != "seq"]
        listed = ", ".join(columns)
        database.execute(
            f"INSERT INTO {table} (seq, {listed}) SELECT seq + 1, {listed} FROM {table} "  # noqa: S608 - our own words
            "WHERE run_id = ? AND seq = ?",
            (run_id, seq),
        )


def _columns(database: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row[1] for row in database.execute(f"PRAGMA table_info({table})"))


def _rows(database: sqlite3.Connection, table: str, run_id: str) -> list[Row]:
    return database.execute(f"SELECT * FROM {table} WHERE run_id = ?", (run_id,)).fetchall()  # noqa: S608 - our own words


def _put_back(database: sqlite3.Connection, run_id: str, kept: Mapping[str, Sequence[Row]]) -> None:
    for table in reversed(TABLES):
        database.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608 - our own words
    for table in TABLES:
        for row in kept[table]:
            marks = ", ".join("?" * len(row))
            database.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - our own words


def _in_one(database: sqlite3.Connection, change: Callable[[sqlite3.Connection], None]) -> None:
    database.execute("BEGIN IMMEDIATE")
    change(database)
    database.execute("COMMIT")
