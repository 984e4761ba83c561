"""Ways around the plan that use time: late calls, calls at once, calls again, calls without end."""

from __future__ import annotations

import anyio
import pytest
from door import a_stage, a_step, assert_blocked, called, on_record, opened, refusals, slowly

from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.facts import (
    ApprovalGiven,
    CancelRequested,
    RunEnded,
    StepAnswered,
    StepFailed,
)
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.value import Json, digest
from planwarden.errors import LeaseLost
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.runtime.tool_session import (
    CallSucceeded,
    CallWaits,
    CallWasRefused,
    ToolSession,
)
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import plan_of

pytestmark = pytest.mark.anyio


# ---- time ------------------------------------------------------------------------------------------


@pytest.mark.requirement("ENF-8")
@pytest.mark.parametrize("how", ["answered", "failed", "cancelled", "ended"])
async def test_a_call_after_its_step_or_its_run_is_over_is_refused(how: str) -> None:
    stage, ran = a_stage()
    session, log = await opened(stage, a_step("look", "save"))
    await session.call("look", {})
    ran.clear()
    answer = StepAnswer(text="x", style="prose", grounded=True)
    over = {
        "answered": StepAnswered(step="s1", answer=answer),
        "failed": StepFailed(step="s1", code="x", message="x"),
        "cancelled": CancelRequested(by="me"),
        "ended": RunEnded(outcome="completed"),
    }
    await log.record(over[how])
    for tool in ("save", "look", "spare"):
        outcome = await session.call(tool, {})
        assert isinstance(outcome, CallWasRefused)
        assert outcome.refusal == "step_over"
    assert ran == []
    assert [kind for _, kind in await on_record(stage.record, log.state.run_id)] == ["step_over"] * 3


@pytest.mark.requirement("ENF-8")
async def test_a_session_kept_after_its_run_was_handed_over_reaches_nothing() -> None:
    stage, ran = a_stage()
    session, log = await opened(stage, a_step("look"))
    await log.release()
    with pytest.raises(LeaseLost):
        await session.call("look", {})
    assert ran == []


@pytest.mark.requirement("ENF-9")
async def test_a_tool_with_an_effect_is_used_once() -> None:
    stage, ran = a_stage()
    session, log = await opened(stage, a_step("save"))
    assert isinstance(await session.call("save", {}), CallSucceeded)
    outcome = await session.call("save", {})
    assert isinstance(outcome, CallWasRefused)
    assert outcome.refusal == "already_used"
    assert [each.tool for each in ran] == ["save"]
    assert refusals(log) == [("save", "already_used")]


@pytest.mark.requirement("ENF-9")
@pytest.mark.parametrize("sessions", [1, 2])
async def test_two_calls_at_once_give_one_effect(sessions: int) -> None:
    stage, ran = a_stage()
    slowly(stage)
    session, log = await opened(stage, a_step("save"))
    other = session if sessions == 1 else await stage.open_step(log)
    outcomes: list[object] = []

    async def call(door: ToolSession) -> None:
        outcomes.append(await door.call("save", {}))

    async with anyio.create_task_group() as tasks:
        for door in (session, other, session, other):
            tasks.start_soon(call, door)
    assert [each.tool for each in ran] == ["save"]
    assert sum(isinstance(each, CallSucceeded) for each in outcomes) == 1
    assert refusals(log) == [("save", "already_used")] * 3
    assert await stage.state(log.state.run_id) == log.state


@pytest.mark.requirement("ENF-11")
async def test_budgets_hold_for_a_step_and_for_a_run() -> None:
    stage, ran = a_stage()
    session, log = await opened(stage, a_step("look"), max_calls_per_step=2)
    outcomes = [await session.call("look", {}) for _ in range(3)]
    assert [type(each) for each in outcomes] == [CallSucceeded, CallSucceeded, CallWasRefused]
    assert (len(ran), refusals(log)) == (2, [("look", "budget_exceeded")])
    stage, ran = a_stage()
    slowly(stage)
    plan = plan_of(a_step("look"), a_step("look", name="s2"))
    log = await stage.begin(plan, Task(prompt="Do it.", limits=TaskLimits(max_tool_calls=1)))
    first, second = await stage.open_step(log), await stage.open_step(log, "s2")
    async with anyio.create_task_group() as tasks:
        for session in (first, second):
            tasks.start_soon(called, session, "look")
    assert len(ran) == 1
    assert [kind for _, kind in refusals(log)] == ["budget_exceeded"]


