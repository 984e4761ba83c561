"""A whole soak: run after run on one journal, added up as they come, so that memory does not grow."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from planwarden.contracts.clock import Clock
from planwarden.contracts.deviations import DeviationKind
from planwarden.errors import DataRejected
from planwarden.evaluation.soak.chance import chance
from planwarden.evaluation.soak.ledger import ViolationKind
from planwarden.evaluation.soak.run import RunReport, soak_run
from planwarden.evaluation.soak.stage import Ground, PlannerChoice, RealPlanner
from planwarden.journal.port import Owner
from planwarden.journal.sqlite.journal import SqliteJournal
from planwarden.planning.prior import PriorSource
from planwarden.testing.ticking_clock import TickingClock

JOURNAL = "journal.db"
RUNS_PER_JOURNAL = 250
"""In a temporary folder; then the file is thrown away and another begun."""
LEASE_S = 1e6
"""The clock of a soak is made up; nobody else wants its runs."""
MOST_TOLD = 20
"""How many findings of each sort are told in full."""
HERE = Owner(id="soak", host="soak", pid=1)


class SoakIds:
    """Identifiers that are the same for the same seed."""

    def __init__(self, seed: int, planner: PlannerChoice) -> None:
        self._prefix = f"soak-{seed}-{planner}"
        self._rng = chance(self._prefix)
        self.number = 0

    def run_id(self) -> str:
        """Give the id of the run at hand."""
        return f"{self._prefix}-{self.number}"

    def nonce(self) -> str:
        """Give 32 hexadecimal digits."""
        return f"{self._rng.getrandbits(128):032x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is soaked, and how."""

    runs: int
    seed: int
    planner: PlannerChoice = "scripted"
    home: Path | None = None
    """Where the journal stays; None for a temporary folder."""


@dataclass(slots=True, kw_only=True)
class Totals:
    """All runs together. Holds counts, and the first findings of each sort."""

    runs: int = 0
    invocations: int = 0
    refusals: int = 0
    unauthorised_calls: int = 0
    false_refusals: int = 0
    record_faults: int = 0
    seeded: Counter[ViolationKind] = field(default_factory=Counter[ViolationKind])
    caught: Counter[ViolationKind] = field(default_factory=Counter[ViolationKind])
    deviations: Counter[DeviationKind] = field(default_factory=Counter[DeviationKind])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    sources: Counter[str] = field(default_factory=Counter[str])
    adhered: float = 0.0
    planned: int = 0
    """Runs that planned any tool: those that have an adherence."""
    findings: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    @property
    def adherence(self) -> float | None:
        """Give the mean adherence of the runs that have one."""
        return self.adhered / self.planned if self.planned else None

    @property
    def seeded_violations(self) -> int:
        """Give how many violations were tried."""
        return self.seeded.total()

    @property
    def caught_violations(self) -> int:
        """Give how many of them were caught."""
        return self.caught.total()

    @property
    def recall(self) -> float | None:
        """Give the share of the violations that were caught; None where none was tried."""
        return self.caught_violations / self.seeded_violations if self.seeded_violations else None

    @property
    def passed(self) -> bool:
        """Say whether nothing was found, and something was tried."""
        clean = not (self.unauthorised_calls or self.false_refusals or self.record_faults)
        return clean and 0 < self.seeded_violations == self.caught_violations

    def add(self, report: RunReport) -> None:
        """Add one run."""
        self.runs += 1
        self.invocations += report.invocations
        self.refusals += report.refusals
        self.unauthorised_calls += len(report.unauthorised)
        self.false_refusals += len(report.false_refusals)
        self.record_faults += len(report.faults)
        self.seeded.update(each.kind for each in report.seeded)
        not_caught = {each.seeded.id for each in report.missed}
        self.caught.update(each.kind for each in report.seeded if each.id not in not_caught)
        self.deviations.update(report.deviations)
        self.outcomes[report.outcome] += 1
        self.sources[report.source] += 1
        if report.adherence is not None:
            self.adhered += report.adherence
            self.planned += 1
        self._tell(report)

    def _tell(self, report: RunReport) -> None:
        told = [
            *(f"unauthorised call: {each}" for each in report.unauthorised),
            *(f"missed {each.seeded.kind} {each.seeded.id}: {each.because}" for each in report.missed),
            *(f"false refusal: {each}" for each in report.false_refusals),
            *(f"record: {each}" for each in report.faults),
        ]
        left = MOST_TOLD - len(self.findings)
        self.findings += [f"{report.run_id}: {each}" for each in told[: max(0, left)]]


async def soak(
    wanted: Wanted,
    source: PriorSource,
    clock: Clock,
    real: RealPlanner | None = None,
    progress: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Carry out a soak.

    Args:
        wanted: how many runs, on which seed.
        source: of the planner's priors.
        clock: the real one; only the time that it took comes from it.
        real: the planner model for `embedded`.
        progress: is told after each run.

    Raises:
        DataRejected: there is a journal in `wanted.home` already.
        StoreError: the journal cannot be written.
    """
    totals, began = Totals(), clock.monotonic()
    ids = SoakIds(wanted.seed, wanted.planner)
    while totals.runs < wanted.runs:
        with _folder(wanted.home) as folder:
            batch = wanted.runs if wanted.home else min(totals.runs + RUNS_PER_JOURNAL, wanted.runs)
            async with _ground(wanted, folder, source, ids) as ground:
                here = replace(ground, real=real)
                while totals.runs < batch:
                    ids.number = totals.runs + 1
                    totals.add(await soak_run(ids.number, here, totals.seeded))
                    progress(totals)
    totals.seconds = clock.monotonic() - began
    return totals


@contextmanager
def _folder(home: Path | None) -> Generator[Path]:
    if home is None:
        with tempfile.TemporaryDirectory(prefix="planwarden-soak-") as folder:
            yield Path(folder)
        return
    if (home / JOURNAL).exists():
        raise DataRejected(
            f"There is a journal in {home} already.",
            remedy="Name a folder without one with --home; a soak never writes among other runs.",
        )
    yield home


@asynccontextmanager
async def _ground(wanted: Wanted, folder: Path, source: PriorSource, ids: SoakIds) -> AsyncGenerator[Ground]:
    clock = TickingClock()
    path = folder / JOURNAL
    journal = await SqliteJournal.open(path, clock, ids, is_dead=lambda _: False, lease_s=LEASE_S)
    try:
        yield Ground(
            seed=wanted.seed,
            planner=wanted.planner,
            journal=journal,
            path=path,
            source=source,
            clock=clock,
            ids=ids,
            owner=HERE,
        )
    finally:
        await journal.aclose()
