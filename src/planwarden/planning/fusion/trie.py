"""Probabilities of whole names under the grammar, from the tokens of one reply. Pure.

A plan is a row of decisions: which item first, then whether to end or which item next. For each, the walk
over the reply's tokens takes what the model gave every token with which an allowed item could still have been
written, before any mask, and renormalises over those. The path taken is exact. What leaves it at a token gets
that branch's mass, split among the items in the branch by weights from outside: the branch itself was never
walked. A token that the server did not report (beyond its first 20) counts nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from planwarden.llm.service import TokenChoice
from planwarden.planning.notation.offer import Offer

END = ""
"""The outcome that the plan ends; no item is spelled like it."""
HEAD = '{"plan":['
Weigh = Callable[[str], float]
"""How likely an outcome is among those of the same branch; above 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision of a plan as it was written, given those before it."""

    chosen: str
    """An item, a way out, or `END`."""
    masses: Mapping[str, float]
    """Outcome → probability; they add up to 1."""

    @property
    def probability(self) -> float:
        """Give the probability of what was chosen."""
        return self.masses.get(self.chosen, 0.0)


@dataclass(slots=True, kw_only=True)
class _Open:
    """A decision while its tokens are walked."""

    start: int
    """Offset in the bare reply at which its characters begin."""
    end: int
    """Offset after its last character."""
    chosen: str
    allowed: tuple[str, ...]
    """In order of characters."""
    may_end: bool
    reach: float = 1.0
    """Probability of the path up to here, within this decision."""
    masses: dict[str, float] = field(default_factory=dict[str, float])


def walk(tokens: Sequence[TokenChoice], offer: Offer, weigh: Weigh) -> tuple[Decision, ...] | None:
    """Give the decisions of a reply with the probability of each outcome, in order.

    None where they cannot be measured: no tokens, a token without alternatives, another layout of the reply.

    Args:
        tokens: of the whole reply, in the notation of `offer`; free white space is allowed.
        offer: what may stand where.
        weigh: splits the mass of a branch.
    """
    text = "".join(token.text for token in tokens)
    bare = _bare(text)
    opened = _decisions(bare, offer)
    if not opened:
        return None
    before = 0
    written = ""
    for token in tokens:
        written += token.text
        after = len(_bare(written))
        touched = [each for each in opened if each.start < after and before < each.end]
        if touched and not _weigh_token(token, bare[:before], bare, touched, weigh):
            return None
        before = after
    return tuple(_settled(each) for each in opened)


def _settled(decision: _Open) -> Decision:
    masses = dict(decision.masses)
    masses[decision.chosen] = masses.get(decision.chosen, 0.0) + decision.reach
    return Decision(chosen=decision.chosen, masses=masses)


def _bare(text: str) -> str:
    """Take white space outside of texts away; names hold none, so quotes come in pairs."""
    parts = text.split('"')
    return '"'.join(part if place % 2 else "".join(part.split()) for place, part in enumerate(parts))


def _decisions(bare: str, offer: Offer) -> list[_Open]:
    """Cut a bare reply into its decisions; none where it is not laid out as the notation is."""
    if not bare.startswith(f'{HEAD}"'):
        return []
    opened: list[_Open] = []
    at = len(HEAD)
    while True:
        place = len(opened)
        ways = offer.ways_out.names if place == 0 else ()
        allowed = tuple(sorted((*offer.items(place), *ways)))
        if opened and opened[-1].chosen in offer.ways_out.names and len(opened) == 1:
            allowed = ()  # a way out stands alone
        if bare[at : at + 1] == "]":
            opened.append(_Open(start=at, end=at + 1, chosen=END, allowed=allowed, may_end=True))
            return opened
        start = at if place == 0 else at + 1
        closing = bare.find('"', start + 1)
        if bare[start : start + 1] != '"' or closing < 0 or bare[start + 1 : closing] not in allowed:
            return []
        chosen = bare[start + 1 : closing]
        opened.append(_Open(start=at, end=closing + 1, chosen=chosen, allowed=allowed, may_end=place > 0))
        at = closing + 1


def _weigh_token(token: TokenChoice, prefix: str, bare: str, touched: Sequence[_Open], weigh: Weigh) -> bool:
    """Share out what a token's alternatives were given among the decisions that it touches."""
    if not token.alternatives:
        return False
    weights = {alternative.text: _probability(alternative.logprob) for alternative in token.alternatives}
    weights[token.text] = max(_probability(token.logprob), 1e-12)
    on_path = 0.0
    leaving: dict[int, list[tuple[float, tuple[str, ...]]]] = {}
    for text, weight in weights.items():
        branch = _bare_after(prefix, text)
        if bare.startswith(branch) or branch.startswith(bare):
            on_path += weight
            continue
        place, outcomes = _left(branch, bare, touched)
        if outcomes:
            leaving.setdefault(place, []).append((weight, outcomes))
    for place, decision in enumerate(touched):
        later = sum(
            weight for other in range(place + 1, len(touched)) for weight, _ in leaving.get(other, ())
        )
        branches = leaving.get(place, ())
        whole = on_path + later + sum(weight for weight, _ in branches)
        for weight, outcomes in branches:
            _spread(decision, decision.reach * weight / whole, outcomes, weigh)
        decision.reach *= (on_path + later) / whole
    return True


def _probability(logprob: float) -> float:
    return math.exp(min(logprob, 0.0)) if not math.isnan(logprob) else 0.0


def _bare_after(prefix: str, text: str) -> str:
    """Give a bare prefix with more text, bare too."""
    inside = prefix.count('"') % 2
    parts = text.split('"')
    return prefix + '"'.join(
        part if (place + inside) % 2 else "".join(part.split()) for place, part in enumerate(parts)
    )


def _left(branch: str, bare: str, touched: Sequence[_Open]) -> tuple[int, tuple[str, ...]]:
    """Say at which touched decision a branch leaves the path, and which outcomes it can still have."""
    parting = next(
        (at for at, (one, other) in enumerate(zip(branch, bare, strict=False)) if one != other), len(branch)
    )
    for place, decision in enumerate(touched):
        if decision.start <= parting < decision.end:
            return place, _outcomes(branch[decision.start :], decision)
    return -1, ()


def _outcomes(rest: str, decision: _Open) -> tuple[str, ...]:
    """Give what a decision can still come to, from the characters that a branch wrote for it."""
    if decision.may_end:
        if rest.startswith("]"):
            return (END,) if rest[1:2] in ("", "}", ",") else ()
        if not rest.startswith(","):
            return ()
        rest = rest[1:]
    if not rest:
        return decision.allowed
    if not rest.startswith('"'):
        return ()
    name, closed, _ = rest[1:].partition('"')
    if closed:
        return (name,) if name in decision.allowed else ()
    first = bisect_left(decision.allowed, name)
    last = bisect_left(decision.allowed, f"{name}\U0010ffff")
    return decision.allowed[first:last]


def _spread(decision: _Open, mass: float, outcomes: tuple[str, ...], weigh: Weigh) -> None:
    weights = [weigh(outcome) for outcome in outcomes]
    whole = sum(weights)
    for outcome, weight in zip(outcomes, weights, strict=True):
        decision.masses[outcome] = decision.masses.get(outcome, 0.0) + mass * weight / whole
