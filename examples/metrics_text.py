"""Metrics from the journal as Prometheus text, without a server: the same as `planwarden metrics`.

python examples/metrics_text.py
"""

import sys

import anyio

from planwarden import Planwarden
from planwarden.audit.metrics.exposition import prometheus_text


async def main() -> int:
    """Print the metrics over every run; give an exit code."""
    async with Planwarden.open() as pw:
        totals = await pw.record.metrics()
    print(prometheus_text(totals), end="")
    if totals.damaged:
        print(f"{totals.damaged} damaged runs are left out: see `planwarden runs`", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
