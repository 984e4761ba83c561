"""The state of a run: a fold over its events, and nothing else.

`fold` is pure; a run resumes from any prefix of its journal because the state has no other source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from planwarden.contracts.calls import FailureKind, StepAnswer, ToolCall
from planwarden.contracts.deviations import Deviation
from planwarden.contracts.facts import CallRefused, ExecutionFell, ModelNotOpened, RunEnded, RunStarted
from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import PlanDecision, PlannedAgentStep
from planwarden.contracts.specs import Execution
from planwarden.contracts.turns import Turn
from planwarden.contracts.value import Json
from planwarden.contracts.verdict import Verdict

CallStatus = Literal["asked", "approved", "denied", "intended", "returned", "failed", "in_doubt", "not_done"]
StepStatus = Literal["pending", "running", "answered", "failed"]
RunStatus = Literal["running", "waiting", "in_doubt", "completed", "failed", "refused", "cancelled", "asked"]
"""`waiting`: for a person's approval; `in_doubt`: for a person to say whether a call happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """One call, as far as it got."""

    call: ToolCall
    status: CallStatus
    epoch: int
    """Of the lease under which it was last intended."""
    at: datetime
    verdict: Verdict
    value: Json = None
    failure: FailureKind | None = None
    message: str = ""
    duration_s: float | None = None
    settled_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """One step, as far as it got."""

    planned: PlannedAgentStep
    status: StepStatus = "pending"
    calls: tuple[CallState, ...] = ()
    refused: tuple[CallRefused, ...] = ()
    answer: StepAnswer | None = None
    failure_code: str = ""
    failure_message: str = ""
    execution: Execution = "directed"
    """As the step began."""
    turns: tuple[Turn, ...] = ()
    """Of free execution."""
    fell: ExecutionFell | None = None
    """Why a free step goes on directed."""
    refused_when_fell: int = 0
    """How many calls had been refused by then."""

    @property
    def is_free(self) -> bool:
        """Say whether the model still drives this step by its own tool calls."""
        return self.execution == "free" and self.fell is None

    @property
    def open_call(self) -> CallState | None:
        """Give the call that has its place but has not run to an end."""
        return next((state for state in self.calls if state.status not in ("returned", "failed")), None)

    def call_for(self, tool: str) -> CallState | None:
        """Give the newest call of that tool."""
        return next((state for state in reversed(self.calls) if state.call.tool == tool), None)

    @property
    def ran(self) -> tuple[CallState, ...]:
        """Calls that ran to an end, good or bad."""
        return tuple(state for state in self.calls if state.status in ("returned", "failed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Everything that decides what happens next."""

    run_id: str
    started: RunStarted
    started_at: datetime
    active_since: datetime
    """When the present owner began; wall-time budgets count from here."""
    updated_at: datetime
    seq: int
    epoch: int
    not_opened: ModelNotOpened | None = None
    """The model that could not be had; the run fails of it."""
    decision: PlanDecision | None = None
    steps: dict[str, StepState] = field(default_factory=dict[str, StepState])
    plan_approval: Literal["none", "asked", "approved", "denied"] = "none"
    cancelled_by: str | None = None
    ended: RunEnded | None = None
    deviations: tuple[Deviation, ...] = ()
    usage: ModelUsage = field(default_factory=ModelUsage)
    model_calls: int = 0
    planner_latency_s: float | None = None
    """What asking the planner model took, repair included; None where it was not asked."""
    tokens_per_byte: float = 0.0
    """The highest that a prompt of a step turned out to have so far; 0 before any was counted."""
    traces: tuple[str, ...] = ()
    """Traceparents of the processes that had the run, in order; none for those that traced nothing."""

    @property
    def calls(self) -> tuple[CallState, ...]:
        """All calls, in the order of the plan's steps."""
        return tuple(call for step in self.steps.values() for call in step.calls)

    def find_call(self, call_id: str) -> CallState | None:
        """Give the call of that id, if there is one."""
        return next((state for state in self.calls if state.call.id == call_id), None)

    @property
    def status(self) -> RunStatus:
        """Say where the run stands."""
        if self.ended is not None:
            return self.ended.outcome
        if any(call.status == "in_doubt" for call in self.calls):
            return "in_doubt"
        if self.plan_approval == "asked" or any(call.status == "asked" for call in self.calls):
            return "waiting"
        return "running"

    @property
    def adherence(self) -> float | None:
        """Share of steps with planned tools whose primary tools all succeeded.

        None when no step has any, and until the run is over: what did not run yet departs from nothing.
        """
        if self.ended is None:
            return None
        planned = [step for step in self.steps.values() if step.planned.tools]
        if not planned:
            return None
        kept = sum(1 for step in planned if all(_succeeded(step, tool) for tool in step.planned.tools))
        return kept / len(planned)


def _succeeded(step: StepState, tool: str) -> bool:
    return any(state.call.tool == tool and state.status == "returned" for state in step.calls)


def final_answer(state: RunState) -> StepAnswer | None:
    """Join the answers of the steps that no other step builds on; None when there are none."""
    built_on = {dependency for step in state.steps.values() for dependency in step.planned.depends_on}
    answers = [
        step.answer
        for step_id, step in state.steps.items()
        if step_id not in built_on and step.answer is not None
    ]
    if len(answers) <= 1:
        return answers[0] if answers else None
    return StepAnswer(
        text="\n\n".join(answer.text for answer in answers),
        evidence=tuple(dict.fromkeys(ref for answer in answers for ref in answer.evidence)),
        style=answers[0].style,
        unsupported_numbers=tuple(n for answer in answers for n in answer.unsupported_numbers),
        grounded=all(answer.grounded for answer in answers),
        citations=tuple(dict.fromkeys(each for answer in answers for each in answer.citations)),
        available=tuple(dict.fromkeys(ref for answer in answers for ref in answer.available)),
        unknown_citations=tuple(dict.fromkeys(ref for answer in answers for ref in answer.unknown_citations)),
        uncited=tuple(sentence for answer in answers for sentence in answer.uncited),
        rendered_because=next((a.rendered_because for a in answers if a.rendered_because), ""),
    )


def steps_in_status(state: RunState, *statuses: StepStatus) -> Iterable[StepState]:
    """Give the steps that stand so, in plan order."""
    return (step for step in state.steps.values() if step.status in statuses)
