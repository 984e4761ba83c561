"""A long soak: how long a run takes, and how much memory all runs take more than the first tenth of them.

PLANWARDEN_BENCH_SOAK sets how many runs (10000).
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from dataclasses import dataclass

from planwarden.app.system import SystemClock
from planwarden.evaluation.soak.campaign import Totals, Wanted, soak
from planwarden.planning.ranking.learned_prior import LearnedPrior

MOST_MIB = 32


@dataclass(slots=True)
class Peak:
    """The most memory that this process had when a tenth of the runs was done."""

    at: int
    mib: float = 0.0

    def look(self, totals: Totals) -> None:
        """Take the peak where it is time."""
        if totals.runs == self.at:
            self.mib = peak_mib()


def peak_mib() -> float:
    """Give the most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main() -> int:
    """Run the benchmark; ends with 1 when the soak fails or, but in a slice, memory grows with runs."""
    count = int(os.environ.get("PLANWARDEN_BENCH_SOAK", "10000"))
    first = Peak(max(count // 10, 1))
    source = LearnedPrior()
    totals = await soak(Wanted(runs=count, seed=1), source, SystemClock(), None, first.look)
    grown = peak_mib() - first.mib
    print(f"soak: {totals.runs} runs in {totals.seconds:.1f} s ({totals.runs / totals.seconds:.1f} a second)")
    print(f"  {totals.caught_violations} of {totals.seeded_violations} seeded violations caught")
    print(f"  peak memory: {first.mib:.0f} MiB after {first.at} runs, {grown:.1f} MiB more at the end")
    for finding in totals.findings:
        print(f"  found: {finding}")
    flat = grown <= MOST_MIB or "PLANWARDEN_BENCH_SLICE" in os.environ
    return 0 if totals.passed and flat else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
