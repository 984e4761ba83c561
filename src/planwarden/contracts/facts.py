"""What can happen in a run: one closed union, discriminated by `kind`.

A fact is recorded before the run goes on; an intent is recorded before its effect.
Deviations are not facts of their own: the fold derives them (see `contracts/run.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from planwarden.contracts.calls import FailureKind, RefusalKind, StepAnswer, ToolCall
from planwarden.contracts.model import ModelExchange, ModelIdentity, ModelRole
from planwarden.contracts.plan import PlanDecision, StepId
from planwarden.contracts.specs import Execution
from planwarden.contracts.task import Task
from planwarden.contracts.tracing import Traceparent
from planwarden.contracts.turns import FallReason
from planwarden.contracts.value import Contract, Digest, Json, Name
from planwarden.contracts.verdict import NeedsApproval, Verdict

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RunStarted(Contract):
    """A task was accepted."""

    kind: Literal["run_started"] = "run_started"
    task: Task
    planner: ModelIdentity
    agents: ModelIdentity
    agent_models: dict[Name, ModelIdentity] = Field(default_factory=dict)
    """Agents that work with a model of their own."""
    catalog_digest: Digest
    policy_digest: Digest
    planwarden_version: str
    snapshots_kept: bool = False
    """Whether catalog and policy are kept beside the run, under these digests."""
    traceparent: Traceparent | None = None
    """Of the span of this process's part of the run; None where nothing was traced."""


class RunTakenOver(Contract):
    """A process took the lease of a run that another one had begun."""

    kind: Literal["run_taken_over"] = "run_taken_over"
    owner: str
    catalog_digest: Digest
    policy_digest: Digest
    traceparent: Traceparent | None = None
    """Of the span of this process's part of the run; None where nothing was traced."""


class ModelNotOpened(Contract):
    """A model that the run needs could not be had when the run began: nothing is planned, and the run fails.

    Which model was asked for is what `run_started` says of its role.
    """

    kind: Literal["model_not_opened"] = "model_not_opened"
    role: ModelRole
    agent: Name | None = None
    """Whose own model it is; None for the model of the whole role."""
    code: str
    """Of the error."""
    message: str
    remedy: str


class ModelAnswered(Contract):
    """A model was asked something; also recorded when it failed to answer."""

    kind: Literal["model_answered"] = "model_answered"
    step: StepId | None = None
    exchange: ModelExchange


class PlanDecided(Contract):
    """The plan to follow is fixed, or nothing may be done."""

    kind: Literal["plan_decided"] = "plan_decided"
    decision: PlanDecision


class PlanApprovalAsked(Contract):
    """The plan waits for a person."""

    kind: Literal["plan_approval_asked"] = "plan_approval_asked"
    plan_digest: Digest
    reason: str


class PlanApprovalGiven(Contract):
    """A person said yes or no to exactly this plan."""

    kind: Literal["plan_approval_given"] = "plan_approval_given"
    plan_digest: Digest
    approved: bool
    by: str


class StepStarted(Contract):
    """An agent begins its step."""

    kind: Literal["step_started"] = "step_started"
    step: StepId
    agent: Name
    execution: Execution = "directed"
    """As configured; `execution_fell` says when a free step goes on directed."""


class ExecutionFell(Contract):
    """A step that began free goes on directed from the calls it has made: its model cannot drive it."""

    kind: Literal["execution_fell"] = "execution_fell"
    step: StepId
    reason: FallReason
    message: str


class CallRefused(Contract):
    """A call was refused before it happened; the tool did not run."""

    kind: Literal["call_refused"] = "call_refused"
    step: StepId
    tool: str
    arguments: dict[str, Json]
    refusal: RefusalKind
    verdict: Verdict | None = None
    message: str


class ApprovalAsked(Contract):
    """A call waits for a person."""

    kind: Literal["approval_asked"] = "approval_asked"
    call: ToolCall
    verdict: NeedsApproval


class ApprovalGiven(Contract):
    """A person said yes or no to exactly this call."""

    kind: Literal["approval_given"] = "approval_given"
    call_id: str
    arguments_digest: Digest
    approved: bool
    by: str


class CallIntended(Contract):
    """A call was allowed and is about to run."""

    kind: Literal["call_intended"] = "call_intended"
    call: ToolCall
    verdict: Verdict
    idempotency_key: str


class CallReturned(Contract):
    """A call ran and gave a result."""

    kind: Literal["call_returned"] = "call_returned"
    call_id: str
    value: Json
    duration_s: Seconds


class CallFailed(Contract):
    """A call ran and failed."""

    kind: Literal["call_failed"] = "call_failed"
    call_id: str
    failure: FailureKind
    message: str
    duration_s: Seconds


class CallInDoubt(Contract):
    """An intent was found open after a crash: nobody knows whether the call happened."""

    kind: Literal["call_in_doubt"] = "call_in_doubt"
    call_id: str
    message: str


class CallSettled(Contract):
    """What became of a call in doubt."""

    kind: Literal["call_settled"] = "call_settled"
    call_id: str
    outcome: Literal["done", "not_done"]
    value: Json = None
    """The result of a call that was done, where it is known."""
    by: str
    """`verify` (the tool said), `read` (nothing to repeat wrongly), or the person's name."""


class StepAnswered(Contract):
    """An agent finished its step."""

    kind: Literal["step_answered"] = "step_answered"
    step: StepId
    answer: StepAnswer


class StepFailed(Contract):
    """A step ended without an answer."""

    kind: Literal["step_failed"] = "step_failed"
    step: StepId
    code: str
    message: str


class CancelRequested(Contract):
    """Somebody asked to stop the run."""

    kind: Literal["cancel_requested"] = "cancel_requested"
    by: str


RunOutcome = Literal["completed", "failed", "refused", "cancelled", "asked"]
"""`asked`: the planner put a question back to the user; `refused`: plan or policy allow nothing."""


class RunEnded(Contract):
    """The run is over."""

    kind: Literal["run_ended"] = "run_ended"
    outcome: RunOutcome
    code: str = ""
    """Stable identifier of the reason, empty when completed."""
    message: str = ""


ERASED: Literal["payloads_erased"] = "payloads_erased"
"""The kind of the one fact that may follow the end of a run, and after which nothing follows."""


class PayloadsErased(Contract):
    """What the run's events said was erased: their payloads are gone, this one's stays."""

    kind: Literal["payloads_erased"] = ERASED
    by: Annotated[str, Field(min_length=1, max_length=256)]
    reason: Annotated[str, Field(min_length=1, max_length=1_000)]
    payloads: Annotated[int, Field(ge=0)]
    """How many were erased."""
    verified: bool | None = None
    """Whether the record was what had been written, just before; None: nobody looked."""
    summary_digest: Digest | None = None
    """Of the summary that is left, as it is stored; None where nothing is left, or nobody looked."""


Fact = Annotated[
    RunStarted
    | RunTakenOver
    | ModelNotOpened
    | ModelAnswered
    | PlanDecided
    | PlanApprovalAsked
    | PlanApprovalGiven
    | StepStarted
    | ExecutionFell
    | CallRefused
    | ApprovalAsked
    | ApprovalGiven
    | CallIntended
    | CallReturned
    | CallFailed
    | CallInDoubt
    | CallSettled
    | StepAnswered
    | StepFailed
    | CancelRequested
    | RunEnded
    | PayloadsErased,
    Field(discriminator="kind"),
]

fact_adapter: TypeAdapter[Fact] = TypeAdapter(Fact)
"""Reads a fact back from JSON."""
