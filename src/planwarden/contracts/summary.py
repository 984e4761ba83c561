"""What searching, counting and reporting need of a run: names and numbers, no free text, nothing personal.

A summary is derived from a run's events and outlives the erasure of their payloads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from planwarden.contracts.calls import CallRole, FailureKind, RefusalKind
from planwarden.contracts.deviations import DeviationKind
from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import ModelAnswered, ModelNotOpened, Seconds
from planwarden.contracts.fold import fold
from planwarden.contracts.model import ModelRole
from planwarden.contracts.plan import PlanSource, Rung, WayOut
from planwarden.contracts.run import CallStatus, RunState, RunStatus, StepState
from planwarden.contracts.value import Contract, Digest, Probability

Count = Annotated[int, Field(ge=0)]


class RefusedPlan(Contract):
    """One rung of the validity ladder that refused."""

    rung: Rung
    inner: Rung | None = None
    reason: str


class TokenCount(Contract):
    """What the models of one role read and wrote."""

    role: ModelRole
    prompt: Count = 0
    cached: Count = 0
    output: Count = 0
    calls: Count = 0
    latency_s: Seconds = 0.0


class ModelFault(Contract):
    """How often the models of one role failed in one way; `code` is that of the error."""

    role: ModelRole
    code: str
    count: Count


class SummarisedCall(Contract):
    """One call attempt, without what it said."""

    tool: str
    """As the agent named it, for a call that was refused."""
    role: CallRole | None = None
    status: CallStatus | Literal["refused"]
    verdict: Literal["allowed", "denied", "needs_approval"] | None = None
    refusal: RefusalKind | None = None
    failure: FailureKind | None = None
    duration_s: Seconds | None = None


class RunSummary(Contract):
    """One run in names and numbers."""

    run_id: str
    tenant: str
    seq: Annotated[int, Field(ge=1)]
    """Of the last event that it covers."""
    status: RunStatus
    code: str = ""
    """Of the outcome."""
    started_at: AwareDatetime
    updated_at: AwareDatetime
    agents: tuple[str, ...] = ()
    """That the plan names, in its order."""
    tools: tuple[str, ...] = ()
    """That were planned or wanted, each once."""
    deviations: dict[DeviationKind, Count] = Field(default_factory=dict[DeviationKind, Count])
    source: PlanSource | None = None
    """None where no plan was decided."""
    way_out: WayOut | None = None
    refusals: tuple[RefusedPlan, ...] = ()
    plan_steps: Count | None = None
    confidence: Probability | None = None
    calibrated: bool = False
    adherence: Probability | None = None
    planner_provider: str
    planner_model: str
    agents_model: str
    planner_latency_s: Seconds | None = None
    """What asking the planner model took, repair included; None where it was not asked."""
    tokens: tuple[TokenCount, ...] = ()
    model_faults: tuple[ModelFault, ...] = ()
    calls: tuple[SummarisedCall, ...] = ()
    plan_waits: bool = False
    """Whether the plan waits for a person; calls that wait have status `asked` or `in_doubt`."""
    takeovers: Count = 0
    """How often another process went on with the run."""
    catalog_digest: Digest
    policy_digest: Digest
    prompt_version: str | None = None
    erased: bool = False
    """Whether the payloads are gone, and this is all that is left."""


def summarise(events: Sequence[RunEvent]) -> RunSummary:
    """Put a run into names and numbers. Pure.

    Raises:
        StoreCorrupt: the events are not a run.
    """
    state = fold(events)
    started = state.started
    plan = state.decision.plan if state.decision else None
    return RunSummary(
        run_id=state.run_id,
        tenant=started.task.tenant,
        seq=state.seq,
        status=state.status,
        code=state.ended.code if state.ended else "",
        started_at=state.started_at,
        updated_at=state.updated_at,
        agents=tuple(dict.fromkeys(step.planned.agent for step in state.steps.values())),
        tools=_tools(state),
        deviations=dict(Counter(deviation.kind for deviation in state.deviations)),
        source=plan.metadata.source if plan else None,
        way_out=plan.metadata.way_out if plan else None,
        refusals=_refusals(state),
        plan_steps=len(plan.steps) if plan else None,
        confidence=plan.confidence if plan else None,
        calibrated=plan.metadata.confidence_method.calibrated if plan else False,
        adherence=state.adherence,
        planner_provider=started.planner.provider,
        planner_model=started.planner.model,
        agents_model=started.agents.model,
        planner_latency_s=state.planner_latency_s,
        tokens=_tokens(events),
        model_faults=_model_faults(events),
        calls=tuple(call for step in state.steps.values() for call in _calls(step)),
        plan_waits=state.ended is None and state.plan_approval == "asked",
        takeovers=sum(event.fact.kind == "run_taken_over" for event in events),
        catalog_digest=started.catalog_digest,
        policy_digest=started.policy_digest,
        prompt_version=plan.metadata.prompt_version if plan else None,
    )


def _tools(state: RunState) -> tuple[str, ...]:
    named: dict[str, None] = {}
    for step in state.steps.values():
        named.update(dict.fromkeys((*step.planned.tools, *step.planned.fallback_tools)))
        named.update(dict.fromkeys(refused.tool for refused in step.refused))
    return tuple(named)


def _refusals(state: RunState) -> tuple[RefusedPlan, ...]:
    refusals = state.decision.refusals if state.decision else ()
    return tuple(RefusedPlan(rung=each.rung, inner=each.inner, reason=each.reason) for each in refusals)


def _calls(step: StepState) -> Iterable[SummarisedCall]:
    for refused in step.refused:
        verdict = refused.verdict.verdict if refused.verdict else None
        yield SummarisedCall(tool=refused.tool, status="refused", refusal=refused.refusal, verdict=verdict)
    for call in step.calls:
        yield SummarisedCall(
            tool=call.call.tool,
            role=call.call.role,
            status=call.status,
            verdict=call.verdict.verdict,
            failure=call.failure,
            duration_s=call.duration_s,
        )


def _answered(events: Iterable[RunEvent]) -> Iterable[tuple[ModelRole, ModelAnswered]]:
    for event in events:
        if isinstance(event.fact, ModelAnswered):
            yield "planner" if event.fact.step is None else "agents", event.fact


def _not_opened(events: Iterable[RunEvent]) -> Iterable[ModelNotOpened]:
    return (event.fact for event in events if isinstance(event.fact, ModelNotOpened))


def _tokens(events: Sequence[RunEvent]) -> tuple[TokenCount, ...]:
    counts = {each.role: TokenCount(role=each.role, calls=1) for each in _not_opened(events)}
    for role, fact in _answered(events):
        so_far, cost = counts.get(role, TokenCount(role=role)), fact.exchange.usage
        counts[role] = TokenCount(
            role=role,
            prompt=so_far.prompt + cost.prompt_tokens,
            cached=so_far.cached + cost.cached_tokens,
            output=so_far.output + cost.output_tokens,
            calls=so_far.calls + 1,
            latency_s=so_far.latency_s + cost.latency_s,
        )
    return tuple(counts.values())


def _model_faults(events: Sequence[RunEvent]) -> tuple[ModelFault, ...]:
    counts: Counter[tuple[ModelRole, str]] = Counter((each.role, each.code) for each in _not_opened(events))
    for role, fact in _answered(events):
        if fact.exchange.error_code:
            counts[role, fact.exchange.error_code] += 1
    return tuple(ModelFault(role=role, code=code, count=count) for (role, code), count in counts.items())
