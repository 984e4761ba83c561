"""How much of a conversation fits beside a prompt: by tokens, newest turns first. Pure.

Nobody here has the model's tokenizer. What a text costs is estimated from its length in bytes by the model's
own measured tokens per byte, or by a figure that is high for most languages; the server has the last word
(`PromptTooLong`), and what it refuses is asked again with fewer turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planwarden.contracts.conversation import MARK, Turn, shortened
from planwarden.contracts.model import Message
from planwarden.contracts.task import Exchange

UNMEASURED = 1 / 3
"""Tokens per byte of UTF-8 before anything was measured; English prose is near 1/4."""
LEAST = 1 / 5
"""No measurement is believed below this: a server that counts only what it had not cached reports less."""
MARGIN = 1.1
"""The next text may be denser than those measured."""
PER_MESSAGE = 8
"""Tokens that a chat template puts around each message, at most."""
LARGEST_SHARE = 0.5
"""Of the room for several turns: what one of them may take before its middle is left out."""
LEAST_TURN = 32
"""Tokens below which a shortened turn says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The turns that fit, oldest first, and what did not."""

    turns: tuple[Turn, ...] = ()
    left_out: int = 0
    """Turns that are not told at all."""
    cut: tuple[bool, ...] = ()
    """For each turn, whether it is told without its middle."""

    @property
    def shortened(self) -> int:
        """Count the turns that are told without their middle."""
        return sum(self.cut)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Give what is told, oldest first."""
        return tuple(exchange for turn in self.turns for exchange in turn)

    def without_oldest(self) -> Fitted:
        """Drop the older half of the turns, at least one."""
        gone = math.ceil(len(self.turns) / 2)
        return Fitted(turns=self.turns[gone:], left_out=self.left_out + gone, cut=self.cut[gone:])


def fit(turns: Sequence[Turn], room: int, per_byte: float) -> Fitted:
    """Choose the turns that fit into `room` tokens: newest first, whole; an over-long one without its middle.

    Args:
        turns: oldest first.
        room: tokens that the turns may take together.
        per_byte: tokens per byte of UTF-8.
    """
    largest = room if len(turns) == 1 else int(room * LARGEST_SHARE)
    left = room
    kept: list[Turn] = []
    cut: list[bool] = []
    for turn in reversed(turns):
        fitted = _within(turn, min(largest, left), per_byte)
        if fitted is None or (fitted != turn and largest > left):
            break  # whole turns only, but for one that is too long by itself
        cut.append(fitted != turn)
        left -= cost(fitted, per_byte)
        kept.append(fitted)
    return Fitted(turns=tuple(reversed(kept)), left_out=len(turns) - len(kept), cut=tuple(reversed(cut)))


def room_beside(messages: Iterable[Message], *, num_ctx: int, max_output_tokens: int, per_byte: float) -> int:
    """Give how many tokens a context leaves beside a prompt and the longest reply."""
    asked = sum(PER_MESSAGE + tokens(message.content, per_byte) for message in messages)
    return max(0, num_ctx - max_output_tokens - asked)


def cost(turn: Turn, per_byte: float) -> int:
    """Estimate the tokens of a turn, its messages' frames included."""
    return sum(PER_MESSAGE + tokens(exchange.content, per_byte) for exchange in turn)


def tokens(text: str, per_byte: float) -> int:
    """Estimate the tokens of a text."""
    return math.ceil(len(text.encode("utf-8", "replace")) * per_byte)


def assumed_per_byte(measured: float) -> float:
    """Give the figure to estimate with, from the highest one measured so far; 0 for none."""
    return max(measured * MARGIN, LEAST) if measured else UNMEASURED


def _within(turn: Turn, room: int, per_byte: float) -> Turn | None:
    """Shorten a turn to a room, its longest message first; None where too little would be left of it."""
    if cost(turn, per_byte) <= room:
        return turn
    if room < LEAST_TURN:
        return None
    told = list(turn)
    for _ in turn:
        over = cost(tuple(told), per_byte) - room
        if over <= 0:
            break
        longest = max(range(len(told)), key=lambda place: tokens(told[place].content, per_byte))
        content = told[longest].content
        wanted = tokens(content, per_byte) - over - tokens(MARK, per_byte) - 1
        most = int(len(content) * max(wanted, 0) / tokens(content, per_byte))
        told[longest] = told[longest].model_copy(update={"content": shortened(content, max(most, 8))})
    fitted = tuple(told)
    return fitted if cost(fitted, per_byte) <= room else None
