"""The run's budget of tokens, as a step looks at it. Pure."""

from __future__ import annotations

from planwarden.contracts.run import RunState
from planwarden.runtime.next_action import Fail


def over_token_budget(state: RunState) -> Fail | None:
    """Say that the run has spent more tokens than its limits allow; None while it has not."""
    limit = state.started.task.limits.max_tokens
    spent = state.usage.prompt_tokens + state.usage.output_tokens
    if spent <= limit:
        return None
    return Fail(code="budget_exceeded", message=f"{spent} tokens spent, the run's budget is {limit}")
