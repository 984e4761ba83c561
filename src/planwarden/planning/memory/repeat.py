"""Repeats: the plan that did exactly this task before, made ready to be followed again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.plan import PlanMetadata, PlannedAgentStep, PlannerPlan, Refusal
from planwarden.contracts.task import Task
from planwarden.planning.memory.key import repeat_key
from planwarden.planning.validate import PlanLimits, plan_issues
from planwarden.policy.rules import ToolPolicy

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def repeated(
    task: Task, catalog: Catalog, policy: ToolPolicy, remembered: Sequence[RememberedPlan]
) -> RememberedPlan | None:
    """Find the remembered plan to follow for exactly this task; None where there is none.

    What a person said (an edit, an example) goes before what a run taught, then the newest.

    Args:
        task: with the tenant and conversation that `remembered` was recalled for; another's never counts.
        catalog: its digest must be the one that the plan was made under.
        policy: likewise.
        remembered: as recalled.
    """
    key = repeat_key(task)
    if key is None:
        return None
    same = [
        each
        for each in remembered
        if each.repeat_key == key
        and each.tenant == task.tenant
        and each.conversation in (None, task.conversation)
        and all(step.agent is not None for step in each.steps)
    ]
    if not same:  # before the digests, which take a while to make
        return None
    now = (catalog.digest, policy.digest)
    same = [each for each in same if (each.catalog_digest, each.policy_digest) == now]
    return max(same, key=_preferred, default=None)


def _preferred(each: RememberedPlan) -> tuple[bool, datetime, str]:
    return each.origin in ("edit", "example"), each.at or _LONG_AGO, each.id


def cached_plan(
    found: RememberedPlan | None,
    catalog: Catalog,
    policy: ToolPolicy,
    limits: PlanLimits,
    refusals: Sequence[Refusal] = (),
) -> tuple[PlannerPlan | None, tuple[Refusal, ...]]:
    """Make the plan to follow of a remembered one, validated anew; None and why where it may not be.

    Args:
        found: by `repeated`; of nothing comes no plan and no refusal.
        catalog: as it is now.
        policy: as it is now.
        limits: as they are now.
        refusals: on the way down the ladder; kept in the plan's metadata.
    """
    if found is None:
        return None, ()
    reason = f"as in run {found.run_id}" if found.run_id else f"as in example {found.id}"
    try:
        plan = PlannerPlan(
            steps=tuple(
                PlannedAgentStep(
                    id=f"s{position}",
                    agent=step.agent or "",
                    tools=step.tools,
                    fallback_tools=step.fallback_tools,
                    depends_on=tuple(f"s{before + 1}" for before in step.depends_on),
                    reason=reason,
                )
                for position, step in enumerate(found.steps, start=1)
            ),
            metadata=PlanMetadata(
                source="cached",
                handoff_strategy=found.handoff,
                way_out=found.way_out,
                catalog_digest=catalog.digest,
                policy_digest=policy.digest,
                refusals=tuple(refusals),
            ),
        )
    except ValidationError as error:
        message = f"what is remembered is no plan: {error.errors(include_url=False)[0]['msg']}"
        return None, (Refusal(rung="cache", reason="contract_broken", message=message[:2_000]),)
    issues = plan_issues(plan, catalog, policy, limits)
    return None if issues else plan, tuple(issue.model_copy(update={"rung": "cache"}) for issue in issues)
