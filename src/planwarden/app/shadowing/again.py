"""Planning a run's task again by another planner, over today's catalog and policy; nothing is executed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field

from planwarden.app.shadowing.other_planner import OtherPlanner
from planwarden.app.shadowing.said import Place, foreign, said_of
from planwarden.configuration.planner_config import PlannerConfig
from planwarden.contracts.clock import Clock
from planwarden.contracts.fold import fold
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.shadow import ShadowRecord
from planwarden.contracts.value import digest
from planwarden.errors import PlanwardenError
from planwarden.journal.port import Journal

Recall = Callable[[str, str | None], Awaitable[Sequence[RememberedPlan]]]
"""What is remembered for a tenant and a conversation."""


@dataclass(slots=True, kw_only=True)
class PlansAgain:
    """Plans the tasks of runs again; its model is opened with the first, and closed with it."""

    config: PlannerConfig
    opening: Callable[[PlannerConfig], AbstractAsyncContextManager[OtherPlanner]]
    journal: Callable[[], Awaitable[Journal]]
    place: Callable[[Sequence[str]], Awaitable[Place]]
    """Catalog and policy over some data paths."""
    recall: Recall
    clock: Clock
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack)
    _other: OtherPlanner | None = None

    def due(self, run_id: str) -> ShadowRecord:
        """Say that a run is to be planned."""
        return ShadowRecord(
            run_id=run_id,
            state="due",
            at=self.clock.now(),
            planner=self.config.name,
            planner_digest=self.config.digest,
        )

    async def plan(self, run_id: str) -> ShadowRecord:
        """Plan a run's task; where that cannot be done the record says why."""
        try:
            return await self._planned(run_id)
        except PlanwardenError as error:
            return self.due(run_id).model_copy(update={"state": "failed", "code": error.code})

    async def _planned(self, run_id: str) -> ShadowRecord:
        journal = await self.journal()
        task = fold(await journal.read(run_id)).started.task
        place = await self.place(task.data)
        recalled = await self.recall(task.tenant, task.conversation)
        remembered = foreign(task.prompt, run_id, recalled)
        other = await self._opened_planner()
        other.planner.prepare(place.catalog)
        began = self.clock.monotonic()
        planning = await other.planner.plan(task, place.catalog, place.policy, remembered)
        seconds = self.clock.monotonic() - began
        plan = planning.decision.plan
        said = said_of(planning, place, seconds, self.config.chosen.max_agents)
        return self.due(run_id).model_copy(
            update={
                "state": "planned",
                "provider": other.identity.provider,
                "model": other.identity.model,
                "model_digest": other.identity.digest,
                "task_digest": (await journal.links(run_id))[0].payload_digest,
                "catalog_digest": place.catalog.digest,
                "policy_digest": place.policy.digest,
                "prompt_version": plan.metadata.prompt_version if plan else None,
                "plan_digest": digest(said.sketch.model_dump(mode="json")) if said.sketch else None,
                "plan": said,
            }
        )

    async def _opened_planner(self) -> OtherPlanner:
        if self._other is None:
            self._other = await self._opened.enter_async_context(self.opening(self.config))
        return self._other

    async def aclose(self) -> None:
        """Close the model."""
        self._other = None
        await self._opened.aclose()
