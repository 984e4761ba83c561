"""Filling the memory from runs: after each, and all over again from the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from planwarden.audit.log import log_unlearned
from planwarden.contracts.fold import fold
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.run import RunState
from planwarden.errors import RunErased, StoreCorrupt, StoreError
from planwarden.journal.port import Journal
from planwarden.planning.memory.lesson import lesson
from planwarden.planning.memory.port import PlanMemory

PAGE = 200
"""Run ids that are held at a time while all runs are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came of filling the memory from the journal."""

    runs: int
    """That were read."""
    damaged: int
    """That could not be read, and teach nothing."""
    remembered: int
    """Plans that runs teach now; runs that did the same by the same plan teach one."""


async def learn(state: RunState, memory: PlanMemory) -> None:
    """Let a run teach what it teaches.

    A memory that cannot be written spoils no run that is over: that is logged, and
    `planwarden memory rebuild` learns it later.
    """
    taught = lesson(state)
    if taught is None:
        return
    try:
        await memory.remember(taught)
    except StoreError as error:
        log_unlearned(state.run_id, error)


async def rebuild(memory: PlanMemory, journal: Journal, *, now: datetime) -> Rebuilt:
    """Put what the runs in the journal teach in place of what they had taught; examples stay.

    Raises:
        StoreError: journal or memory cannot be used.
    """
    lessons: list[RememberedPlan] = []
    runs = damaged = place = 0
    while page := await journal.runs_after(place, limit=PAGE):
        for _, run_id in page:
            runs += 1
            try:
                taught = lesson(fold(await journal.read(run_id)))
            except RunErased:
                continue  # teaches nothing, and nothing is wrong with it
            except StoreCorrupt:
                damaged += 1
                continue
            if taught is not None:
                lessons.append(taught)
        place = page[-1][0]
    remembered = await memory.rebuild(lessons, begun=now)
    return Rebuilt(runs=runs, damaged=damaged, remembered=remembered)
