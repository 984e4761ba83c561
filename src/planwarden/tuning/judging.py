"""Whether a tuned model plans better than the one before: the same held-out tasks, differences resampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from planwarden.errors import DataRejected
from planwarden.evaluation.intervals import Estimate, estimate
from planwarden.evaluation.plan_benchmark import Judged

FEWEST = 10
"""Held-out tasks without which nothing can be said."""
DECISIVE = "node_f1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the tuning came to."""

    before: Estimate
    after: Estimate
    gain: Estimate
    """Of after over before, task by task, in node-F1."""

    @property
    def better(self) -> bool:
        """Say whether the whole 95 % interval of the gain is above 0."""
        return self.gain.low > 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What came of it."""

    adapter: Path
    begun_with: str | None
    """Digest of the adapter that training went on from; None where it began with none."""
    began: str
    """The same in words, and why."""
    trained_on: int
    held_out: int
    verdict: Verdict
    seconds_before: float
    seconds_after: float
    """Mean time of a plan on the held-out tasks."""
    installed: Path | None
    """None where it was not better."""


def check_enough(held_out: int) -> None:
    """Refuse to tune what could not be judged.

    Raises:
        DataRejected: too few tasks are held out.
    """
    if held_out < FEWEST:
        raise DataRejected(
            f"Only {held_out} of the tasks are held out; with fewer than {FEWEST} nobody could say whether"
            " tuning helped.",
            remedy="Give more tasks: a fifth of them is held out, each request once.",
        )


def judge(before: Sequence[Judged], after: Sequence[Judged]) -> Verdict:
    """Compare two plannings of the same tasks. Pure.

    Args:
        before: with the model as it was.
        after: with the tuned one; the same tasks in the same order.
    """
    old = [each.score.node_f1 for each in before]
    new = [each.score.node_f1 for each in after]
    return Verdict(
        before=estimate(old),
        after=estimate(new),
        gain=estimate([b - a for a, b in zip(old, new, strict=True)]),
    )


def mean_seconds(judged: Sequence[Judged]) -> float:
    """Give the mean time of a plan, in seconds."""
    return fmean(each.attempted.seconds for each in judged)
