"""What tells a plan that is exactly right from one that is not: signals of what was believed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log

EDGE = 1e-4
FARTHEST = 12.0
"""No signal goes further: one belief of nearly 0 must not drown the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """What was believed when a plan was chosen; probabilities are the fused ones where not said otherwise."""

    tools: Mapping[str, float]
    """Every tool that was in question → that it is in the plan."""
    chosen: tuple[str, ...]
    """The tools of the plan; none for a way out."""
    decisions: tuple[float, ...] = ()
    """The probability of what was decided of each link, agent and stand-in."""
    none: float = 0.0
    """That no tool fits."""
    prior: Mapping[str, float]
    """Tool → what the prior alone gave it."""
    model: Mapping[str, float] | None = None
    """Tool → what the model alone gave it; None where none was asked."""


Signals = Mapping[str, float]
"""Name → value; every plan has every signal."""


def plan_signals(beliefs: Beliefs) -> Signals:
    """Measure a plan's beliefs.

    `exact`: log-probability that exactly these tools are right, were they independent. `weakest`: log-odds of
    the chosen tool that is believed least. `nearest`: log-odds against the tool that was left out most
    narrowly. `f1`: expected F1 of the set. `margin`: by how much that beats the best set with one tool more
    or less. `steps`: log of their number. `order`: log-probability of the links and agents as decided.
    `none`: log-odds against the ways out, or for them where one was taken. `agreement`: how alike the sets
    are that prior and model would choose alone.
    """
    chosen = set(beliefs.chosen)
    taken = [beliefs.tools[tool] for tool in beliefs.chosen]
    left = [chance for tool, chance in beliefs.tools.items() if tool not in chosen]
    against = -_logit(beliefs.none)
    return {
        "exact": _held(sum(map(_log, taken)) + sum(_log(1.0 - chance) for chance in left)),
        "weakest": min(map(_logit, taken), default=0.0),
        "nearest": min((-_logit(chance) for chance in left), default=FARTHEST / 2),
        "f1": expected_f1(beliefs.tools, chosen),
        "margin": _margin(beliefs.tools, chosen),
        "steps": log(len(chosen)) if chosen else 0.0,
        "order": _held(sum(map(_log, beliefs.decisions))),
        "none": against if chosen else -against,
        "agreement": _agreement(beliefs),
    }


def combined(signals: Signals, weights: Mapping[str, float]) -> float:
    """Put signals into one number, 0 to 1, that ranks plans; calibration makes a probability of it.

    Args:
        signals: of the plan.
        weights: signal → coefficient of a logistic model; `bias` is added as it is.
    """
    total = weights.get("bias", 0.0)
    total += sum(value * weights.get(name, 0.0) for name, value in signals.items())
    return 1.0 / (1.0 + exp(-max(-30.0, min(30.0, total))))


def expected_f1(tools: Mapping[str, float], chosen: set[str]) -> float:
    """Give the expected F1 of a set of tools, from their probabilities (ratio of expectations)."""
    mass = sum(tools.values())
    if not chosen:
        return 1.0 if not tools else max(0.0, 1.0 - mass)
    return 2.0 * sum(tools[tool] for tool in chosen) / (len(chosen) + mass)


def _margin(tools: Mapping[str, float], chosen: set[str]) -> float:
    rivals = [chosen ^ {tool} for tool in tools]
    others = [expected_f1(tools, rival) for rival in rivals if rival]
    return expected_f1(tools, chosen) - max(others, default=0.0)


def _agreement(beliefs: Beliefs) -> float:
    if beliefs.model is None:
        return 0.0
    size = max(1, len(beliefs.chosen))
    ours, theirs = _likeliest(beliefs.prior, size), _likeliest(beliefs.model, size)
    return len(ours & theirs) / max(1, len(ours | theirs))


def _likeliest(tools: Mapping[str, float], size: int) -> set[str]:
    return set(sorted(tools, key=lambda tool: -tools[tool])[:size])


def _log(chance: float) -> float:
    return log(min(max(chance, EDGE), 1.0))


def _logit(chance: float) -> float:
    inside = min(max(chance, EDGE), 1.0 - EDGE)
    return log(inside / (1.0 - inside))


def _held(value: float) -> float:
    return max(-FARTHEST, min(FARTHEST, value))
