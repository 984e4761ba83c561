"""What was said before in a conversation: which runs count as turns, and what of them is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from planwarden.contracts.run import RunState, final_answer
from planwarden.contracts.task import MAX_PROMPT_CHARS, Exchange

Turn = tuple[Exchange, ...]
"""One request and what was answered to it."""
MARK = " […] "
"""Stands where the middle of a text was left out."""


def turn_of(state: RunState) -> Turn:
    """Give what later turns may know of a run: its request and its answer; nothing while it is not over.

    A run without an answer (failed, refused, cancelled) is told with its outcome and nothing else: its
    error may quote what a tool had read.
    """
    if state.ended is None:
        return ()
    answer = final_answer(state)
    answered = state.ended.outcome in ("completed", "asked") and answer is not None
    told = answer.text if answer is not None and answered else f"(No answer: {state.ended.outcome}.)"
    return (
        Exchange(role="user", content=state.started.task.prompt),
        Exchange(role="assistant", content=shortened(told, MAX_PROMPT_CHARS)),
    )


def turns(exchanges: Sequence[Exchange]) -> tuple[Turn, ...]:
    """Group exchanges into turns, oldest first; each begins with what the user said."""
    found: list[list[Exchange]] = []
    for exchange in exchanges:
        if exchange.role == "user" or not found:
            found.append([])
        found[-1].append(exchange)
    return tuple(tuple(turn) for turn in found)


def requests_before(exchanges: Sequence[Exchange]) -> tuple[str, ...]:
    """Give what the user said in earlier turns, newest first."""
    return tuple(said.content for said in reversed(exchanges) if said.role == "user")


def shortened(text: str, most: int) -> str:
    """Give a text of at most `most` characters: whole, or without its middle and with a mark there."""
    if len(text) <= most:
        return text
    left = most - len(MARK)
    if left < 2:
        return MARK.strip()[: max(most, 0)]
    return f"{text[: left - left // 2]}{MARK}{text[len(text) - left // 2 :]}"
