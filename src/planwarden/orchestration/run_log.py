"""`RunLog`: one run's record in the hands of its owner: journal, lease and folded state kept in step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import anyio

from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import Fact
from planwarden.contracts.fold import advance
from planwarden.contracts.run import RunState
from planwarden.journal.port import Journal, Lease

EventListener = Callable[[RunEvent], None]
Decided = TypeVar("Decided")


class RunLog:
    """Appends facts under the lease and folds them; the one writer of its run in this process."""

    def __init__(
        self, journal: Journal, lease: Lease, state: RunState, listener: EventListener | None = None
    ) -> None:
        self._journal = journal
        self._lease = lease
        self._state = state
        self._listener = listener
        self._turn = anyio.Lock()

    @property
    def state(self) -> RunState:
        """Give the state after everything recorded so far."""
        return self._state

    async def record(self, *facts: Fact) -> RunState:
        """Put facts on disk, in one transaction; give the state after them.

        A cancelled caller still gets its facts recorded and folded: the record and the state never part.

        Raises:
            LeaseLost: this process does not own the run any more; nothing was written.
        """
        with anyio.CancelScope(shield=True):
            async with self._turn:
                self._take_in(await self._journal.append(self._lease, facts))
        return self._state

    async def decide(self, choose: Callable[[RunState], tuple[Decided, Sequence[Fact]]]) -> Decided:
        """Decide from the state and record the decision, with no other fact in between; give the decision.

        Without this, two calls made at the same moment could both be admitted to the same place.

        Raises:
            LeaseLost: this process does not own the run any more; nothing was written.
        """
        decided: list[Decided] = []
        with anyio.CancelScope(shield=True):
            async with self._turn:
                decision, facts = choose(self._state)
                decided.append(decision)
                if facts:
                    self._take_in(await self._journal.append(self._lease, facts))
        return decided[0]

    async def absorb(self) -> RunState:
        """Take in what others posted for this run: cancellation, approvals, settlements."""
        with anyio.CancelScope(shield=True):
            async with self._turn:
                self._take_in(await self._journal.absorb(self._lease))
        return self._state

    async def check_ownership(self) -> None:
        """Make sure, right before an effect, that the lease is still ours."""
        await self._journal.check(self._lease)

    async def renew(self) -> None:
        """Extend the lease."""
        self._lease = await self._journal.renew(self._lease)

    async def release(self) -> None:
        """Give the lease back."""
        with anyio.CancelScope(shield=True):
            await self._journal.release(self._lease)

    def _take_in(self, events: Sequence[RunEvent]) -> None:
        for event in events:
            self._state = advance(self._state, event)
        if self._listener is not None:
            for event in events:
                self._listener(event)
