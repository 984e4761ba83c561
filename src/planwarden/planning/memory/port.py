"""Where remembered plans are kept; implementations pass tests/conformance/plan_memory.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from planwarden.contracts.memory import RememberedPlan
from planwarden.errors import InputError

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
RECALLED = 2_000
"""How many plans are recalled at most. What persons taught comes first, so that runs never crowd it out.

More would cost each planning more than it can tell: `benchmarks/plan_memory.py` measures it."""


class PlanMemory(Protocol):
    """Remembered plans of all tenants. No caller can see another tenant's or conversation's."""

    async def recall(self, tenant: str, conversation: str | None) -> tuple[RememberedPlan, ...]:
        """Give what this conversation of this tenant may see: the tenant's own and the conversation's.

        At most `RECALLED`, newest first. Without a conversation: what belongs to none.

        Raises:
            StoreError: it cannot be read.
        """
        ...

    async def remember(self, plan: RememberedPlan) -> bool:
        """Keep a plan; one that is there already (the same id) becomes as new as this one.

        False, and nothing is kept, when its run was forgotten, or all that its tenant had when it was taught.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    async def listed(self, tenant: str, *, limit: int) -> tuple[RememberedPlan, ...]:
        """Give all that is kept of a tenant, of every conversation, newest first: for whoever looks after it.

        Raises:
            StoreError: it cannot be read.
        """
        ...

    async def forget(self, tenant: str, ids: Sequence[str]) -> int:
        """Delete these plans for good, and let none of their runs teach again; give how many.

        Raises:
            InputError: one is not there; then nothing was deleted.
            StoreError: it cannot be written.
        """
        ...

    async def forget_run(self, tenant: str, run_id: str) -> int:
        """Delete what a run taught, also where other runs taught the same, and let it never teach again.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    async def forget_all(self, tenant: str, *, at: datetime) -> int:
        """Delete all of a tenant; nothing that was taught up to then comes back. Gives how many.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    async def rebuild(self, lessons: Iterable[RememberedPlan], *, begun: datetime) -> int:
        """Put these lessons in place of all that runs had taught before `begun`.

        Gives how many plans are there then that runs taught.

        Lessons of forgotten runs stay forgotten; examples stay as they are.

        Raises:
            StoreError: it cannot be written.
        """
        ...


def taught_at(plan: RememberedPlan) -> datetime:
    """Give when a plan was taught; long ago where nobody knows."""
    return plan.at or _LONG_AGO


def newest_first(plans: Iterable[RememberedPlan]) -> list[RememberedPlan]:
    """Give plans newest first, those of one moment in a fixed order. Pure."""
    return sorted(plans, key=lambda plan: (taught_at(plan), plan.id), reverse=True)


def bounded(plans: Iterable[RememberedPlan]) -> tuple[RememberedPlan, ...]:
    """Give what is recalled of the plans that may be seen: `RECALLED` at most, newest first. Pure."""
    ordered = newest_first(plans)
    if len(ordered) > RECALLED:
        ordered = newest_first(sorted(ordered, key=lambda plan: plan.origin == "run")[:RECALLED])
    return tuple(ordered)


def not_remembered(ids: Iterable[str], tenant: str) -> InputError:
    """Say that there is no remembered plan of these ids."""
    named = ", ".join(ids)
    return InputError(
        f"Nothing is remembered under {named} for tenant '{tenant}'; nothing was forgotten.",
        remedy="List what is remembered with `planwarden memory list`.",
    )
