"""Examples as tokens, put into batches of like length. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from planwarden.contracts.model import Message

END = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as tokens; only those of the reply are learned."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.reply)


def chat(messages: Sequence[Message]) -> str:
    """Write messages as ChatML does, up to where the reply begins."""
    told = "".join(f"<|im_start|>{each.role}\n{each.content}{END}\n" for each in messages)
    return f"{told}<|im_start|>assistant\n"


def batched(encoded: Sequence[Encoded], *, tokens: int, longest: int, random: Random) -> list[list[Encoded]]:
    """Put examples into batches, in any order.

    Args:
        encoded: the examples; longer ones than `longest` are left out.
        tokens: of a batch at most, padding counted; an example that is longer has a batch of its own.
        longest: prompt and reply together.
        random: decides the order.
    """
    kept = sorted(
        (each for each in encoded if len(each) <= longest), key=lambda each: len(each) + 20 * random.random()
    )
    batches: list[list[Encoded]] = [[]]
    for each in kept:
        widest = max(len(each), *(len(other) for other in batches[-1]), 0) if batches[-1] else len(each)
        if batches[-1] and widest * (len(batches[-1]) + 1) > tokens:
            batches.append([])
        batches[-1].append(each)
    random.shuffle(batches)
    return [batch for batch in batches if batch]
