"""How the runtime reaches the record: it sees the run's state and appends facts, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from planwarden.contracts.facts import Fact
from planwarden.contracts.run import RunState

Decided = TypeVar("Decided")


class Recorder(Protocol):
    """The record of one run, owned by this process."""

    @property
    def state(self) -> RunState:
        """Give the state after everything recorded so far."""
        ...

    async def record(self, *facts: Fact) -> RunState:
        """Put facts on disk, in one transaction; give the state after them.

        Raises:
            LeaseLost: this process does not own the run any more; nothing was written.
        """
        ...

    async def decide(self, choose: Callable[[RunState], tuple[Decided, Sequence[Fact]]]) -> Decided:
        """Decide from the state and record the decision, with no other fact in between; give the decision.

        Raises:
            LeaseLost: this process does not own the run any more; nothing was written.
        """
        ...

    async def check_ownership(self) -> None:
        """Make sure, right before an effect, that this process still owns the run.

        Raises:
            LeaseLost: it does not.
        """
        ...
