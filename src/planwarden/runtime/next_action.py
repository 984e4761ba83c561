"""What a directed step does next, from the record alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from planwarden.contracts.calls import ToolCall
from planwarden.contracts.run import CallState, StepState
from planwarden.errors import ToolFirstPolicyViolation
from planwarden.runtime.admission import fallback_unlocked

_MENDABLE = ("argument_rejected", "policy_denied")


@dataclass(frozen=True, slots=True, kw_only=True)
class FillAndCall:
    """Have the model fill in the arguments of this tool, and call it."""

    tool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Make this very call again: it was approved, or is known not to have happened."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer from what the tools returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """End the step without an answer."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do before a person has spoken."""


Action = FillAndCall | Repeat | Answer | Fail | Wait


def next_action(step: StepState, *, max_refusals: int) -> Action:
    """Say what a directed step does next. Pure.

    Args:
        step: as recorded so far.
        max_refusals: how many refused calls end the step.
    """
    mine = step.refused[step.refused_when_fell :]
    if mine and mine[-1].refusal not in _MENDABLE:
        return _refused(step)
    return refused_too_often(step, max_refusals=max_refusals) or next_planned(step)


def refused_too_often(step: StepState, *, max_refusals: int) -> Fail | None:
    """Say that repeated refusals end the step; None while they do not. Pure."""
    return _refused(step) if len(step.refused) >= max_refusals else None


def _refused(step: StepState) -> Fail:
    last = step.refused[-1]
    return Fail(code=last.refusal, message=f"'{last.tool[:200]}' was refused: {last.message}")


def next_planned(step: StepState) -> Action:
    """Say what the plan leaves to do in a step: a planned tool, one that stands in, or the answer. Pure."""
    for tool in step.planned.tools:
        call = step.call_for(tool)
        if call is None or call.status not in ("returned", "failed"):
            return pending(tool, call)
        if call.status == "failed" and fallback_unlocked(step):
            for stand_in in step.planned.fallback_tools:
                other = step.call_for(stand_in)
                if other is None or other.status not in ("returned", "failed"):
                    return pending(stand_in, other)
    if step.planned.tools and not any(call.status == "returned" for call in step.calls):
        tried = ", ".join(f"{call.call.tool}: {call.message}" for call in step.calls)
        return Fail(code=ToolFirstPolicyViolation.code, message=f"no planned tool succeeded ({tried})")
    return Answer()


def pending(tool: str, call: CallState | None) -> Action:
    """Say what to do about a tool that has not run, or whose call has not run to an end. Pure."""
    if call is None:
        return FillAndCall(tool=tool)
    if call.status in ("approved", "not_done"):
        return Repeat(call=call.call)
    if call.status == "denied":
        message = f"'{tool}' was refused by {call.settled_by}"
        return Fail(code="approval_denied", message=message)
    return Wait()
