"""Having tasks planned by both sides, one after the other, and putting the pairs side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planwarden.contracts.shadow import ShadowPlan
from planwarden.evaluation.shadow.agreement import Agreement, agreement
from planwarden.evaluation.shadow.sides import Side
from planwarden.evaluation.shadow.task import Rightness, ShadowTask, rightness


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One task, and what both sides said."""

    task: ShadowTask
    first: ShadowPlan
    second: ShadowPlan | None
    """None where nobody is compared with."""

    @property
    def agreement(self) -> Agreement | None:
        """Say how alike the plans are."""
        return agreement(self.first.sketch, self.second.sketch) if self.second else None

    @property
    def first_right(self) -> Rightness | None:
        """Judge the first plan."""
        return rightness(self.task, self.first.sketch)

    @property
    def second_right(self) -> Rightness | None:
        """Judge the second plan."""
        return rightness(self.task, self.second.sketch) if self.second else None


async def compare(
    tasks: Sequence[ShadowTask], first: Side, second: Side | None, progress: Callable[[Compared], None]
) -> tuple[Compared, ...]:
    """Have every task planned; a task that the first side has nothing for is left out.

    The sides take turns in going first, so that neither always finds the machine as the other left it.

    Args:
        tasks: what is planned.
        first: the planner that is looked at.
        second: what it is compared with; None for nothing.
        progress: hears of each pair as it is there.
    """
    pairs: list[Compared] = []
    for number, task in enumerate(tasks):
        if second is not None and number % 2:
            theirs = await second.plan(task)
            ours = await first.plan(task)
        else:
            ours = await first.plan(task)
            theirs = await second.plan(task) if second is not None else None
        if ours is None:
            continue
        pairs.append(Compared(task=task, first=ours, second=theirs))
        progress(pairs[-1])
    return tuple(pairs)
