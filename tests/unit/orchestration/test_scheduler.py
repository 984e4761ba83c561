"""What happens next: decided from the state alone."""

from __future__ import annotations

import pytest

from planwarden.contracts.calls import StepAnswer, ToolCall
from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import (
    CallInDoubt,
    CallIntended,
    CallSettled,
    CancelRequested,
    Fact,
    PlanApprovalAsked,
    PlanApprovalGiven,
    PlanDecided,
    RunEnded,
    RunStarted,
    RunTakenOver,
    StepAnswered,
    StepFailed,
    StepStarted,
)
from planwarden.contracts.fold import fold
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlannedAgentStep, PlannerPlan, Refusal
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.verdict import Allowed
from planwarden.orchestration.scheduler import (
    Finish,
    MakePlan,
    Move,
    Reconcile,
    RunStep,
    WaitForPerson,
    next_move,
)
from planwarden.testing.stage import plan_of
from planwarden.testing.ticking_clock import BEGINNING

pytestmark = pytest.mark.requirement("RUN-4")

DIGEST = "sha256:" + "0" * 64
MODEL = ModelIdentity(provider="p", model="m")


def a_step(name: str, *depends_on: str) -> PlannedAgentStep:
    return PlannedAgentStep(id=name, agent="worker", tools=("look",), depends_on=depends_on)


CHAIN = plan_of(a_step("s1"), a_step("s2", "s1"))
FAN = plan_of(a_step("s1"), a_step("s2"), a_step("s3"), a_step("s4", "s1", "s2"), handoff="parallel")


def started(limit: int = 1) -> Fact:
    return RunStarted(
        task=Task(prompt="Do it.", limits=TaskLimits(max_parallel_steps=limit)),
        planner=MODEL,
        agents=MODEL,
        catalog_digest=DIGEST,
        policy_digest=DIGEST,
        planwarden_version="test",
    )


def decided(plan: PlannerPlan | None, *refusals: Refusal) -> Fact:
    return PlanDecided(decision=PlanDecision(plan=plan, refusals=refusals))


def answered(step: str) -> tuple[Fact, Fact]:
    answer = StepAnswer(text=step, style="prose", grounded=True)
    return StepStarted(step=step, agent="worker"), StepAnswered(step=step, answer=answer)


CALL = ToolCall(id="s1.1", step="s1", tool="look", role="primary", arguments={})
INTENDED = CallIntended(call=CALL, verdict=Allowed(rule="r", reason="r"), idempotency_key="k")
TAKEN = RunTakenOver(owner="me", catalog_digest=DIGEST, policy_digest=DIGEST)


def moves(*facts: Fact) -> tuple[Move, ...]:
    epoch = 1
    events: list[RunEvent] = []
    for seq, fact in enumerate(facts, start=1):
        epoch += isinstance(fact, RunTakenOver)
        events.append(RunEvent(run_id="r1", seq=seq, at=BEGINNING, epoch=epoch, fact=fact))
    return next_move(fold(events))


def test_a_run_without_a_plan_is_planned_first() -> None:
    assert moves(started()) == (MakePlan(),)


def test_a_run_with_nothing_allowed_is_refused_with_the_reason() -> None:
    refusal = Refusal(rung="fallback", reason="nothing_allowed", message="may do nothing here")
    (move,) = moves(started(), decided(None, refusal))
    assert move == Finish(outcome="refused", code="nothing_allowed", message="may do nothing here")
    assert moves(started(), decided(None)) == (
        Finish(outcome="refused", code="nothing_allowed", message="nothing may be done"),
    )


def test_steps_in_a_chain_run_one_after_the_other_and_the_run_completes() -> None:
    assert moves(started(4), decided(CHAIN)) == (RunStep(step="s1"),)
    assert moves(started(4), decided(CHAIN), *answered("s1")) == (RunStep(step="s2"),)
    assert moves(started(4), decided(CHAIN), *answered("s1"), *answered("s2")) == (
        Finish(outcome="completed"),
    )