@pytest.mark.requirement("ENF-11")
async def test_a_call_that_has_its_place_may_still_run_when_the_budget_is_spent() -> None:
    rules = (Rule(name="ask", says="ask", tools=("*",)),)
    stage, ran = a_stage(
        policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}),
        agent_llm=FunctionLLM(lambda _: "Done."),
    )
    orchestrator = stage.orchestrator()
    task = Task(prompt="Do it.", limits=TaskLimits(max_calls_per_step=1, max_tool_calls=1))
    waiting = await orchestrator.route_task(task, plan_of(a_step("save")))
    assert (waiting.status, ran) == ("waiting", [])
    state = await orchestrator.resolve(waiting.run_id, "approve", by="me")
    assert (state.status, len(ran)) == ("completed", 1)


@pytest.mark.requirement("ENF-11")
async def test_repeated_refusals_fail_the_step() -> None:
    stage, ran = a_stage(agent_llm=FunctionLLM(lambda _: '{"text": 7}'))
    task = Task(prompt="Do it.", limits=TaskLimits(max_refusals_per_step=2))
    state = await stage.orchestrator().route_task(task, plan_of(a_step("typed", fallback=("spare",))))
    assert ran == []
    assert (state.status, state.ended and state.ended.code) == ("failed", "argument_rejected")
    assert len(await on_record(stage.record, state.run_id)) == 2


@pytest.mark.requirement("ENF-10")
async def test_policy_constrains_arguments() -> None:
    constraint: dict[str, Json] = {"properties": {"text": {"pattern": "^public/"}}}
    rules = (Rule(name="public-only", says="allow", tools=("typed",), arguments=constraint),)
    stage, ran = a_stage(policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}))
    session, log = await opened(stage, a_step("typed"))
    assert isinstance(await session.call("typed", {"text": "private/x"}), CallWasRefused)
    await assert_blocked(stage, log, ran, ("typed", "policy_denied"))
    (refused,) = log.state.steps["s1"].refused
    assert refused.verdict is not None
    assert refused.verdict.rule == "public-only"
    assert isinstance(await session.call("typed", {"text": "public/x"}), CallSucceeded)


@pytest.mark.requirement("ENF-10")
async def test_a_call_that_needs_a_person_does_not_run_and_asking_again_does_not_ask_twice() -> None:
    rules = (Rule(name="ask", says="ask", tools=("*",)),)
    stage, ran = a_stage(policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}))
    session, log = await opened(stage, a_step("typed"))
    for _ in range(3):
        assert isinstance(await session.call("typed", {"text": "x"}), CallWaits)
    assert [call.status for call in log.state.calls] == ["asked"]
    other = await session.call("typed", {"text": "y"})  # other arguments than the ones shown to the person
    assert isinstance(other, CallWasRefused)
    assert other.refusal == "already_used"
    assert ran == []


@pytest.mark.requirement("ENF-10")
@pytest.mark.parametrize("arguments", [{"text": "x"}, {"text": "y"}])
async def test_a_call_that_a_person_refused_stays_refused_and_unlocks_no_fallback(
    arguments: dict[str, Json],
) -> None:
    rules = (Rule(name="ask", says="ask", tools=("*",)),)
    stage, ran = a_stage(policy=ToolPolicy(agents={"worker": AgentPolicy(rules=rules)}))
    session, log = await opened(stage, a_step("typed", fallback=("spare",)))
    await session.call("typed", {"text": "x"})
    no = ApprovalGiven(call_id="s1.1", arguments_digest=digest({"text": "x"}), approved=False, by="ann")
    await log.record(no)
    for tool, given in (("typed", arguments), ("spare", {})):
        assert isinstance(await session.call(tool, given), CallWasRefused)
    assert refusals(log) == [("typed", "approval_denied"), ("spare", "fallback_locked")]
    assert ran == []
