"""The set whose F1 against the right one is expected to be best, under independent probabilities. Pure.

For independent items the best set of each size holds the likeliest ones (Lewis 1995); the expectation is
exact, over how many of the chosen and how many of the others are right (Ye et al. 2012).
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST = 0.005
"""Items less likely than this change nothing worth computing."""
CONSIDERED = 32
"""So many of the likeliest items are looked at."""


def best_size(probabilities: Sequence[float], most: int) -> int:
    """Give how many of the likeliest items to take, at least one; the smaller number where two are as good.

    Args:
        probabilities: that each item is right, in falling order, not empty.
        most: how many may be taken.
    """
    likely = [p for p in probabilities[:CONSIDERED] if p >= LEAST] or list(probabilities[:1])
    sizes = min(most, len(likely))
    missed = [1.0]
    for p in likely[sizes:]:
        missed = _one_more(missed, p)
    rest = {sizes: missed}
    for size in range(sizes - 1, 0, -1):
        rest[size] = _one_more(rest[size + 1], likely[size])
    best, best_value = 1, -1.0
    taken = [1.0]
    for size in range(1, sizes + 1):
        taken = _one_more(taken, likely[size - 1])
        value = expected_f1(size, taken, rest[size])
        if value > best_value + 1e-9:
            best, best_value = size, value
    return best


def expected_f1(size: int, right: Sequence[float], missed: Sequence[float]) -> float:
    """Give the expected F1 of a set of `size` items.

    Args:
        size: at least 1.
        right: probability that so many of the chosen items are right.
        missed: probability that so many of the others are.
    """
    return sum(
        p * q * 2 * hits / (size + hits + misses)
        for hits, p in enumerate(right)
        for misses, q in enumerate(missed)
        if hits
    )


def _one_more(counted: Sequence[float], p: float) -> list[float]:
    """Add one independent trial to a distribution of how many succeed."""
    longer = [0.0] * (len(counted) + 1)
    for hits, mass in enumerate(counted):
        longer[hits] += mass * (1.0 - p)
        longer[hits + 1] += mass * p
    return longer
