"""One thread that owns one connection; operations run in order, several to a transaction (group commit)."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import anyio

from planwarden.errors import StoreUnavailable
from planwarden.journal.sqlite.refusal import SQLITE_ERRORS, refusal

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]


@dataclass(frozen=True, slots=True)
class _Job:
    operation: Operation[object]
    future: Future[Any]


@dataclass(frozen=True, slots=True)
class _Done:
    value: object


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class ConnectionThread:
    """Runs operations on a connection that only its thread touches.

    Operations that wait together share a transaction and one flush to disk. One that raises is undone alone;
    when the transaction itself fails, every operation in it fails and none is written.
    An operation whose caller was cancelled before it began is not run; one that began is finished.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[Path], sqlite3.Connection],
        *,
        transaction: Literal["IMMEDIATE", "DEFERRED"],
        batch: int,
    ) -> None:
        self._path = path
        self._connect = connect
        self._begin = f"BEGIN {transaction}"
        self._batch = batch
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._opened: Future[None] = Future()
        self._ended: Future[None] = Future()
        for lasting in (self._opened, self._ended):
            lasting.set_running_or_notify_cancel()  # a cancelled waiter must not cancel these
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"journal-{transaction.lower()}", daemon=True)

    async def start(self) -> None:
        """Open the connection.

        Raises:
            StoreError: whatever `connect` raises.
        """
        self._thread.start()
        await asyncio.wrap_future(self._opened)

    async def do(self, operation: Operation[T]) -> T:
        """Run an operation; what it wrote is on disk when this returns.

        Raises:
            StoreUnavailable: the disk refused, or the journal is closed; nothing was written.
            StoreCorrupt: the file is damaged; nothing was written.
        """
        if self._closed:
            raise StoreUnavailable(
                f"The journal {self._path} is closed.", remedy="Open it again before using it."
            )
        job = _Job(operation, Future())
        self._queue.put(job)
        return cast("T", await asyncio.wrap_future(job.future))

    async def aclose(self) -> None:
        """Finish what waits, then close the connection; also when cancelled."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        if self._thread.ident is not None:
            with anyio.CancelScope(shield=True):
                await asyncio.wrap_future(self._ended)

    def _run(self) -> None:
        try:
            connection = self._connect(self._path)
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits start()
            self._opened.set_exception(error)
        else:
            self._opened.set_result(None)
            with closing(connection):
                while jobs := self._waiting():
                    self._transact(connection, jobs)
        finally:
            self._ended.set_result(None)

    def _waiting(self) -> list[_Job]:
        """Wait for a job and take what else is there; empty when it is time to end."""
        jobs: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == self._batch:
                return jobs
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._queue.put(None)
        return jobs

    def _transact(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        begun = [job for job in jobs if job.future.set_running_or_notify_cancel()]
        if not begun:
            return
        try:
            connection.execute(self._begin)
            outcomes = [_attempt(connection, job.operation) for job in begun]
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - handed to every caller of this transaction
            with suppress(sqlite3.Error):  # then the next BEGIN fails, and says why
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            outcomes = [_Failed(error) for _ in begun]
        for job, outcome in zip(begun, outcomes, strict=True):
            self._settle(job.future, outcome)

    def _settle(self, future: Future[Any], outcome: _Done | _Failed) -> None:
        if isinstance(outcome, _Done):
            future.set_result(outcome.value)
            return
        error = outcome.error
        if isinstance(error, SQLITE_ERRORS):
            typed = refusal(error, self._path)
            typed.__cause__ = error
            error = typed
        future.set_exception(error)


def _attempt(connection: sqlite3.Connection, operation: Operation[object]) -> _Done | _Failed:
    connection.execute("SAVEPOINT operation")
    try:
        value = operation(connection)
    except BaseException as error:
        if not connection.in_transaction:
            raise  # SQLite undid the whole transaction (the disk is full, say), the others' writes too
        connection.execute("ROLLBACK TO operation")
        connection.execute("RELEASE operation")
        return _Failed(error)
    connection.execute("RELEASE operation")
    return _Done(value)
