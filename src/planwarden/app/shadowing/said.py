"""What a planning came to, as shadow runs keep and compare it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.shadow import ShadowPlan, sketch_of
from planwarden.planning.planner import Planning
from planwarden.planning.validate import PlanLimits, plan_issues
from planwarden.policy.rules import ToolPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a task is planned: declarations only, no tool."""

    catalog: Catalog
    policy: ToolPolicy


def said_of(planning: Planning, place: Place, seconds: float, max_agents: int) -> ShadowPlan:
    """Give what a planning came to, without its texts."""
    decision = planning.decision
    return ShadowPlan(
        sketch=sketch_of(decision.plan) if decision.plan else None,
        source=decision.plan.metadata.source if decision.plan else "none",
        issues=issues_of(decision.plan, place, max_agents),
        refusals=tuple(f"{each.rung}/{each.reason}" for each in decision.refusals),
        seconds=seconds,
        usage=total(exchange.usage for exchange in planning.exchanges),
    )


def issues_of(plan: PlannerPlan | None, place: Place, max_agents: int) -> tuple[str, ...]:
    """Give the reasons for which a plan may not be followed."""
    if plan is None:
        return ()
    found = plan_issues(plan, place.catalog, place.policy, PlanLimits(max_agents=max_agents))
    return tuple(dict.fromkeys(each.reason for each in found))


def total(usages: Iterable[ModelUsage]) -> ModelUsage:
    """Add up what exchanges cost."""
    spent = tuple(usages)
    return ModelUsage(
        prompt_tokens=sum(usage.prompt_tokens for usage in spent),
        cached_tokens=sum(usage.cached_tokens for usage in spent),
        output_tokens=sum(usage.output_tokens for usage in spent),
        latency_s=sum(usage.latency_s for usage in spent),
    )


def foreign(request: str, run_id: str, remembered: Sequence[RememberedPlan]) -> tuple[RememberedPlan, ...]:
    """Leave out of what is remembered what this very run or request taught: it would be its own answer."""
    same = _normal(request)
    return tuple(each for each in remembered if each.run_id != run_id and _normal(each.request) != same)


def _normal(request: str) -> str:
    return " ".join(request.casefold().split())
