"""A wrapper that traces planning: a `plan` span, with what came of it and what was refused on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.plan import PlanDecision, Refusal
from planwarden.contracts.task import Task
from planwarden.contracts.tracing import Attributes, Tracer
from planwarden.planning.planner import Planning
from planwarden.policy.rules import ToolPolicy


class Planner(Protocol):
    """Makes plans."""

    async def plan(
        self,
        task: Task,
        catalog: Catalog,
        policy: ToolPolicy,
        remembered: Sequence[RememberedPlan] = (),
    ) -> Planning:
        """Give the plan to follow for a task; see `LLMOrchestrationPlanner.plan`."""
        ...


class TracedPlanner:
    """Puts each planning into a span."""

    def __init__(self, inner: Planner, tracer: Tracer) -> None:
        self._inner = inner
        self._tracer = tracer

    async def plan(
        self,
        task: Task,
        catalog: Catalog,
        policy: ToolPolicy,
        remembered: Sequence[RememberedPlan] = (),
    ) -> Planning:
        """Plan, in a span; one of its own trace, or of the caller's, where no run is under way."""
        about: Attributes = {
            "gen_ai.operation.name": "plan",
            "planwarden.catalog.digest": catalog.digest,
            "planwarden.policy.digest": policy.digest,
        }
        parent = None if self._tracer.current().traceparent else task.traceparent
        with self._tracer.span("plan", about, parent=parent) as span:
            planning = await self._inner.plan(task, catalog, policy, remembered)
            span.note(_came_of(planning.decision))
            if planning.decision.plan is None and planning.decision.refusals:
                span.fail(planning.decision.refusals[-1].reason)
            return planning


def _came_of(decision: PlanDecision) -> Attributes:
    refusals = [_said(each) for each in decision.refusals] or None
    plan = decision.plan
    if plan is None:
        return {"planwarden.plan.refusals": refusals}
    return {
        "planwarden.plan.source": plan.metadata.source,
        "planwarden.plan.steps": len(plan.steps),
        "planwarden.plan.tools": [tool for step in plan.steps for tool in step.tools],
        "planwarden.plan.confidence": plan.confidence,
        "planwarden.plan.prompt_version": plan.metadata.prompt_version or None,
        "planwarden.plan.refusals": refusals,
    }


def _said(refusal: Refusal) -> str:
    rung = refusal.rung if refusal.inner is None else f"{refusal.rung}/{refusal.inner}"
    return f"{rung}:{refusal.reason}"
