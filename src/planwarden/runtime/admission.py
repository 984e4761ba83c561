"""Whether a call may happen: plan, policy, schema, order, budgets. Pure; the one place that decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planwarden.contracts.calls import CallRole, RefusalKind, ToolCall
from planwarden.contracts.run import CallState, RunState, StepState
from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.value import Json
from planwarden.contracts.verdict import Denied, NeedsApproval, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that an agent wants to make, with what catalog and policy say about it."""

    step: str
    tool: str
    arguments: Mapping[str, Json]
    spec: ToolSpec | None
    """None when the live catalog does not have the tool."""
    verdict: Verdict
    argument_problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The call may happen."""

    call: ToolCall
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitsApproval:
    """The call waits for a person; `asked` when it has been asked for already."""

    call: ToolCall
    verdict: NeedsApproval
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The call must not happen."""

    refusal: RefusalKind
    message: str


Admission = Admitted | AwaitsApproval | Refused


def admit(state: RunState, wanted: Wanted) -> Admission:
    """Decide about one call, from the record alone."""
    step = state.steps.get(wanted.step)
    if step is None or step.status != "running" or state.ended is not None or state.cancelled_by is not None:
        return Refused(refusal="step_over", message=f"step '{wanted.step}' is not running")
    refused = _planned(step, wanted) or _in_turn(step, wanted.tool)
    if refused is not None:
        return refused
    earlier = step.call_for(wanted.tool)
    if earlier is not None and earlier.status not in ("returned", "failed"):
        return _again(earlier, wanted)
    if earlier is not None and wanted.spec is not None and wanted.spec.effect != "read":
        return Refused(
            refusal="already_used", message=f"'{wanted.tool}' has an effect and was used once in this step"
        )
    refused = _within_budget(state, step)
    if refused is not None:
        return refused
    role: CallRole = "primary" if wanted.tool in step.planned.tools else "fallback"
    call = ToolCall(
        id=f"{wanted.step}.{len(step.calls) + 1}",
        step=wanted.step,
        tool=wanted.tool,
        role=role,
        arguments=dict(wanted.arguments),
    )
    if isinstance(wanted.verdict, NeedsApproval):
        return AwaitsApproval(call=call, verdict=wanted.verdict, asked=False)
    return Admitted(call=call, verdict=wanted.verdict)


def _planned(step: StepState, wanted: Wanted) -> Refused | None:
    named = (*step.planned.tools, *step.planned.fallback_tools)
    if wanted.tool not in named:
        allowed = ", ".join(named) or "none"
        message = f"'{wanted.tool}' is not planned for step '{wanted.step}' (planned: {allowed})"
        return Refused(refusal="unplanned_tool_blocked", message=message)
    if wanted.spec is None:
        message = f"'{wanted.tool}' is not in the catalog any more"
        return Refused(refusal="unplanned_tool_blocked", message=message)
    if isinstance(wanted.verdict, Denied):
        return Refused(refusal="policy_denied", message=f"{wanted.verdict.rule}: {wanted.verdict.reason}")
    if wanted.argument_problems:
        return Refused(refusal="argument_rejected", message="; ".join(wanted.argument_problems)[:1_000])
    return None


def _within_budget(state: RunState, step: StepState) -> Refused | None:
    limits = state.started.task.limits
    if len(state.calls) >= limits.max_tool_calls:
        message = f"the run's budget of {limits.max_tool_calls} tool calls is spent"
        return Refused(refusal="budget_exceeded", message=message)
    if len(step.calls) >= limits.max_calls_per_step:
        message = f"the step's budget of {limits.max_calls_per_step} tool calls is spent"
        return Refused(refusal="budget_exceeded", message=message)
    return None


def _in_turn(step: StepState, tool: str) -> Refused | None:
    planned = step.planned
    if tool in planned.tools:
        for before in planned.tools[: planned.tools.index(tool)]:
            if not _has_run(step, before):
                return Refused(refusal="out_of_order", message=f"'{before}' is planned before '{tool}'")
        return None
    for before in planned.fallback_tools[: planned.fallback_tools.index(tool)]:
        if not _has_run(step, before):
            return Refused(refusal="out_of_order", message=f"fallback '{before}' is planned before '{tool}'")
    if not _has_run(step, tool) and not fallback_unlocked(step):
        message = f"fallback '{tool}' may run only after a planned tool ran and failed"
        return Refused(refusal="fallback_locked", message=message)
    return None


def fallback_unlocked(step: StepState) -> bool:
    """Say whether one more fallback may run: more planned tools have failed than fallbacks have run."""
    named = (*step.planned.tools, *step.planned.fallback_tools)
    newest = [found for tool in named if (found := step.call_for(tool)) is not None]
    failed = sum(1 for state in newest if state.status == "failed")
    stood_in = sum(1 for tool in step.planned.fallback_tools if _has_run(step, tool))
    return failed > stood_in


def _has_run(step: StepState, tool: str) -> bool:
    return any(state.call.tool == tool for state in step.ran)


def _again(earlier: CallState, wanted: Wanted) -> Admission:
    """Decide about a call that has its place in the record but has not run to an end."""
    call = earlier.call
    if earlier.status == "denied":
        return Refused(
            refusal="approval_denied", message=f"call {call.id} was refused by {earlier.settled_by}"
        )
    if call.arguments != dict(wanted.arguments):
        message = f"call {call.id} has its place already, with other arguments"
        return Refused(refusal="already_used", message=message)
    if earlier.status == "asked" and isinstance(earlier.verdict, NeedsApproval):
        return AwaitsApproval(call=call, verdict=earlier.verdict, asked=True)
    if earlier.status == "approved":
        return Admitted(call=call, verdict=earlier.verdict)
    if earlier.status == "not_done":
        again = call.model_copy(update={"attempt": call.attempt + 1})
        if isinstance(wanted.verdict, NeedsApproval) and not isinstance(earlier.verdict, NeedsApproval):
            return AwaitsApproval(call=again, verdict=wanted.verdict, asked=False)
        return Admitted(call=again, verdict=earlier.verdict)
    return Refused(refusal="already_used", message=f"the outcome of call {call.id} is not known")
