"""Every metric that there is: its name, its meaning, its labels and all values that they can have. Pure.

Labels have closed sets of values: whatever is in none of them counts as `other`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import Literal, get_args

from planwarden.contracts.calls import FailureKind
from planwarden.contracts.deviations import DEVIATION_KINDS
from planwarden.contracts.facts import RunOutcome
from planwarden.contracts.model import ModelRole
from planwarden.contracts.plan import PlanSource
from planwarden.contracts.refusals import REASONS
from planwarden.contracts.run import CallStatus
from planwarden.errors import ModelError

Labels = tuple[str, ...]
"""One value for each label of a metric, in its order."""

OTHER = "other"
OPEN_RUN: tuple[str, ...] = ("running", "waiting", "in_doubt")
"""How a run stands that is not over."""
OPEN_CALL: tuple[CallStatus, ...] = ("asked", "approved", "intended", "in_doubt", "not_done")
"""How a call stands of which something may still come."""

_PROVIDERS = ("ollama", "openai", "embedded", "pydantic-ai", OTHER)
_ROLES: tuple[str, ...] = get_args(ModelRole)
_VERDICTS = ("allowed", "needs_approval", "denied", "none")
_OUTCOMES = ("returned", *get_args(FailureKind), "refused", "denied", "in_doubt", "not_run")
_WAITS = ("plan", "call", "outcome")
_QUEUES = ("interrupted", "waiting", "in_doubt", "posted")


def _error_codes(family: type[ModelError]) -> Iterator[str]:
    yield family.code
    for below in family.__subclasses__():
        yield from _error_codes(below)


_FAULTS = (*dict.fromkeys(_error_codes(ModelError)), OTHER)
_REFUSED = tuple((rung, reason) for rung, reasons in REASONS.items() for reason in (*reasons, OTHER))


def _each(*values: tuple[str, ...]) -> tuple[Labels, ...]:
    return tuple(product(*values))


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One metric."""

    name: str
    """Without the suffixes that Prometheus gives to counters and histograms."""
    told: str
    kind: Literal["counter", "gauge", "oldest", "histogram"]
    """`oldest` is a gauge too: of several moments it shows the first, of none 0."""
    labels: tuple[str, ...] = ()
    values: tuple[Labels, ...] = ((),)
    """Every combination of label values; each is shown from the start."""
    bounds: tuple[float, ...] = ()
    """The buckets of a histogram."""

    @cached_property
    def known(self) -> frozenset[Labels]:
        """The values, to look up."""
        return frozenset(self.values)

    def place(self, labels: Labels) -> Labels:
        """Give the combination under which something counts; the last label of an unknown one is `other`."""
        return labels if labels in self.known else (*labels[:-1], OTHER)


_PLANNING = (
    Declared(
        name="planwarden_planner_latency_seconds",
        told="What asking the planner model took for one plan, repair included.",
        kind="histogram",
        labels=("provider",),
        values=_each(_PROVIDERS),
        bounds=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    ),
    Declared(
        name="planwarden_plans",
        told="Plans that runs follow, by where they come from.",
        kind="counter",
        labels=("source",),
        values=_each(get_args(PlanSource)),
    ),
    Declared(
        name="planwarden_plan_refusals",
        told="Refusals on the way to a plan, by rung of the validity ladder.",
        kind="counter",
        labels=("rung", "reason"),
        values=_REFUSED,
    ),
    Declared(
        name="planwarden_plan_steps",
        told="Steps of a plan.",
        kind="histogram",
        bounds=(1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0),
    ),
)
_MODELS = (
    Declared(
        name="planwarden_model_calls",
        told="Requests to models, failed ones included.",
        kind="counter",
        labels=("role",),
        values=_each(_ROLES),
    ),
    Declared(
        name="planwarden_model_errors",
        told="Requests to models that gave no usable reply, by the code of the error.",
        kind="counter",
        labels=("role", "code"),
        values=_each(_ROLES, _FAULTS),
    ),
    Declared(
        name="planwarden_model_seconds",
        told="Time that requests to models took.",
        kind="counter",
        labels=("role",),
        values=_each(_ROLES),
    ),
    Declared(
        name="planwarden_tokens",
        told="Tokens that models read (in) and wrote (out).",
        kind="counter",
        labels=("role", "direction"),
        values=_each(_ROLES, ("in", "out")),
    ),
    Declared(
        name="planwarden_cached_tokens",
        told="Of the tokens that models read, those that their server had read before.",
        kind="counter",
        labels=("role",),
        values=_each(_ROLES),
    ),
)
_CALLS = (
    Declared(
        name="planwarden_tool_calls",
        told="Calls of tools that came to an end, by what policy said and what became of them.",
        kind="counter",
        labels=("verdict", "outcome"),
        values=_each(_VERDICTS, _OUTCOMES),
    ),
    Declared(
        name="planwarden_tool_call_duration_seconds",
        told="Time that calls of tools took.",
        kind="histogram",
        bounds=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0),
    ),
    Declared(
        name="planwarden_open_calls",
        told="Calls of runs that are not over, of which something may still come.",
        kind="gauge",
        labels=("status",),
        values=_each(OPEN_CALL),
    ),
    Declared(
        name="planwarden_deviations",
        told="Departures from the plan.",
        kind="counter",
        labels=("kind",),
        values=_each(DEVIATION_KINDS),
    ),
)
_RUNS = (
    Declared(
        name="planwarden_runs",
        told="Runs that are over.",
        kind="counter",
        labels=("outcome",),
        values=_each(get_args(RunOutcome)),
    ),
    Declared(
        name="planwarden_run_duration_seconds",
        told="From start to end of a run, waiting included.",
        kind="histogram",
        bounds=(0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
    ),
    Declared(
        name="planwarden_adherence_ratio",
        told="Steps whose primary tools all succeeded as planned, by steps that planned any; ended runs.",
        kind="histogram",
        bounds=(0.0, 0.25, 0.5, 0.75, 0.99, 1.0),  # between 0.99 and 1: exactly those that went as planned
    ),
    Declared(
        name="planwarden_run_takeovers",
        told="Runs that another process went on with.",
        kind="counter",
    ),
    Declared(
        name="planwarden_open_runs",
        told="Runs that are not over.",
        kind="gauge",
        labels=("status",),
        values=_each(OPEN_RUN),
    ),
    Declared(
        name="planwarden_queue_depth",
        told="Runs that are not over and that no living process works on, and facts posted to runs.",
        kind="gauge",
        labels=("kind",),
        values=_each(_QUEUES),
    ),
    Declared(
        name="planwarden_approvals_waiting",
        told="Plans, calls and outcomes in doubt that wait for a person.",
        kind="gauge",
        labels=("kind",),
        values=_each(_WAITS),
    ),
    Declared(
        name="planwarden_oldest_wait_timestamp_seconds",
        told="When the run last went on that waits for a person longest, as Unix time; 0 when none waits.",
        kind="oldest",
        labels=("kind",),
        values=_each(_WAITS),
    ),
    Declared(
        name="planwarden_damaged_runs",
        told="Runs whose record could not be read back when they last went on; in no other metric.",
        kind="gauge",
    ),
)

METRICS: Mapping[str, Declared] = MappingProxyType(
    {each.name: each for each in (*_PLANNING, *_MODELS, *_CALLS, *_RUNS)}
)
