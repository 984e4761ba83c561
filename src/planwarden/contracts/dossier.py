"""The audit file of one run, built from its events alone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from planwarden.contracts.calls import CallRole, FailureKind, RefusalKind, StepAnswer
from planwarden.contracts.deviations import Deviation
from planwarden.contracts.model import ModelExchange, ModelIdentity, ModelRole, ModelUsage
from planwarden.contracts.plan import PlanDecision
from planwarden.contracts.run import CallStatus, RunStatus, StepStatus
from planwarden.contracts.specs import Execution
from planwarden.contracts.task import Task
from planwarden.contracts.value import Contract, Digest, Json, Name
from planwarden.contracts.verdict import Verdict


class DossierCall(Contract):
    """One call attempt: wanted, judged, and what came of it."""

    id: str | None
    """None for a call that was refused before it got a place."""
    step: str
    tool: str
    role: CallRole | None
    status: CallStatus | Literal["refused"]
    arguments: dict[str, Json]
    verdict: Verdict | None
    refusal: RefusalKind | None = None
    failure: FailureKind | None = None
    message: str = ""
    attempt: int = 1
    idempotency_key: str | None = None
    result: Json = None
    result_digest: Digest | None = None
    duration_s: float | None = None
    settled_by: str | None = None


def said_by_person(call: DossierCall) -> bool:
    """Say whether a call counts as done, or not, on a person's word and not on that of its tool."""
    return call.settled_by not in (None, "verify", "read") and call.status in ("returned", "not_done")


class DossierStep(Contract):
    """One step: planned and done."""

    id: str
    agent: str
    status: StepStatus
    execution: Execution = "directed"
    """As the step began."""
    fell: str = ""
    """Why a step that began free went on directed, `reason: message`; empty when it did not."""
    answer: StepAnswer | None
    failure_code: str = ""
    failure_message: str = ""


class DossierApproval(Contract):
    """Who said yes or no, to what."""

    at: AwareDatetime
    by: str
    what: Literal["plan", "call", "outcome", "cancel"]
    subject: str
    decision: str


class DossierEvent(Contract):
    """One line of the record: its place, time, kind and hash."""

    seq: int
    at: AwareDatetime
    epoch: int
    kind: str
    payload_digest: Digest
    hash: Digest


class DossierExchange(Contract):
    """One exchange with a model, raw."""

    seq: int
    step: str | None
    prompt_digest: Digest
    """Of everything that the model was shown: messages, output schema, offered tools."""
    exchange: ModelExchange


class NotOpened(Contract):
    """A model that could not be had; which one is what the dossier says of its role."""

    role: ModelRole
    agent: Name | None
    """Whose own model it is; null for the model of the whole role."""
    code: str
    message: str
    remedy: str


def _is_none(value: object) -> bool:
    return value is None


class Dossier(Contract):
    """Everything an auditor needs about one run."""

    dossier_version: Literal[1] = 1
    run_id: str
    status: RunStatus
    outcome_code: str = ""
    outcome_message: str = ""
    task: Task
    planner: ModelIdentity
    agents: ModelIdentity
    agent_models: dict[Name, ModelIdentity]
    """Agents that worked with a model of their own."""
    catalog_digest: Digest
    policy_digest: Digest
    planwarden_version: str
    started_at: AwareDatetime
    updated_at: AwareDatetime
    not_opened: Annotated[NotOpened | None, Field(exclude_if=_is_none)] = None
    """The model that could not be had as the run began, and of which it failed; there only where one was."""
    decision: PlanDecision | None
    plan_digest: Digest | None
    steps: tuple[DossierStep, ...]
    calls: tuple[DossierCall, ...]
    approvals: tuple[DossierApproval, ...]
    deviations: tuple[Deviation, ...]
    adherence: float | None
    answer: StepAnswer | None
    usage: ModelUsage
    model_calls: int
    exchanges: tuple[DossierExchange, ...]
    events: tuple[DossierEvent, ...]
    head: Digest
    """Hash of the last event: whoever keeps it elsewhere can prove that nothing was dropped."""


RedactionKind = Literal["content", "personal"]
"""`content`: every free text is replaced by its length; `personal`: what looks like personal data is."""


class RedactedDossier(Contract):
    """A dossier with parts of it replaced; it says so, and is not what `dossier verify` compares.

    A wrapper, so that a whole dossier keeps its form and bytes, and none can be taken for the other.
    """

    redacted: RedactionKind
    dossier: Dossier
    """Structure, names, verdicts, times and the hash chain are those of the run; the digests too, but for
    those of results, arguments, prompts and plans that were replaced, which would confirm a guess."""
