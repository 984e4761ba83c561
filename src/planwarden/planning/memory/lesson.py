"""What a run or an example teaches: `lesson(state)`, `example(...)`. Pure."""

from __future__ import annotations

from datetime import datetime

from planwarden.contracts.conversation import shortened
from planwarden.contracts.deviations import DeviationKind
from planwarden.contracts.memory import MAX_REQUEST_CHARS, Origin, RememberedPlan, RememberedStep
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.run import RunState
from planwarden.contracts.task import Task
from planwarden.contracts.value import digest
from planwarden.planning.memory.key import repeat_key

HARMLESS: frozenset[DeviationKind] = frozenset({
    "argument_rejected", "already_used", "out_of_order", "step_over", "budget_exceeded", "tool_failed",
    "outcome_in_doubt", "confidence_gated", "answered_without_tools",
})  # fmt: skip
"""Deviations that say nothing against the choice of tools, once every planned primary tool succeeded: a call
was mended, repeated or came at a wrong moment. With any other the run teaches nothing: another tool did the
work or was wanted, or policy or a person said no."""
TEACHING_SOURCES = frozenset({"planner", "repaired", "prior", "edited"})
"""Neither a fallback plan, which nobody chose, nor a cached one: memory must not confirm itself."""


def lesson(state: RunState) -> RememberedPlan | None:
    """Give what a run teaches; None where it teaches nothing. Pure.

    Only a completed run teaches, whose plan was followed: every planned primary tool succeeded, and no
    deviation speaks against the plan. That nothing fits is learned from a person only: a run that answers
    without tools completes however wrong that was.
    """
    task, plan = state.started.task, state.decision.plan if state.decision else None
    if state.ended is None or state.ended.outcome != "completed" or plan is None:
        return None
    edited = plan.metadata.source == "edited"
    if plan.metadata.source not in TEACHING_SOURCES or state.plan_approval == "denied":
        return None
    if any(deviation.kind not in HARMLESS for deviation in state.deviations):
        return None
    if plan.metadata.way_out is None:
        followed = state.adherence == 1.0
    else:
        followed = edited or state.plan_approval == "approved"
    if not followed or (task.exchanges and task.conversation is None):
        return None  # what leans on a conversation without a name has no place where it could be kept
    return _remembered(
        task, plan, origin="edit" if edited else "run", at=state.updated_at, run_id=state.run_id
    )


def example(task: Task, plan: PlannerPlan, *, at: datetime) -> RememberedPlan:
    """Give what a person teaches with an example: a request, and a plan that was validated. Pure."""
    return _remembered(task, plan, origin="example", at=at, run_id=None)


def _remembered(
    task: Task, plan: PlannerPlan, *, origin: Origin, at: datetime, run_id: str | None
) -> RememberedPlan:
    positions = {step.id: position for position, step in enumerate(plan.steps)}
    steps = tuple(
        RememberedStep(
            agent=step.agent,
            tools=step.tools,
            fallback_tools=step.fallback_tools,
            depends_on=tuple(positions[name] for name in step.depends_on),
        )
        for step in plan.steps
    )
    bound = any(step.bindings for step in plan.steps)  # what is bound is not remembered
    made = RememberedPlan(
        id="new",
        tenant=task.tenant,
        conversation=task.conversation,
        request=shortened(task.prompt, MAX_REQUEST_CHARS),
        repeat_key=None if bound else repeat_key(task),
        steps=steps,
        handoff=plan.metadata.handoff_strategy,
        way_out=plan.metadata.way_out,
        origin=origin,
        catalog_digest=plan.metadata.catalog_digest,
        policy_digest=plan.metadata.policy_digest,
        at=at,
        run_id=run_id,
    )
    return made.model_copy(update={"id": _id_of(made)})


def _id_of(made: RememberedPlan) -> str:
    """Name a remembered plan by its content: the same request done by the same plan is one lesson.

    Digests of catalog and policy, time and run are not in it: they are those of the newest lesson.
    """
    same = {"tenant", "conversation", "request", "repeat_key", "steps", "handoff", "way_out", "origin"}
    return "m" + digest(made.model_dump(mode="json", include=same)).removeprefix("sha256:")[:12]
