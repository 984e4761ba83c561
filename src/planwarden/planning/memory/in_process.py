"""Remembered plans in this process only: for tests, benchmarks, and where nothing is to be kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from planwarden.contracts.memory import LEARNED, RememberedPlan
from planwarden.planning.memory.port import bounded, newest_first, not_remembered, taught_at

_Key = tuple[str, str]
"""Tenant and id."""


class InProcessMemory:
    """The port over dictionaries."""

    def __init__(self, plans: Iterable[RememberedPlan] = ()) -> None:
        self._plans: dict[_Key, RememberedPlan] = {(plan.tenant, plan.id): plan for plan in plans}
        self._taught: dict[tuple[str, str], str] = {}
        """Tenant and run to the plan that it taught."""
        self._forgotten_runs: set[tuple[str, str]] = set()
        """Tenant and run."""
        self._forgotten_tenants: dict[str, datetime] = {}

    async def recall(self, tenant: str, conversation: str | None) -> tuple[RememberedPlan, ...]:
        """Give what this conversation of this tenant may see."""
        seen = [
            plan
            for plan in self._plans.values()
            if plan.tenant == tenant and plan.conversation in (None, conversation)
        ]
        return bounded(seen)

    async def remember(self, plan: RememberedPlan) -> bool:
        """Keep a plan."""
        if self._is_forgotten(plan):
            return False
        key = (plan.tenant, plan.id)
        known = self._plans.get(key)
        if known is None or taught_at(known) <= taught_at(plan):
            self._plans[key] = plan
        if plan.run_id is not None:
            self._taught[plan.tenant, plan.run_id] = plan.id
        return True

    async def listed(self, tenant: str, *, limit: int) -> tuple[RememberedPlan, ...]:
        """Give all that is kept of a tenant."""
        return tuple(newest_first([plan for plan in self._plans.values() if plan.tenant == tenant])[:limit])

    async def forget(self, tenant: str, ids: Sequence[str]) -> int:
        """Delete these plans for good."""
        keys = dict.fromkeys((tenant, each) for each in ids)
        if missing := [name for _, name in keys if (tenant, name) not in self._plans]:
            raise not_remembered(missing, tenant)
        for key in keys:
            self._delete(key)
        return len(keys)

    async def forget_run(self, tenant: str, run_id: str) -> int:
        """Delete what a run taught."""
        self._forgotten_runs.add((tenant, run_id))
        taught = self._taught.get((tenant, run_id))
        if taught is None:
            return 0
        self._delete((tenant, taught))
        return 1

    async def forget_all(self, tenant: str, *, at: datetime) -> int:
        """Delete all of a tenant."""
        self._forgotten_tenants[tenant] = at
        keys = [key for key in self._plans if key[0] == tenant]
        for key in keys:
            self._delete(key)
        return len(keys)

    async def rebuild(self, lessons: Iterable[RememberedPlan], *, begun: datetime) -> int:
        """Put these lessons in place of all that runs had taught before."""
        self._plans = {
            key: plan
            for key, plan in self._plans.items()
            if plan.origin not in LEARNED or taught_at(plan) >= begun
        }
        self._taught = {
            run: taught for run, taught in self._taught.items() if (run[0], taught) in self._plans
        }
        for each in lessons:
            await self.remember(each)
        return sum(plan.origin in LEARNED for plan in self._plans.values())

    def _delete(self, key: _Key) -> None:
        del self._plans[key]
        runs = [run for run, taught in self._taught.items() if (run[0], taught) == key]
        self._forgotten_runs.update(runs)
        for run in runs:
            del self._taught[run]

    def _is_forgotten(self, plan: RememberedPlan) -> bool:
        if plan.origin not in LEARNED:
            return False
        since = self._forgotten_tenants.get(plan.tenant)
        late = since is not None and taught_at(plan) <= since
        return late or (plan.tenant, plan.run_id) in self._forgotten_runs
