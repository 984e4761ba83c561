"""The planner beside the baseline router on our own held-out tasks: with its model, and by the prior alone.

PLANWARDEN_BENCH_TASKS sets how many of the tasks (all 126); PLANWARDEN_BENCH_FILE names another file.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from planwarden import Planwarden, load_settings
from planwarden.evaluation.own_tasks import own_tasks_file
from planwarden.evaluation.shadow.report.contract import Figure, ShadowReport
from planwarden.evaluation.shadow.run import Wanted, shadow_run

PLANNERS = {"prior": "mode=prior", "fused": "mode=fused"}


async def reported(mode: str, path: Path, limit: int | None) -> ShadowReport:
    """Plan the tasks in a mode of the planner and by the router."""
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings({"planwarden_home": Path(home)})
        async with Planwarden.open(settings) as planwarden:
            wanted = Wanted(files=(path,), planner=f"name={mode},{PLANNERS[mode]}", limit=limit)
            return await shadow_run(planwarden, wanted, lambda _done, _of: None)


def row(name: str, found: Figure) -> str:
    """Write a figure."""
    return f"    {name:<20}{found.mean:7.3f} ({found.low:.3f} to {found.high:.3f})"


def show(report: ShadowReport) -> None:
    """Print the verdict, then the figures."""
    print(f"shadow: {report.verdict.sentence}")
    for known in report.known:
        for measure, gain in known.gain.items() if known.gain and known.second else ():
            print(row(f"{measure}, {report.first.name}", known.first[measure]))
            if known.second:
                print(row(f"{measure}, router", known.second[measure]))
            print(row(f"{measure}, paired", gain))
    print(row("same plan", report.agreement["same_plan"]))
    for side in (report.first, report.second):
        if side is not None and side.seconds is not None:
            print(
                f"    {side.name}: median {side.seconds.median:.3f} s, quartiles {side.seconds.low:.3f} and "
                f"{side.seconds.high:.3f}; tokens in {side.total_prompt_tokens}, "
                f"out {side.total_output_tokens}"
            )


async def main() -> None:
    """Compare, and print."""
    os.environ.update({"PLANNER_LLM__PROVIDER": "embedded", "LLM__PROVIDER": "embedded"})
    limit = os.environ.get("PLANWARDEN_BENCH_TASKS")
    path = Path(os.environ.get("PLANWARDEN_BENCH_FILE") or own_tasks_file())
    for mode in PLANNERS:
        show(await reported(mode, path, int(limit) if limit else None))


if __name__ == "__main__":
    asyncio.run(main())
