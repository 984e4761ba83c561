"""Turns of a conversation, carried out while a person waits: Ctrl-C stops the task, not the chat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from anyio.from_thread import BlockingPortal

from planwarden.app import Planwarden, RunResult
from planwarden.cli.output import tell
from planwarden.cli.show import Progress
from planwarden.cli.task_input import this_person
from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import RunStarted, RunTakenOver
from planwarden.contracts.task import Task

if TYPE_CHECKING:
    from planwarden.orchestration.orchestrator import Resolution


class Turns:
    """Runs tasks on an event loop in a thread of its own; this thread waits, prints nothing, hears Ctrl-C."""

    def __init__(self, portal: BlockingPortal, planwarden: Planwarden) -> None:
        self._portal = portal
        self._planwarden = planwarden
        self._progress = Progress()
        self._running: str | None = None

    def route(self, task: Task) -> RunResult | None:
        """Carry out a task; None when it was stopped before it began.

        Raises:
            PlanwardenError: it cannot be carried out.
        """
        return self._waited_for(lambda: self._planwarden.route_task(task, None, self._listener()))

    def resolve(self, run_id: str, resolution: Resolution, call_id: str | None) -> RunResult | None:
        """Say what a run waits for, and go on with it.

        Raises:
            PlanwardenError: it does not wait for this any more.
        """
        return self._waited_for(
            lambda: self._planwarden.resolve(
                run_id, resolution, by=this_person(), call_id=call_id, listener=self._listener()
            )
        )

    def _listener(self) -> Callable[[RunEvent], None]:
        def hear(event: RunEvent) -> None:
            if isinstance(event.fact, RunStarted | RunTakenOver):
                self._running = event.run_id
            self._progress(event)

        return hear

    def _waited_for(self, work: Callable[[], Awaitable[RunResult]]) -> RunResult | None:
        self._running = None
        future: Future[RunResult] = self._portal.start_task_soon(work)
        while True:
            try:
                return future.result()
            except KeyboardInterrupt:
                if not self._stop(future):
                    return None

    def _stop(self, future: Future[RunResult]) -> bool:
        """Have the running task cancelled on record; say whether there is one to wait for."""
        run_id = self._running
        if run_id is None:
            future.cancel()
            return False
        tell("[yellow]stopping …[/]")
        self._portal.start_task_soon(partial(self._planwarden.request_cancel, run_id, by=this_person()))
        return True
