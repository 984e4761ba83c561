"""Whatever is changed in the stored record of a run is found."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from journal_worker import HERE, open_journal, said

from planwarden.contracts.event import GENESIS
from planwarden.contracts.facts import CallReturned
from planwarden.errors import RunNotFound, StoreCorrupt, StoreError
from planwarden.journal.sqlite import SqliteJournal

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("JRN-6")]

COLUMNS = [
    *(
        ("events", name)
        for name in ("run_id", "seq", "at", "epoch", "kind", "payload_digest", "previous", "hash")
    ),
    *(("payloads", name) for name in ("run_id", "seq", "nonce", "body", "erased")),
    *(("runs", name) for name in ("run_id", "last_seq", "last_kind", "head")),
]


@pytest.fixture
async def path(tmp_path: Path, anyio_backend: str) -> Path:
    path = tmp_path / "journal.sqlite"
    journal = await open_journal(path)
    lease, _ = await journal.create("r1", "default", HERE, [said("begun")])
    value = {"price": 1e30, "symbol": "AAPL", "note": "Grüße"}
    await journal.append(lease, [CallReturned(call_id="s1.1", value=value, duration_s=0.5)])
    await journal.append(lease, [said("three"), said("four"), said("five")])
    await journal.create("r2", "default", HERE, [said("another run")])
    await journal.aclose()
    return path


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    journal = await open_journal(path, read_only=True)
    yield journal
    await journal.aclose()


@pytest.fixture
def stored(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


def flips(value: object) -> Iterator[object]:
    """Give the value with one byte changed, for each of its bytes, as SQLite would then read it."""
    match value:
        case int():
            for bit in range(62):
                yield value ^ (1 << bit)
        case str() | bytes():
            data = value.encode() if isinstance(value, str) else value
            for place in range(len(data)):
                bit = 0x20 if place % 2 else 1 << (place % 8)  # 0x20 turns e into E, T into t
                yield data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
        case _:
            raise AssertionError(value)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
async def test_a_changed_byte_in_any_column_is_found(
    journal: SqliteJournal, stored: sqlite3.Connection, table: str, column: str
) -> None:
    where = "run_id = 'r1'" if table == "runs" else "run_id = 'r1' AND seq = 2"
    (value,) = stored.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    placeholder = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
    tried = 0
    for flipped in flips(value):
        try:
            stored.execute(f"UPDATE {table} SET {column} = {placeholder} WHERE {where}", (flipped,))
        except sqlite3.IntegrityError:
            continue  # another event is there already
        assert await journal.verify("r1"), f"{table}.{column}: {value!r} → {flipped!r}"
        now = f"{where} AND " if column not in {"run_id", "seq"} else ""
        restored = stored.execute(
            f"UPDATE {table} SET {column} = ? WHERE {now}{column} = {placeholder}", (value, flipped)
        )
        assert restored.rowcount == 1
        tried += 1
    assert tried >= 2
    assert await journal.verify("r1") == ()


async def test_a_changed_byte_anywhere_in_the_file_never_changes_what_is_read_unseen(
    path: Path, tmp_path: Path, journal: SqliteJournal
) -> None:
    written = await journal.read("r1")
    found = 0
    for place, copy in _flipped_copies(path, tmp_path / "flipped"):
        if await _intact(copy):
            other = await open_journal(copy, read_only=True)
            assert await other.read("r1") == written, place
            await other.aclose()
        else:
            found += 1
    assert found > 10


def _flipped_copies(path: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    data = path.read_bytes()
    for number, place in enumerate(range(0, len(data), 131)):
        folder.mkdir()
        copy = folder / path.name
        copy.write_bytes(data[:place] + bytes([data[place] ^ (1 << number % 8)]) + data[place + 1 :])
        yield place, copy
        shutil.rmtree(folder)


async def _intact(path: Path) -> bool:
    try:
        journal = await open_journal(path, read_only=True)
    except StoreError:
        return False
    try:
        return await journal.verify("r1") == ()
    except (StoreError, RunNotFound):
        return False
    finally:
        await journal.aclose()


def _drop(*seqs: int) -> Callable[[sqlite3.Connection], object]:
    def change(stored: sqlite3.Connection) -> None:
        for table in ("payloads", "events"):
            stored.executemany(
                f"DELETE FROM {table} WHERE run_id = 'r1' AND seq = ?", [(seq,) for seq in seqs]
            )

    return change


def _run(statement: str) -> Callable[[sqlite3.Connection], object]:
    def change(stored: sqlite3.Connection) -> None:
        stored.execute(statement)

    return change


def _swap(table: str) -> Callable[[sqlite3.Connection], object]:
    def change(stored: sqlite3.Connection) -> None:
        for old, new in ((3, 99), (4, 3), (99, 4)):
            stored.execute(f"UPDATE {table} SET seq = ? WHERE run_id = 'r1' AND seq = ?", (new, old))

    return change


def _swap_both(stored: sqlite3.Connection) -> None:
    _swap("events")(stored)
    _swap("payloads")(stored)


def _insert_at_end(stored: sqlite3.Connection) -> None:
    stored.execute(
        "INSERT INTO events SELECT run_id, 6, at, epoch, kind, payload_digest, hash, hash FROM events"
        " WHERE run_id = 'r1' AND seq = 5"
    )
    stored.execute(
        "INSERT INTO payloads SELECT run_id, 6, nonce, body, erased FROM payloads"
        " WHERE run_id = 'r1' AND seq = 5"
    )


def _insert_between(stored: sqlite3.Connection) -> None:
    for table in ("events", "payloads"):
        for seq in (5, 4, 3):
            stored.execute(f"UPDATE {table} SET seq = ? WHERE run_id = 'r1' AND seq = ?", (seq + 1, seq))
    stored.execute(
        "INSERT INTO events SELECT run_id, 3, at, epoch, kind, payload_digest, hash, hash FROM events"
        " WHERE run_id = 'r1' AND seq = 2"
    )
    stored.execute(
        "INSERT INTO payloads SELECT run_id, 3, nonce, body, erased FROM payloads"
        " WHERE run_id = 'r1' AND seq = 2"
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(_drop(5), "ends with event 5", id="last dropped"),
        pytest.param(_drop(4, 5), "ends with event 5", id="two last dropped"),
        pytest.param(_drop(3), "event 3 is missing", id="middle dropped"),
        pytest.param(_drop(1), "event 1 is missing", id="first dropped"),
        pytest.param(_drop(1, 2, 3, 4, 5), "all 5 events are missing", id="all dropped"),
        pytest.param(_swap("events"), "the event is not what was written", id="events swapped"),
        pytest.param(_swap("payloads"), "the payload is not what was written", id="payloads swapped"),
        pytest.param(_swap_both, "the event is not what was written", id="both swapped"),
        pytest.param(_insert_at_end, "ends with event 5", id="added at the end"),
        pytest.param(_insert_between, "the event is not what was written", id="inserted"),
        pytest.param(
            _run("DELETE FROM payloads WHERE run_id = 'r1' AND seq = 2"),
            "the payload is missing",
            id="payload dropped",
        ),
        pytest.param(
            _run("DELETE FROM events WHERE run_id = 'r1' AND seq = 5"),
            "a payload without an event",
            id="event dropped, payload left",
        ),
        pytest.param(
            _run("DELETE FROM runs WHERE run_id = 'r1'"),
            "the run's own row is missing",
            id="run's row dropped",
        ),
    ],
)
async def test_a_record_that_was_cut_or_rearranged_is_found(
    journal: SqliteJournal,
    stored: sqlite3.Connection,
    change: Callable[[sqlite3.Connection], object],
    problem: str,
) -> None:
    change(stored)
    problems = [fault.problem for fault in await journal.verify("r1")]
    assert any(problem in found for found in problems), problems
    assert await journal.verify("r2") == ()


async def test_a_run_of_which_events_are_gone_is_not_read_as_if_it_were_whole(
    journal: SqliteJournal, stored: sqlite3.Connection
) -> None:
    _drop(5)(stored)
    with pytest.raises(StoreCorrupt, match="should have 5 events and has 4"):
        await journal.read("r1")
    stored.execute("DELETE FROM runs WHERE run_id = 'r1'")
    with pytest.raises(StoreCorrupt, match="its own row is gone"):
        await journal.read("r1")


async def test_a_payload_that_is_no_fact_any_more_is_not_read(
    journal: SqliteJournal, stored: sqlite3.Connection
) -> None:
    stored.execute("UPDATE payloads SET body = X'FF00' WHERE run_id = 'r1' AND seq = 2")
    with pytest.raises(StoreCorrupt, match="Event 2 of run r1: its payload cannot be read back"):
        await journal.read("r1")


@pytest.mark.requirement("JRN-7")
async def test_an_erased_payload_that_no_event_speaks_of_is_found(
    journal: SqliteJournal, stored: sqlite3.Connection
) -> None:
    stored.execute(
        "UPDATE payloads SET nonce = NULL, body = NULL, erased = 1 WHERE run_id = 'r1' AND seq = 2"
    )
    (fault,) = await journal.verify("r1")
    assert (fault.seq, fault.problem) == (2, "the payload is erased, and no event says who erased it")
    assert len(await journal.links("r1")) == 5
    with pytest.raises(StoreCorrupt, match="Event 2 of run r1: its payload was erased"):
        await journal.read("r1")


@pytest.mark.requirement("JRN-7")
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("nonce = NULL, body = NULL", "gone without being marked as erased"),
        ("body = NULL", "gone without being marked as erased"),
        ("erased = 1", "marked as erased but is still there"),
        ("body = NULL, erased = 1", "marked as erased but is still there"),
    ],
)
async def test_a_payload_half_erased_is_found(
    journal: SqliteJournal, stored: sqlite3.Connection, change: str, problem: str
) -> None:
    stored.execute(f"UPDATE payloads SET {change} WHERE run_id = 'r1' AND seq = 2")
    (fault,) = await journal.verify("r1")
    assert (fault.seq, fault.run_id) == (2, "r1")
    assert problem in fault.problem


async def test_the_genesis_cannot_be_cut_off(journal: SqliteJournal, stored: sqlite3.Connection) -> None:
    _drop(1)(stored)
    for table in ("events", "payloads"):
        stored.execute(f"UPDATE {table} SET seq = seq - 1 WHERE run_id = 'r1'")
    stored.execute("UPDATE events SET previous = ? WHERE run_id = 'r1' AND seq = 1", (GENESIS,))
    stored.execute("UPDATE runs SET last_seq = 4 WHERE run_id = 'r1'")
    assert await journal.verify("r1")
