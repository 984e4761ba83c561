"""Going through a run again: its journal folded to its dossier, its plan made anew from the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from planwarden.app.archive.record import Record
from planwarden.audit.dossier import build_dossier, dossier_bytes
from planwarden.audit.export import dossier_path
from planwarden.catalog.catalog import Catalog, read_catalog
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import ChainFault, RunEvent
from planwarden.contracts.facts import ModelAnswered, PlanDecided, RunStarted, RunTakenOver
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlannerPlan
from planwarden.contracts.value import digest_bytes
from planwarden.errors import SnapshotMissing
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.planning.memory.port import PlanMemory
from planwarden.planning.planner import LLMOrchestrationPlanner, Planning
from planwarden.policy.rules import ToolPolicy, read_policy

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A run folded again from its journal."""

    events: tuple[RunEvent, ...]
    dossier: Dossier
    dossier_digest: str
    """Of the dossier's bytes, as they are exported."""
    exported: bool
    """Whether an exported file was there to compare with."""
    faults: tuple[ChainFault, ...]
    """Where chain, payloads or exported file are not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the planner was given when it planned a run."""

    started: RunStarted
    decision: PlanDecision
    catalog: Catalog
    policy: ToolPolicy
    prompts: tuple[str, ...]
    """Digests of what the planner model was shown, in order."""
    remembered: tuple[RememberedPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAgain:
    """The plan of a run beside the one that its planner makes of the same inputs now."""

    before: PlanDecision
    now: PlanDecision
    differences: tuple[str, ...]
    """What the plans differ in, one line each; empty where they are the same."""
    same_prompt: bool
    """Whether the model was shown the very same, or was asked neither time."""
    model_before: ModelIdentity
    model_now: ModelIdentity

    @property
    def same_model(self) -> bool:
        """Whether the same weights were asked, as far as the provider tells."""
        before, now = self.model_before, self.model_now
        return (before.provider, before.model, before.digest, before.adapter) == (
            now.provider, now.model, now.digest, now.adapter,
        )  # fmt: skip


async def replay(record: Record, run_id: str) -> Replayed:
    """Fold a run's journal again, and compare with the record and the exported dossier.

    Raises:
        RunNotFound: no such run.
        StoreCorrupt: its record cannot be read back.
    """
    journal = await record.journal()
    events = await journal.read(run_id)
    dossier = build_dossier(events, await journal.links(run_id))
    return Replayed(
        events=events,
        dossier=dossier,
        dossier_digest=digest_bytes(dossier_bytes(dossier)),
        exported=dossier_path(record.dossier_folder, run_id).is_file(),
        faults=await record.verify(run_id),
    )


async def planning_inputs(journal: SqliteJournal, run_id: str, memory: PlanMemory) -> Inputs | None:
    """Get back what the planner was given; None where a plan was brought along or none was decided.

    What is remembered is taken as of the run's start, as far as it is still there.

    Raises:
        RunNotFound: no such run.
        StoreCorrupt: its record, or what was kept with it, cannot be read back.
        SnapshotMissing: the run is older than the keeping of catalogs and policies.
    """
    events = await journal.read(run_id)
    started = next(event.fact for event in events if isinstance(event.fact, RunStarted))
    decided = next((event for event in events if isinstance(event.fact, PlanDecided)), None)
    if decided is None or not isinstance(decided.fact, PlanDecided):
        return None
    decision = decided.fact.decision
    if decision.plan is not None and decision.plan.metadata.source == "edited":
        return None
    world = _world_at(events, decided.seq)
    task = started.task
    remembered = await memory.recall(task.tenant, task.conversation)
    return Inputs(
        started=started,
        decision=decision,
        catalog=await _kept(journal, world.catalog_digest, "catalog", read_catalog),
        policy=await _kept(journal, world.policy_digest, "policy", read_policy),
        prompts=tuple(_prompts(events[: decided.seq])),
        remembered=tuple(each for each in remembered if each.at is None or each.at < events[0].at),
    )


async def plan_again(inputs: Inputs, planner: LLMOrchestrationPlanner, model: ModelIdentity) -> PlannedAgain:
    """Have the planner plan a task again from what it was given then; nothing runs, nothing is recorded."""
    planning = await planner.plan(inputs.started.task, inputs.catalog, inputs.policy, inputs.remembered)
    return PlannedAgain(
        before=inputs.decision,
        now=planning.decision,
        differences=differences(inputs.decision.plan, planning.decision.plan),
        same_prompt=_shown(planning) == inputs.prompts,
        model_before=inputs.started.planner,
        model_now=model,
    )


def differences(before: PlannerPlan | None, now: PlannerPlan | None) -> tuple[str, ...]:
    """Say in which steps two plans differ; how sure they are, and what making them took, aside. Pure."""
    if before is None or now is None:
        return () if before is now else (f"{_there(before)} then, {_there(now)} now",)
    lines: list[str] = []
    for name in ("source", "way_out", "handoff_strategy"):
        was, is_now = getattr(before.metadata, name), getattr(now.metadata, name)
        if was != is_now:
            lines.append(f"{name}: {was} then, {is_now} now")
    steps_before = {step.id: step for step in before.steps}
    steps_now = {step.id: step for step in now.steps}
    for step_id in dict.fromkeys((*steps_before, *steps_now)):
        was, is_now = steps_before.get(step_id), steps_now.get(step_id)
        if was is None or is_now is None:
            lines.append(f"{step_id}: {_there(was)} then, {_there(is_now)} now")
            continue
        for field in ("agent", "tools", "fallback_tools", "depends_on", "bindings"):
            then, since = getattr(was, field), getattr(is_now, field)
            if then != since:
                lines.append(f"{step_id}.{field}: {_said(then)} then, {_said(since)} now")
    return tuple(lines)


def _said(value: str | Sequence[object]) -> str:
    return value if isinstance(value, str) else ", ".join(map(str, value)) or "none"


def _there(value: object) -> str:
    return "there" if value is not None else "not there"


def _world_at(events: Iterable[RunEvent], seq: int) -> RunStarted | RunTakenOver:
    """Give the fact that says under which catalog and policy an event was decided."""
    return [
        event.fact
        for event in events
        if event.seq <= seq and isinstance(event.fact, RunStarted | RunTakenOver)
    ][-1]


async def _kept(journal: SqliteJournal, digest: str, kind: str, read: Callable[[bytes], T]) -> T:
    snapshot = await journal.snapshots.find(digest)
    if snapshot is None:
        raise SnapshotMissing(
            f"The {kind} {digest} was not kept.",
            remedy="Runs that an older Planwarden began kept none; newer ones can be planned again.",
        )
    try:
        return read(snapshot.body)
    except ValueError as error:
        raise SnapshotMissing(
            f"The {kind} {digest} was kept, but this Planwarden does not read it: {error}.",
            remedy="Plan it again with the version that the run's dossier names (planwarden_version).",
        ) from error


def _prompts(events: Iterable[RunEvent]) -> Iterable[str]:
    for event in events:
        if isinstance(event.fact, ModelAnswered) and event.fact.step is None:
            yield event.fact.exchange.prompt_digest()


def _shown(planning: Planning) -> tuple[str, ...]:
    return tuple(exchange.prompt_digest() for exchange in planning.exchanges)
