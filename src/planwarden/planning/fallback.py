"""The last rung: a single step for `general_agent`, itself restricted by policy."""

from __future__ import annotations

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.plan import PlanMetadata, PlannedAgentStep, PlannerPlan, Refusal
from planwarden.contracts.verdict import Allowed
from planwarden.planning.permitted import permitted
from planwarden.policy.rules import ToolPolicy


def build_fallback_plan(
    catalog: Catalog, policy: ToolPolicy, ranked_tools: tuple[str, ...], refusals: tuple[Refusal, ...]
) -> PlannerPlan | None:
    """Make the plan to follow when the model's own was refused; None when policy leaves nothing.

    `general_agent` answers without tools where catalog and policy let it (nothing is forced on the task);
    else it gets the best-ranked reading tool that it may call.

    Args:
        catalog: as it is now.
        policy: as it is now.
        ranked_tools: best first, for this task.
        refusals: why the model's plan was refused; kept in the plan's metadata.
    """
    spec = catalog.agents.get(FALLBACK_AGENT)
    if spec is None:
        return None
    metadata = PlanMetadata(
        source="fallback", catalog_digest=catalog.digest, policy_digest=policy.digest, refusals=refusals
    )
    reason = "the planner's own plan was refused"
    toolless = spec.may_answer_without_tools and isinstance(
        policy.may_answer_without_tools(FALLBACK_AGENT), Allowed
    )
    if toolless:
        step = PlannedAgentStep(id="s1", agent=FALLBACK_AGENT, reason=reason)
        way_out = metadata.model_copy(update={"way_out": "answer_without_tools"})
        return PlannerPlan(steps=(step,), metadata=way_out)
    reads = [
        tool
        for tool in permitted(catalog, policy).pairs.get(FALLBACK_AGENT, ())
        if catalog.tools[tool].effect == "read"
    ]
    best = sorted(
        reads, key=lambda tool: ranked_tools.index(tool) if tool in ranked_tools else len(ranked_tools)
    )
    if not best:
        return None
    step = PlannedAgentStep(
        id="s1", agent=FALLBACK_AGENT, tools=(best[0],), fallback_tools=tuple(best[1:2]), reason=reason
    )
    return PlannerPlan(steps=(step,), metadata=metadata)
