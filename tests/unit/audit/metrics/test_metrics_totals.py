"""Totals: what a run adds, that adding is a fold that can be split anywhere, and that counters never fall."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planwarden.audit.metrics.declared import METRICS
from planwarden.audit.metrics.totals import Totals
from planwarden.contracts import facts as f
from planwarden.contracts.calls import CallRole, ToolCall
from planwarden.contracts.event import RunEvent
from planwarden.contracts.model import ModelExchange, ModelIdentity, ModelUsage
from planwarden.contracts.plan import (
    PlanDecision,
    PlanMetadata,
    PlannedAgentStep,
    PlannerPlan,
    PlanSource,
    Refusal,
)
from planwarden.contracts.run import RunStatus
from planwarden.contracts.summary import RunSummary, summarise
from planwarden.contracts.task import Task
from planwarden.contracts.value import digest
from planwarden.contracts.verdict import Allowed, NeedsApproval

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
WHO = ModelIdentity(provider="a-provider-of-yours", model="m")
DIGEST = "sha256:" + "0" * 64
ALLOWED = Allowed(rule="r", reason="r")
NEEDS = NeedsApproval(rule="ask", reason="r")


def summary(**given: Any) -> RunSummary:
    """Make the summary of a run that completed within a second, or as told."""
    base = {
        "run_id": "r1", "tenant": "default", "seq": 1, "status": "completed", "started_at": START,
        "updated_at": START + timedelta(seconds=1), "planner_provider": "ollama", "planner_model": "m",
        "agents_model": "m", "catalog_digest": DIGEST, "policy_digest": DIGEST,
    }  # fmt: skip
    return RunSummary.model_validate(base | given)


def call(ordinal: int, tool: str, role: CallRole = "primary", attempt: int = 1) -> ToolCall:
    return ToolCall(id=f"s1.{ordinal}", step="s1", tool=tool, role=role, arguments={}, attempt=attempt)


def asked(error: str | None = None) -> f.ModelAnswered:
    usage = ModelUsage(prompt_tokens=10, cached_tokens=4, output_tokens=3, latency_s=0.3)
    exchange = ModelExchange(purpose="plan", messages=(), reply=None, error_code=error, usage=usage)
    return f.ModelAnswered(exchange=exchange)


def an_eventful_run() -> list[RunEvent]:
    """Make one with repair, fallback plan, approvals, a call in doubt made again, a failure, a cancel."""
    steps = (PlannedAgentStep(id="s1", agent="a", tools=("save", "look"), fallback_tools=("spare",)),)
    plan = PlannerPlan(steps=steps, metadata=PlanMetadata(source="fallback"))
    refusals = (
        Refusal(rung="schema", reason="notation_broken", message="x"),
        Refusal(rung="repair", inner="parse", reason="not_json", message="x"),
        Refusal(rung="semantics", reason="not_known_to_this_version", message="x"),
    )
    saved = call(1, "save")
    happened: list[f.Fact] = [
        f.RunStarted(
            task=Task(prompt="x"), planner=WHO, agents=WHO, catalog_digest=DIGEST, policy_digest=DIGEST,
            planwarden_version="0",
        ),
        asked("model_timed_out"),
        asked("not_a_code_of_ours"),
        f.PlanDecided(decision=PlanDecision(plan=plan, refusals=refusals)),
        f.PlanApprovalAsked(plan_digest=plan.digest(), reason="unsure"),
        f.PlanApprovalGiven(plan_digest=plan.digest(), approved=True, by="ada"),
        f.StepStarted(step="s1", agent="a"),
        f.CallRefused(step="s1", tool="send", arguments={}, refusal="unplanned_tool_blocked", message="x"),
        f.ApprovalAsked(call=saved, verdict=NEEDS),
        f.ApprovalGiven(call_id="s1.1", arguments_digest=digest({}), approved=True, by="ada"),
        f.CallIntended(call=saved, verdict=NEEDS, idempotency_key="k"),
        f.CallInDoubt(call_id="s1.1", message="x"),
        f.RunTakenOver(owner="o", catalog_digest=DIGEST, policy_digest=DIGEST),
        f.CallSettled(call_id="s1.1", outcome="not_done", by="ada"),
        f.CallIntended(call=call(1, "save", attempt=2), verdict=NEEDS, idempotency_key="k"),
        f.CallReturned(call_id="s1.1", value=None, duration_s=2.0),
        f.CallIntended(call=call(2, "look"), verdict=ALLOWED, idempotency_key="k"),
        f.CallFailed(call_id="s1.2", failure="timeout", message="x", duration_s=5.0),
        f.CallIntended(call=call(3, "spare", "fallback"), verdict=ALLOWED, idempotency_key="k"),
        f.CancelRequested(by="ada"),
        f.RunEnded(outcome="cancelled"),
    ]  # fmt: skip
    return [
        RunEvent(run_id="r1", seq=seq, at=START + timedelta(seconds=seq), epoch=1, fact=fact)
        for seq, fact in enumerate(happened, start=1)
    ]


def totals_after(events: Sequence[RunEvent]) -> Totals:
    return Totals().plus([summarise(events)])


def never_falling(totals: Totals) -> dict[object, float]:
    counters = {key: value for key, value in totals.counts.items() if METRICS[key[0]].kind == "counter"}
    buckets = {
        (*key, bound): count for key, spread in totals.spreads.items() for bound, count in spread.buckets
    }
    sums = {(*key, "sum"): spread.total for key, spread in totals.spreads.items()}
    return {**counters, **buckets, **sums}


@pytest.mark.requirement("MET-4")
def test_no_counter_or_histogram_falls_while_a_run_goes_on_and_ends() -> None:
    events = an_eventful_run()
    before = never_falling(Totals())
    for seq in range(1, len(events) + 1):
        now = never_falling(totals_after(events[:seq]))
        assert not [key for key, value in before.items() if now[key] < value], events[seq - 1].fact.kind
        before = now


@pytest.mark.requirement("MET-1")
def test_everything_that_happened_in_a_run_is_counted_once_under_its_labels() -> None:
    totals = totals_after(an_eventful_run())
    counted = {key: value for key, value in totals.counts.items() if value}
    assert counted == {
        ("planwarden_plans", ("fallback",)): 1,
        ("planwarden_plan_refusals", ("schema", "notation_broken")): 1,
        ("planwarden_plan_refusals", ("repair", "not_json")): 1,
        ("planwarden_plan_refusals", ("semantics", "other")): 1,
        ("planwarden_model_calls", ("planner",)): 2,
        ("planwarden_model_errors", ("planner", "model_timed_out")): 1,
        ("planwarden_model_errors", ("planner", "other")): 1,
        ("planwarden_model_seconds", ("planner",)): 0.6,
        ("planwarden_tokens", ("planner", "in")): 20,
        ("planwarden_tokens", ("planner", "out")): 6,
        ("planwarden_cached_tokens", ("planner",)): 8,
        ("planwarden_tool_calls", ("none", "refused")): 1,
        ("planwarden_tool_calls", ("needs_approval", "returned")): 1,
        ("planwarden_tool_calls", ("allowed", "timeout")): 1,
        ("planwarden_tool_calls", ("allowed", "not_run")): 1,
        ("planwarden_deviations", ("fallback_plan_used",)): 1,
        ("planwarden_deviations", ("confidence_gated",)): 1,
        ("planwarden_deviations", ("unplanned_tool_blocked",)): 1,
        ("planwarden_deviations", ("outcome_in_doubt",)): 1,
        ("planwarden_deviations", ("tool_failed",)): 1,
        ("planwarden_deviations", ("fallback_used",)): 1,
        ("planwarden_deviations", ("step_not_run",)): 1,
        ("planwarden_run_takeovers", ()): 1,
        ("planwarden_runs", ("cancelled",)): 1,
    }
    spreads = {key: (each.count, each.total) for key, each in totals.spreads.items() if each.count}
    assert spreads == {
        ("planwarden_planner_latency_seconds", ("other",)): (1, 0.6),
        ("planwarden_plan_steps", ()): (1, 1.0),
        ("planwarden_tool_call_duration_seconds", ()): (2, 7.0),
        ("planwarden_run_duration_seconds", ()): (1, 20.0),
        ("planwarden_adherence_ratio", ()): (1, 0.0),
    }


@pytest.mark.requirement("MET-5")
def test_what_waits_for_a_person_is_shown_with_the_oldest_moment_and_gone_when_it_went_on() -> None:
    events = an_eventful_run()
    kinds = [event.fact.kind for event in events]

    def waiting(after: str) -> dict[str, tuple[float, float]]:
        totals = totals_after(events[: kinds.index(after) + 1])
        moments = (START.timestamp(), "planwarden_oldest_wait_timestamp_seconds")
        return {
            kind: (totals.of("planwarden_approvals_waiting", kind), totals.of(moments[1], kind) - moments[0])
            for kind in ("plan", "call", "outcome")
            if totals.of("planwarden_approvals_waiting", kind)
        }

    assert waiting("plan_approval_asked") == {"plan": (1, 5.0)}
    assert waiting("plan_approval_given") == {}
    assert waiting("approval_asked") == {"call": (1, 9.0)}
    assert waiting("call_in_doubt") == {"outcome": (1, 12.0)}
    assert waiting("run_ended") == {}
    earlier = summary(status="waiting", plan_waits=True, updated_at=START + timedelta(hours=1))
    later = summary(status="waiting", plan_waits=True, updated_at=START + timedelta(hours=2))
    for order in ((earlier, later), (later, earlier)):
        oldest = Totals().plus(order).of("planwarden_oldest_wait_timestamp_seconds", "plan")
        assert oldest == (START + timedelta(hours=1)).timestamp()


statuses = st.sampled_from(("running", "waiting", "completed", "failed", "cancelled"))
sources = st.sampled_from(("planner", "fallback", None))


@st.composite
def summaries(draw: st.DrawFn) -> RunSummary:
    status: RunStatus = draw(statuses)
    source: PlanSource | None = draw(sources)
    return summary(
        status=status,
        source=source,
        plan_steps=draw(st.integers(0, 12)) if source else None,
        planner_latency_s=draw(st.none() | st.integers(0, 100)),
        adherence=draw(st.sampled_from((None, 0.0, 0.5, 1.0))),
        plan_waits=status == "waiting",
        deviations=draw(
            st.dictionaries(st.sampled_from(("tool_failed", "policy_denied")), st.integers(0, 3))
        ),
        updated_at=START + timedelta(seconds=draw(st.integers(0, 10_000))),
    )


@pytest.mark.requirement("MET-1")
@settings(max_examples=60, deadline=None)
@given(runs=st.lists(summaries(), max_size=6), cut=st.integers(0, 6))
def test_totals_of_two_halves_joined_are_the_totals_of_all(runs: list[RunSummary], cut: int) -> None:
    whole = Totals().plus(runs)
    assert Totals().plus(runs[:cut]).joined(Totals().plus(runs[cut:])) == whole
    assert Totals().plus(runs[:cut]).plus(runs[cut:]) == whole
    assert whole.joined(Totals()) == whole == Totals().joined(whole)


@pytest.mark.requirement("MET-1")
def test_a_clock_set_back_during_a_run_gives_no_negative_duration() -> None:
    totals = Totals().plus([summary(updated_at=START - timedelta(hours=1))])
    spread = totals.spread("planwarden_run_duration_seconds")
    assert (spread.count, spread.total) == (1, 0.0)
