"""The report of a period as a value: what the terminal, the page and JSON all say."""

from __future__ import annotations

from pydantic import AwareDatetime

from planwarden.contracts.deviations import DeviationKind
from planwarden.contracts.plan import PlanSource
from planwarden.contracts.run import RunStatus
from planwarden.contracts.value import Contract


class Share(Contract):
    """How many of how many, with the 95 % interval of the share (Wilson 1927)."""

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """Give the share; None of nothing."""
        return self.count / self.of if self.of else None


class Latencies(Contract):
    """Quantiles of how long asking the planner model took, each within 2 % of the true one."""

    count: int = 0
    p50_s: float | None = None
    p90_s: float | None = None
    p99_s: float | None = None


class Slot(Contract):
    """A part of the period, by when its runs began."""

    begin: AwareDatetime
    end: AwareDatetime
    runs: int = 0
    completed: int = 0
    adherence: float | None = None
    """Mean over the runs that planned any tool and are over."""
    deviations: int = 0
    plans: int = 0
    fallback_plans: int = 0
    latency: Latencies = Latencies()


class ConfidenceBin(Contract):
    """Plans of like confidence, and how many of their runs succeeded."""

    low: float
    high: float
    confidence: float
    """Mean."""
    success: Share
    enough: bool
    """Whether there are enough of them to read anything off the share."""


class ConfidenceCheck(Contract):
    """What a plan's confidence said beside what came of it.

    Success: the run completed and every step that planned tools went as planned. Counted are runs that are
    over, with planned tools, of plans whose confidence was derived (not edited, cached or fallback ones).
    """

    cases: int = 0
    calibrated: int = 0
    """Of these, whose confidence a calibration had been applied to."""
    error: float | None = None
    """Mean distance of confidence and success over the bins; None where there are too few cases."""
    least_cases: int
    """Below so many no error is given."""
    bins: tuple[ConfidenceBin, ...] = ()


class RefusedTool(Contract):
    """A tool that agents wanted and did not get."""

    tool: str
    count: int
    refusals: dict[str, int]


class PlanRefusal(Contract):
    """Why plans were refused on a rung of the validity ladder."""

    rung: str
    reason: str
    count: int


class ModelTrouble(Contract):
    """How often a model gave no usable reply, and why."""

    role: str
    code: str
    count: int


class Tokens(Contract):
    """What models of one role read and wrote."""

    role: str
    prompt: int = 0
    cached: int = 0
    output: int = 0
    exchanges: int = 0
    """Requests to them, those among them that got no answer."""


class PeriodReport(Contract):
    """Everything that a report says."""

    report_version: int = 1
    since: AwareDatetime
    until: AwareDatetime
    tenant: str | None = None
    runs: int
    unreadable: int
    """Of the whole journal: when a run began that cannot be read back is not known."""
    imported: int = 0
    """Runs of the period that were imported, and are left out of everything else."""
    outcomes: dict[RunStatus, int]
    sources: dict[PlanSource, int]
    adherence: float | None
    as_planned: Share
    """Runs over with planned tools, of which every step went as planned."""
    deviating: Share
    """Runs with a deviation at all."""
    deviations: dict[DeviationKind, int]
    fallback: Share
    """Fallback plans among all plans."""
    latency: Latencies
    slots: tuple[Slot, ...]
    confidence: ConfidenceCheck
    refused_tools: tuple[RefusedTool, ...]
    refused_others: int
    """Calls refused of tools beyond the ones counted by name."""
    plan_refusals: tuple[PlanRefusal, ...]
    model_troubles: tuple[ModelTrouble, ...]
    tokens: tuple[Tokens, ...]
