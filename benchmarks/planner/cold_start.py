"""A process of its own: plan one task without a model, say how long that took and what it holds in memory.

Reads the task, as JSON, from stdin; writes one JSON object. Times are the system's monotonic clock, so that
whoever started the process can subtract.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.task import Task
from planwarden.evaluation.offered import OFFERED_POLICY, catalog_of
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.llm.wrappers.absent import AbsentLLM
from planwarden.planning.attempt import PlannerSettings
from planwarden.planning.planner import LLMOrchestrationPlanner
from planwarden.planning.ranking.learned_prior import LearnedPrior


async def main() -> None:
    """Plan, look, say."""
    task = PlanTask.model_validate_json(sys.stdin.read())
    catalog, _ = catalog_of(task)
    nobody = AbsentLLM(ModelIdentity(provider="none", model="none"))
    planner = LLMOrchestrationPlanner(nobody, PlannerSettings(mode="prior"), LearnedPrior())
    planning = await planner.plan(Task(prompt=task.request), catalog, OFFERED_POLICY)
    ready = time.monotonic()
    plan = planning.decision.plan
    said = {
        "ready": ready,
        "resident_mb": _resident("VmRSS"),
        "peak_mb": _resident("VmHWM"),
        "processor": time.process_time(),
        "source": plan.metadata.source if plan else "none",
        "modules": len(sys.modules),
    }
    print(json.dumps(said))


def _resident(which: str) -> float:
    """Read what the process holds, in MiB, as the kernel says."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{which}:"))


if __name__ == "__main__":
    asyncio.run(main())
