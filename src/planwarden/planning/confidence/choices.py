"""How sure the model was of its choices, measured from token probabilities. Provisional, uncalibrated.

The probability of a choice is that of its whole name under the grammar: at each token, what the model gave
the token it took, over what it gave all tokens with which an allowed name could have gone on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from planwarden.llm.service import TokenChoice


def choice_probability(
    tokens: Sequence[TokenChoice], start: int, chosen: str, allowed: Sequence[str]
) -> float | None:
    """Give the probability of one chosen name among the allowed ones; None when tokens are missing.

    Args:
        tokens: of the whole reply, with alternatives.
        start: character offset of the name in the reply.
        chosen: the name as written.
        allowed: every name the grammar allowed there, `chosen` among them.
    """
    if len(allowed) == 1:
        return 1.0
    if start < 0:
        return None
    reply = "".join(token.text for token in tokens)
    rivals = [reply[:start] + name + '"' for name in allowed]
    logprob, offset, seen = 0.0, 0, False
    for token in tokens:
        end = offset + len(token.text)
        if end > start and offset < start + len(chosen) + 1:
            share = _share(token, reply[:offset], rivals)
            if share is None:
                return None
            logprob += math.log(share)
            seen = True
        offset = end
    return math.exp(logprob) if seen else None


def _share(token: TokenChoice, prefix: str, rivals: Sequence[str]) -> float | None:
    """Give the taken token's share among the tokens with which a rival could go on."""
    if not token.alternatives:
        return None
    weights = {alternative.text: alternative.logprob for alternative in token.alternatives}
    weights[token.text] = token.logprob
    going_on = [logprob for text, logprob in weights.items() if text and _fits(prefix + text, rivals)]
    if not going_on:
        return 1.0
    top = max(*going_on, token.logprob)
    total = sum(math.exp(logprob - top) for logprob in going_on)
    own = math.exp(token.logprob - top)
    return max(min(own / max(total, own), 1.0), 1e-12)


def _fits(text: str, rivals: Sequence[str]) -> bool:
    return any(rival.startswith(text) or text.startswith(rival) for rival in rivals)


def find_choices(reply: str, names: Sequence[str]) -> tuple[int, ...]:
    """Give the character offset of each name in a reply, in order; -1 for one that is not there."""
    offsets: list[int] = []
    position = 0
    for name in names:
        found = reply.find(json.dumps(name, ensure_ascii=False), position)
        offsets.append(found + 1 if found >= 0 else -1)
        position = found + 1 if found >= 0 else position
    return tuple(offsets)
