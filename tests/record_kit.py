"""A home with a small record: three runs, what is kept beside them, their files, two anchors."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from planwarden import Planwarden, Settings, load_settings
from planwarden.audit.export import write_dossier
from planwarden.contracts.calls import ToolCall
from planwarden.contracts.facts import (
    CallIntended,
    CallReturned,
    Fact,
    PlanDecided,
    RunEnded,
    RunStarted,
    StepStarted,
)
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlannedAgentStep
from planwarden.contracts.task import Task
from planwarden.contracts.value import canonical_json, digest
from planwarden.contracts.verdict import Allowed
from planwarden.journal.port import Owner
from planwarden.journal.snapshot import Snapshot
from planwarden.testing.stage import plan_of

OWNER = Owner(id="kit", host="kit", pid=1)
RUNS = ("ra", "rb", "rc")
TODAY = datetime(2026, 5, 4, 12, tzinfo=UTC)
CATALOG, POLICY = {"agents": ["worker"]}, {"rules": ["own"]}
WHO = ModelIdentity(provider="p", model="m")


def settings_of(home: Path) -> Settings:
    return load_settings({"planwarden_home": home})


def begun(prompt: str, conversation: str | None = "talk") -> list[Fact]:
    """Give the first facts of a run; catalog and policy are kept beside it."""
    step = PlannedAgentStep(id="s1", agent="worker", tools=("look",))
    call = ToolCall(id="s1.1", step="s1", tool="look", role="primary", arguments={"text": "Grüße"})
    verdict = Allowed(rule="own", reason="its own tool")
    return [
        RunStarted(
            task=Task(prompt=prompt, tenant="red", conversation=conversation),
            planner=WHO,
            agents=WHO,
            catalog_digest=digest(CATALOG),
            policy_digest=digest(POLICY),
            planwarden_version="test",
            snapshots_kept=True,
        ),
        PlanDecided(decision=PlanDecision(plan=plan_of(step))),
        StepStarted(step="s1", agent="worker"),
        CallIntended(call=call, verdict=verdict, idempotency_key="k"),
    ]


ENDING: tuple[Fact, ...] = (
    CallReturned(call_id="s1.1", value={"price": 1e30, "note": "\ud800 half"}, duration_s=0.5),
    RunEnded(outcome="failed", code="kit"),
)


async def fill(planwarden: Planwarden) -> None:
    """Write three runs: two over, one anchored twice, the last one under way; export and index them."""
    journal = await planwarden.journal()
    kept = (("catalog", CATALOG), ("policy", POLICY))
    await journal.snapshots.keep(
        [Snapshot(digest=digest(value), kind=kind, body=canonical_json(value)) for kind, value in kept]
    )
    over, _ = await journal.create("ra", "red", OWNER, [*begun("Look at IBM"), *ENDING])
    await journal.release(over)
    lease, _ = await journal.create("rb", "red", OWNER, begun("Look at MSFT", None))
    assert await journal.anchors.make(TODAY)
    await journal.append(lease, ENDING)
    await journal.create("rc", "red", OWNER, begun("Look at AAPL"))
    assert await journal.anchors.make(TODAY + timedelta(days=1))
    for run_id in ("ra", "rb"):
        write_dossier(planwarden.settings.dossier_folder, await planwarden.record.dossier(run_id))
    await planwarden.record.bring_up_to_date()


@asynccontextmanager
async def opened(home: Path) -> AsyncGenerator[Planwarden]:
    """Open the home."""
    async with Planwarden.open(settings_of(home)) as planwarden:
        yield planwarden


async def problems(planwarden: Planwarden) -> list[str]:
    """Verify everything; give a line for each fault."""
    return [
        f"{fault.run_id}: {fault.problem}"
        async for looked in planwarden.archive.verification.everything()
        for fault in looked.faults
    ]
