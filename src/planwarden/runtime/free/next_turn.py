"""What a free step does next, from the record alone. Pure.

Whether a call may happen is not decided here: the tool session judges every request.
"""

from __future__ import annotations

from dataclasses import dataclass

from planwarden.contracts.model import ToolRequest
from planwarden.contracts.run import StepState
from planwarden.contracts.task import TaskLimits
from planwarden.contracts.turns import FallReason, Turn
from planwarden.errors import PromptTooLong, ReplyIncomplete, ReplyInvalid, ToolCallingUnsupported
from planwarden.runtime.next_action import (
    Action,
    Answer,
    Fail,
    FillAndCall,
    Repeat,
    Wait,
    next_planned,
    pending,
    refused_too_often,
)
from planwarden.runtime.written_arguments import requested_arguments

MOST_MALFORMED = 2
TURNS_WITHOUT_CALL = 2
MOST_EARLY_ANSWERS = 2

_UNUSABLE = (ReplyIncomplete.code, ReplyInvalid.code, PromptTooLong.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskModel:
    """Ask the model what it wants to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """Carry this request to the tool session."""

    request: ToolRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Take this text as the step's answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """Go on directed."""

    reason: FallReason
    message: str


TurnAction = AskModel | Carry | Repeat | Say | Fall | Fail | Wait


def next_turn(step: StepState, limits: TaskLimits) -> TurnAction:
    """Say what a free step does next. Pure.

    Args:
        step: as recorded so far.
        limits: of the run.
    """
    too_often = refused_too_often(step, max_refusals=limits.max_refusals_per_step)
    if too_often is not None:
        return too_often
    if step.open_call is not None:
        return _settled(pending(step.open_call.call.tool, step.open_call))
    if not step.turns:
        return AskModel()
    turn = step.turns[-1]
    if turn.error_code:
        return _after_error(step, turn)
    if _malformed(step) >= MOST_MALFORMED:
        message = f"{MOST_MALFORMED} requests whose arguments are no JSON object"
        return Fall(reason="malformed_requests", message=message)
    if turn.pending is not None:
        return Carry(request=turn.pending)
    return _after_answer(step, turn, limits) if not turn.requests else _another(step, limits)


def is_early(turn: Turn) -> bool:
    """Say whether a turn gave words in place of a request; only a step's last turn may."""
    return not turn.requests and not turn.error_code


def _settled(action: Action) -> Repeat | Fail | Wait:
    """Narrow what can follow an open call."""
    return action if isinstance(action, Repeat | Fail) else Wait()


def _after_error(step: StepState, turn: Turn) -> Fall | Fail:
    """Give up where the model is gone, unless only the answer is left: directed renders that."""
    if turn.error_code == ToolCallingUnsupported.code:
        return Fall(reason="tool_calling_unsupported", message=turn.error)
    if turn.error_code in _UNUSABLE or isinstance(next_planned(step), Answer):
        return Fall(reason="no_usable_reply", message=turn.error)
    return Fail(code=turn.error_code, message=turn.error)


def _after_answer(step: StepState, turn: Turn, limits: TaskLimits) -> TurnAction:
    """Take an answer when the plan leaves nothing to do; a planned tool that is left comes first."""
    if not turn.text.strip():
        return Fall(reason="no_usable_reply", message="the model gave neither a request nor an answer")
    left = next_planned(step)
    match left:
        case Answer():
            return Say(text=turn.text)
        case FillAndCall(tool=tool):
            if sum(map(is_early, step.turns)) < MOST_EARLY_ANSWERS:
                return _another(step, limits)
            return Fall(
                reason="answered_early",
                message=f"the model answered {MOST_EARLY_ANSWERS} times before '{tool}' was used",
            )
        case _:
            return _settled(left)


def _another(step: StepState, limits: TaskLimits) -> TurnAction:
    if not step.calls and len(step.turns) >= TURNS_WITHOUT_CALL:
        message = f"no call of a planned tool came of the first {TURNS_WITHOUT_CALL} turns"
        return Fall(reason="no_planned_tool", message=message)
    if len(step.turns) >= limits.max_turns_per_step:
        return Fall(
            reason="turn_limit", message=f"all {limits.max_turns_per_step} turns of the step are used"
        )
    return AskModel()


def _malformed(step: StepState) -> int:
    """Count the requests carried out so far whose arguments could not be read."""
    return sum(
        isinstance(requested_arguments(request), str)
        for turn in step.turns
        for request in turn.requests[: len(turn.outcomes)]
    )
