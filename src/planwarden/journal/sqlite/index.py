"""The index in the journal's file: summaries, and a row for each facet of a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from planwarden.contracts.facts import ERASED
from planwarden.contracts.summary import RunSummary
from planwarden.errors import StoreCorrupt
from planwarden.journal.chain import instant_text
from planwarden.journal.index import Facet, RunQuery, Unreadable, facets_of, facets_wanted
from planwarden.journal.sqlite.thread import ConnectionThread

_FEW = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteIndex:
    """The index port; made by the journal whose file it is in."""

    reader: ConnectionThread
    writing: Callable[[], ConnectionThread]

    async def due(self, place: int, *, limit: int) -> tuple[tuple[int, str, int], ...]:
        """Give runs after a place whose kept summary does not cover their last event."""
        return await self.reader.do(lambda connection: _due(connection, place, limit))

    async def put(self, summaries: Sequence[RunSummary | Unreadable]) -> None:
        """Keep summaries, in one transaction."""
        await self.writing().do(lambda connection: _put_all(connection, summaries))

    async def search(self, query: RunQuery) -> tuple[RunSummary, ...]:
        """Give the newest runs first, of those that have a summary."""
        return await self.reader.do(lambda connection: _search(connection, query))

    async def after(self, place: int, *, limit: int) -> tuple[tuple[int, RunSummary | Unreadable], ...]:
        """Give kept summaries after a place, oldest run first."""
        return await self.reader.do(lambda connection: _after(connection, place, limit))

    async def of(self, run_ids: Sequence[str]) -> tuple[RunSummary | Unreadable, ...]:
        """Give the kept summaries of these runs."""
        return await self.reader.do(lambda connection: _of(connection, run_ids))

    async def forget(self) -> None:
        """Drop all summaries but those of erased runs, if they can be read; every other run is due then."""
        await self.writing().do(_forget)


def _due(connection: sqlite3.Connection, place: int, limit: int) -> tuple[tuple[int, str, int], ...]:
    rows = connection.execute(
        "SELECT number, run_id, last_seq FROM runs WHERE summarised_seq < last_seq AND number > ?"
        " ORDER BY number LIMIT ?",
        (place, limit),
    )
    return tuple((int(number), str(run_id), int(seq)) for number, run_id, seq in rows)


def _put_all(connection: sqlite3.Connection, summaries: Sequence[RunSummary | Unreadable]) -> None:
    """Write summaries with their facets; one that is older than what is kept is dropped."""
    for summary in summaries:
        row = connection.execute(
            "SELECT number, created_at FROM runs WHERE run_id = ? AND summarised_seq <= ?",
            (summary.run_id, summary.seq),
        ).fetchone()
        if row is not None:
            put_summary(connection, summary, number=row[0], created_at=row[1])


def summary_bytes(summary: RunSummary) -> bytes:
    """Write a summary as it is stored."""
    return summary.model_dump_json().encode()


def put_summary(
    connection: sqlite3.Connection, summary: RunSummary | Unreadable, *, number: int, created_at: str
) -> None:
    """Write a summary and its facets in place of what is there."""
    read = summary if isinstance(summary, RunSummary) else None
    body = summary_bytes(read) if read else None
    connection.execute("DELETE FROM facets WHERE number = ?", (number,))
    connection.execute(
        "INSERT OR REPLACE INTO summaries (number, seq, created_at, body) VALUES (?, ?, ?, ?)",
        (number, summary.seq, created_at, body),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO facets (kind, value, created_at, number) VALUES (?, ?, ?, ?)",
        [(kind, value, created_at, number) for kind, value in (facets_of(read) if read else ())],
    )
    connection.execute("UPDATE runs SET summarised_seq = ? WHERE number = ?", (summary.seq, number))


def _search(connection: sqlite3.Connection, query: RunQuery) -> tuple[RunSummary, ...]:
    """Find the newest runs that have everything that is wanted.

    The runs of the rarest facet are walked from the newest, each looked up in the others.

    Raises:
        StoreCorrupt: a summary cannot be read back.
    """
    since = instant_text(query.since) if query.since else ""
    until = instant_text(query.until) if query.until else "~"
    wanted = sorted(facets_wanted(query), key=lambda facet: _count(connection, facet))
    if wanted:
        walked = "facets AS walked JOIN summaries USING (number)"
        chosen = "walked.kind = ? AND walked.value = ?"
    else:
        walked, chosen = "summaries AS walked", "walked.body NOT NULL"
    also = " AND EXISTS (SELECT 1 FROM facets WHERE kind = ? AND value = ? AND created_at = walked.created_at"
    also += " AND number = walked.number)"
    statement = (
        f"SELECT body FROM {walked} WHERE {chosen} AND walked.created_at >= ? AND walked.created_at < ?"  # noqa: S608 - our own words only
        f"{also * (len(wanted) - 1)} ORDER BY walked.created_at DESC, walked.number DESC LIMIT ?"
    )
    first, others = wanted[:1], wanted[1:]
    values = [part for facet in first for part in facet] + [since, until]
    values += [part for facet in others for part in facet]
    rows = connection.execute(statement, (*values, max(query.limit, 0))).fetchall()
    return tuple(_read(body) for (body,) in rows)


def _count(connection: sqlite3.Connection, facet: Facet) -> int:
    """Count how many runs have a facet, up to a bound: beyond it they are all many."""
    counted: tuple[int] = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM facets WHERE kind = ? AND value = ? LIMIT ?)", (*facet, _FEW)
    ).fetchone()
    return counted[0]


def _after(
    connection: sqlite3.Connection, place: int, limit: int
) -> tuple[tuple[int, RunSummary | Unreadable], ...]:
    """Read summaries of runs that were begun after a place."""
    rows = connection.execute(
        "SELECT number, run_id, seq, body FROM summaries JOIN runs USING (number) WHERE number > ?"
        " ORDER BY number LIMIT ?",
        (place, limit),
    ).fetchall()
    return tuple((number, _kept(run_id, seq, body)) for number, run_id, seq, body in rows)


def _of(connection: sqlite3.Connection, run_ids: Sequence[str]) -> tuple[RunSummary | Unreadable, ...]:
    """Read the summaries of these runs."""
    marks = ", ".join("?" * len(run_ids))
    rows = connection.execute(
        f"SELECT run_id, seq, body FROM runs JOIN summaries USING (number) WHERE run_id IN ({marks})",  # noqa: S608 - marks only
        tuple(run_ids),
    ).fetchall()  # a statement that an error leaves half read would hold this view of the file
    return tuple(_kept(*row) for row in rows)


def _kept(run_id: str, seq: int, body: bytes | None) -> RunSummary | Unreadable:
    return Unreadable(run_id=run_id, seq=seq) if body is None else _read(body)


def _forget(connection: sqlite3.Connection) -> None:
    """Drop all summaries that can be made again, so that these runs are due.

    Of erased runs those stay that can be read: of one that cannot, it is noted that nothing is left.
    """
    kept = connection.execute(
        "SELECT number, run_id, last_seq, runs.created_at, body FROM summaries JOIN runs USING (number)"
        " WHERE last_kind = ? AND body NOT NULL",
        (ERASED,),
    ).fetchall()
    for number, run_id, seq, created_at, body in kept:
        if not _readable(body):
            nothing = Unreadable(run_id=run_id, seq=seq)
            put_summary(connection, nothing, number=number, created_at=created_at)
    again = "(SELECT number FROM runs WHERE last_kind <> ?)"
    connection.execute(f"DELETE FROM facets WHERE number IN {again}", (ERASED,))  # noqa: S608 - our own words
    connection.execute(f"DELETE FROM summaries WHERE number IN {again}", (ERASED,))  # noqa: S608 - our own words
    connection.execute("UPDATE runs SET summarised_seq = 0 WHERE last_kind <> ?", (ERASED,))


def _readable(body: bytes) -> bool:
    try:
        _read(body)
    except StoreCorrupt:
        return False
    return True


def _read(body: bytes) -> RunSummary:
    try:
        return RunSummary.model_validate_json(body)
    except ValidationError as error:
        raise StoreCorrupt(
            f"The journal's index is damaged: {error.errors()[0]['msg']}.",
            remedy="Make it anew from the runs themselves: `planwarden journal reindex`.",
        ) from error
