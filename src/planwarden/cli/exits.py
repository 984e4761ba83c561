"""Exit codes: what a script can rely on."""

from __future__ import annotations

from enum import IntEnum

from planwarden.contracts.run import RunState
from planwarden.errors import (
    CallRefused,
    ConfigurationError,
    InputError,
    LeaseHeld,
    LeaseLost,
    PlanDenied,
    PlanwardenError,
    StoreCorrupt,
    StoreError,
)


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    BAD_INPUT = 2
    NO_GOOD_ANSWER = 3
    REFUSED = 4
    WAITING = 5
    VERIFICATION_FAILED = 6


def exit_of_error(error: PlanwardenError) -> Exit:
    """Say how a command ends that met this error."""
    match error:
        case PlanDenied() | CallRefused():
            return Exit.REFUSED
        case InputError() | ConfigurationError():
            return Exit.BAD_INPUT
        case StoreCorrupt():
            return Exit.VERIFICATION_FAILED
        case LeaseHeld() | LeaseLost():
            return Exit.WAITING
        case StoreError():
            return Exit.BAD_INPUT
        case _:
            return Exit.NO_GOOD_ANSWER


_REFUSAL_CODES = frozenset({"policy_denied", "unplanned_tool_blocked", "approval_denied", "budget_exceeded"})


def exit_of_run(state: RunState) -> Exit:
    """Say how a command ends whose run stands so."""
    match state.status:
        case "completed":
            return Exit.DONE
        case "waiting" | "in_doubt" | "running":
            return Exit.WAITING
        case "refused":
            too_long = state.ended is not None and state.ended.code == "prompt_too_long"
            return Exit.BAD_INPUT if too_long else Exit.REFUSED
        case "failed":
            refused = state.ended is not None and state.ended.code in _REFUSAL_CODES
            return Exit.REFUSED if refused else Exit.NO_GOOD_ANSWER
        case "cancelled" | "asked":
            return Exit.NO_GOOD_ANSWER
