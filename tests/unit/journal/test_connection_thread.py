"""Group commit: what shares a transaction, what fails alone, what fails together."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from planwarden.errors import StoreCorrupt, StoreUnavailable
from planwarden.journal.sqlite.thread import ConnectionThread

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("JRN-9")]


class Recorded(sqlite3.Connection):
    """Keeps the statements that begin and end transactions, and can refuse to commit."""

    seen: list[str]
    fails_to: str = ""

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        if sql == self.fails_to:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        self.seen.append(sql)
        return super().execute(sql, parameters)  # pyright: ignore[reportArgumentType]  # passed through


class Bench:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection: Recorded | None = None
        self.gate = threading.Event()
        self.thread = ConnectionThread(path, self.connect, transaction="IMMEDIATE", batch=100)

    def connect(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, factory=Recorded, isolation_level=None, check_same_thread=False)
        connection.seen = []
        connection.execute("CREATE TABLE words (word TEXT UNIQUE)")
        connection.seen.clear()
        self.connection = connection
        return connection

    def add(self, word: str) -> Callable[[sqlite3.Connection], str]:
        def write(connection: sqlite3.Connection) -> str:
            connection.execute("INSERT INTO words VALUES (?)", (word,))
            return word

        return write

    async def while_blocked(self, *operations: Callable[[sqlite3.Connection], object]) -> list[object]:
        """Let these operations wait behind one that is held up, so that they are taken together."""
        blocker = await self.blocked()
        waiting = [asyncio.create_task(self.thread.do(operation)) for operation in operations]
        await asyncio.sleep(0)
        self.gate.set()
        await blocker
        return await asyncio.gather(*waiting, return_exceptions=True)

    async def blocked(self) -> asyncio.Task[bool]:
        """Hold the thread up until the gate opens."""
        begun = threading.Event()

        def block(connection: sqlite3.Connection) -> bool:
            begun.set()
            return self.gate.wait(60)

        blocker = asyncio.create_task(self.thread.do(block))
        await asyncio.to_thread(begun.wait, 60)
        return blocker

    def words(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY rowid")]

    def seen(self, statement: str) -> int:
        assert self.connection is not None
        return self.connection.seen.count(statement)


@pytest.fixture
async def bench(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "words.sqlite")
    await bench.thread.start()
    yield bench
    bench.gate.set()
    await bench.thread.aclose()


def clumsy(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO words VALUES ('half')")
    raise RuntimeError("clumsy")


async def test_operations_that_wait_together_share_one_commit(bench: Bench) -> None:
    assert await bench.while_blocked(*(bench.add(word) for word in "abcdefgh")) == list("abcdefgh")
    assert bench.words() == list("abcdefgh")
    assert bench.seen("COMMIT") == 2  # the one that held them up, and theirs


async def test_an_operation_that_fails_is_undone_alone(bench: Bench) -> None:
    one, failed, two = await bench.while_blocked(bench.add("one"), clumsy, bench.add("two"))
    assert (one, two) == ("one", "two")
    assert isinstance(failed, RuntimeError)
    assert bench.words() == ["one", "two"]


async def test_a_commit_that_fails_fails_every_operation_in_it_and_writes_none(bench: Bench) -> None:
    await bench.thread.do(bench.add("before"))
    assert bench.connection is not None
    bench.connection.fails_to = "COMMIT"
    failed = await asyncio.gather(
        *(bench.thread.do(bench.add(word)) for word in "abc"), return_exceptions=True
    )
    assert [type(error) for error in failed] == [StoreUnavailable] * 3
    assert len({id(error) for error in failed}) == 3
    assert str(bench.path) in str(failed[0])
    bench.connection.fails_to = ""
    await bench.thread.do(bench.add("after"))
    assert bench.words() == ["before", "after"]


async def test_a_transaction_that_sqlite_undoes_by_itself_fails_every_operation_in_it(bench: Bench) -> None:
    def undone(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    answers = await bench.while_blocked(bench.add("one"), undone, bench.add("two"))
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    assert bench.words() == []
    await bench.thread.do(bench.add("after"))
    assert bench.words() == ["after"]


async def test_an_error_of_sqlite_becomes_typed_with_its_cause(bench: Bench) -> None:
    with pytest.raises(StoreCorrupt, match="no such table: nowhere") as caught:
        await bench.thread.do(lambda connection: connection.execute("SELECT * FROM nowhere"))
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


@pytest.mark.requirement("JRN-12")
async def test_an_operation_whose_caller_was_cancelled_before_it_began_is_not_run(bench: Bench) -> None:
    blocker = await bench.blocked()
    cancelled = asyncio.create_task(bench.thread.do(bench.add("cancelled")))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    bench.gate.set()
    await blocker
    await bench.thread.do(bench.add("after"))
    assert bench.words() == ["after"]


@pytest.mark.requirement("JRN-12")
async def test_an_operation_that_began_is_finished_although_its_caller_was_cancelled(bench: Bench) -> None:
    begun = threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        bench.gate.wait(60)
        bench.add("slow")(connection)

    task = asyncio.create_task(bench.thread.do(slow))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    bench.gate.set()
    await bench.thread.do(bench.add("after"))
    assert bench.words() == ["slow", "after"]


@pytest.mark.requirement("JRN-12")
async def test_closing_finishes_what_waits_and_refuses_what_comes_after(bench: Bench) -> None:
    waiting = [asyncio.create_task(bench.thread.do(bench.add(word))) for word in "abc"]
    await asyncio.sleep(0)
    await bench.thread.aclose()
    assert await asyncio.gather(*waiting) == ["a", "b", "c"]
    with pytest.raises(StoreUnavailable, match="is closed"):
        await bench.thread.do(bench.add("late"))
    assert bench.words() == ["a", "b", "c"]
    assert bench.connection is not None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        bench.connection.commit()


@pytest.mark.requirement("JRN-12")
async def test_a_start_that_is_cancelled_still_closes_its_connection(tmp_path: Path) -> None:
    opened: list[sqlite3.Connection] = []
    gate = threading.Event()

    def connect(path: Path) -> sqlite3.Connection:
        gate.wait(60)
        opened.append(sqlite3.connect(path, check_same_thread=False))
        return opened[0]

    thread = ConnectionThread(tmp_path / "x.sqlite", connect, transaction="IMMEDIATE", batch=1)
    start = asyncio.create_task(thread.start())
    await asyncio.sleep(0)
    start.cancel()
    await asyncio.gather(start, return_exceptions=True)
    gate.set()
    await thread.aclose()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].commit()