def test_steps_that_depend_on_nothing_open_run_together_up_to_the_limit() -> None:
    assert moves(started(1), decided(FAN)) == (RunStep(step="s1"),)
    assert moves(started(2), decided(FAN)) == (RunStep(step="s1"), RunStep(step="s2"))
    assert moves(started(9), decided(FAN)) == (RunStep(step="s1"), RunStep(step="s2"), RunStep(step="s3"))
    assert moves(started(9), decided(FAN), *answered("s1")) == (RunStep(step="s2"), RunStep(step="s3"))
    assert moves(started(9), decided(FAN), *answered("s1"), *answered("s2"), *answered("s3")) == (
        RunStep(step="s4"),
    )


def test_a_failed_step_ends_the_run() -> None:
    (move,) = moves(started(9), decided(FAN), StepFailed(step="s1", code="x", message="m"))
    assert move == Finish(outcome="failed", code="x", message="step 's1' failed: m")


def test_an_intent_left_open_by_an_earlier_owner_is_settled_before_anything_else() -> None:
    begun = (started(9), decided(FAN), StepStarted(step="s1", agent="worker"), INTENDED)
    assert moves(*begun, TAKEN) == (Reconcile(call=CALL),)
    assert RunStep(step="s1") in moves(*begun)
    settled = CallSettled(call_id="s1.1", outcome="not_done", by="read")
    assert moves(*begun, TAKEN, settled) == (RunStep(step="s1"), RunStep(step="s2"), RunStep(step="s3"))


def test_a_step_in_doubt_waits_for_a_person_while_others_go_on() -> None:
    begun = (started(9), decided(FAN), StepStarted(step="s1", agent="worker"), INTENDED)
    doubt = CallInDoubt(call_id="s1.1", message="who knows")
    assert moves(*begun, doubt) == (RunStep(step="s2"), RunStep(step="s3"))
    (move,) = moves(*begun, doubt, *answered("s2"), *answered("s3"))
    assert isinstance(move, WaitForPerson)
    assert "s1.1 (look) is in doubt: who knows" in move.what


def test_a_plan_that_waits_for_a_person_runs_nothing_until_exactly_it_was_approved() -> None:
    asked = PlanApprovalAsked(plan_digest=CHAIN.digest(), reason="unsure")
    (move,) = moves(started(), decided(CHAIN), asked)
    assert isinstance(move, WaitForPerson)
    yes = PlanApprovalGiven(plan_digest=CHAIN.digest(), approved=True, by="me")
    no = PlanApprovalGiven(plan_digest=CHAIN.digest(), approved=False, by="me")
    other = PlanApprovalGiven(plan_digest=FAN.digest(), approved=True, by="me")
    assert moves(started(), decided(CHAIN), asked, yes) == (RunStep(step="s1"),)
    (refused,) = moves(started(), decided(CHAIN), asked, no)
    assert refused == Finish(outcome="refused", code="approval_denied", message="a person refused the plan")
    assert isinstance(moves(started(), decided(CHAIN), asked, other)[0], WaitForPerson)
    assert moves(started(), decided(CHAIN), asked, yes, no) == (RunStep(step="s1"),)


def test_a_cancelled_run_ends_and_an_ended_run_moves_no_more() -> None:
    (move,) = moves(started(), decided(CHAIN), CancelRequested(by="me"))
    assert move == Finish(outcome="cancelled", code="cancelled", message="cancelled by me")
    assert moves(started(), RunEnded(outcome="completed"), CancelRequested(by="me")) == ()


def test_a_question_back_to_the_user_is_an_outcome_of_its_own() -> None:
    metadata = CHAIN.metadata.model_copy(update={"way_out": "ask_user"})
    asking = PlannerPlan(steps=(PlannedAgentStep(id="s1", agent="worker"),), metadata=metadata)
    (move,) = moves(started(), decided(asking), *answered("s1"))
    assert isinstance(move, Finish)
    assert (move.outcome, move.code) == ("asked", "task_unclear")
