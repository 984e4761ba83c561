"""Which runs go to the shadow planner, and when: after they are over, while no real work is going on.

A chosen run leaves one line that it is due. In a process that stays open it is planned when nothing else is
done; real work that begins meanwhile stops it at once, and it is due again. What is due when the process ends
stays due: nobody waits for it, and `planwarden shadow --live` plans it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from planwarden.app.shadowing.file import ShadowFile
from planwarden.audit.log import log_shadow_failed
from planwarden.contracts.shadow import ShadowRecord
from planwarden.errors import ConfigurationError, PlanwardenError

MAX_WAITING = 64
"""Runs that wait in a process; what is beyond stays due in the file."""
UNEXPECTED = "unexpected_error"


def is_chosen(run_id: str, rate: float) -> bool:
    """Say whether a run is one of the share that is shadowed: by the digest of its id, the same each time."""
    return int.from_bytes(sha256(f"shadow/{run_id}".encode()).digest()[:8]) < rate * 2**64


class ShadowWork(Protocol):
    """What plans the tasks of runs again."""

    def due(self, run_id: str) -> ShadowRecord:
        """Give the line that says that a run is to be planned."""
        ...

    async def plan(self, run_id: str) -> ShadowRecord:
        """Plan a run's task; where that cannot be done the record says why."""
        ...

    async def aclose(self) -> None:
        """Close what was opened for it."""
        ...


class Shadowing:
    """Sends a share of the runs that are over to a shadow planner."""

    def __init__(self, rate: float, file: ShadowFile, work: ShadowWork | None) -> None:
        """Put it together; without anything to plan with, no run is chosen."""
        self._rate = rate
        self._file = file
        self._work = work
        self._waiting: deque[str] = deque()
        self._busy = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self.trouble: ConfigurationError | None = None
        """Why there is nothing to plan with."""
        self.failed = 0
        """How often something went wrong here; each time was logged."""

    @contextmanager
    def real_work(self) -> Generator[None]:
        """Let real work go first: what is being planned here is stopped, and nothing new begins before."""
        self._busy += 1
        if self._task is not None:
            self._task.cancel()
        try:
            yield
        finally:
            self._busy -= 1
            self._wake()

    async def offer(self, run_id: str) -> None:
        """Take a run that is over, if it is one of the share; never raises for what goes wrong here."""
        if self._work is None or not is_chosen(run_id, self._rate):
            return
        try:
            await self._file.append(self._work.due(run_id))
        except Exception as error:  # noqa: BLE001 - logged and counted; a shadow never fails a real run
            self._fail(run_id, error)
            return
        if len(self._waiting) < MAX_WAITING and run_id not in self._waiting:
            self._waiting.append(run_id)
        self._wake()

    async def aclose(self) -> None:
        """Stop at once; what is not planned stays due."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._work is not None:
            await self._work.aclose()

    async def drained(self) -> None:
        """Wait until nothing is planned any more: for whoever wants to see the result."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    def _wake(self) -> None:
        idle = self._task is None or self._task.done()
        if self._work is not None and self._waiting and idle and not self._busy and not self._closed:
            self._task = asyncio.create_task(self._plan_waiting(self._work))
            self._task.add_done_callback(lambda _: self._wake())

    async def _plan_waiting(self, work: ShadowWork) -> None:
        while self._waiting and not self._busy:
            run_id = self._waiting[0]
            try:
                record = await work.plan(run_id)
                if record.state == "failed":
                    self._fail(run_id, record.code)
                await self._file.append(record)
            except Exception as error:  # noqa: BLE001 - logged and counted; a shadow never fails a real run
                self._fail(run_id, error)
            self._waiting.popleft()

    def _fail(self, run_id: str, error: Exception | str) -> None:
        self.failed += 1
        code = (
            error.code
            if isinstance(error, PlanwardenError)
            else error
            if isinstance(error, str)
            else UNEXPECTED
        )
        log_shadow_failed(run_id, code, type(error).__name__ if isinstance(error, Exception) else "")


def begin_shadowing(rate: float, path: Path, work: Callable[[], ShadowWork]) -> Shadowing:
    """Begin; a shadow planner that is configured wrong is logged, and real runs go on without it.

    Args:
        rate: the share of runs.
        path: the file of shadow plans.
        work: makes what plans.
    """
    file = ShadowFile(path=path)
    try:
        return Shadowing(rate, file, work())
    except ConfigurationError as error:
        without = Shadowing(rate, file, None)
        without.failed, without.trouble = 1, error
        log_shadow_failed(None, error.code, "")
        return without
