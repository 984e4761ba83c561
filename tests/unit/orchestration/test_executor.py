"""The run loop: what agents see of each other, how a run stops, and who may go on with it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from runs import WIRE, a_stage, a_step, ask_everything, carried_out, general, worker

from planwarden.contracts.run import RunState, final_answer
from planwarden.contracts.task import Task
from planwarden.errors import InputError, LeaseHeld, LeaseLost, ModelUnavailable, ToolFailed
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.orchestration import executor as executor_module
from planwarden.planning.planner import PlannerSettings
from planwarden.policy.rules import ToolPolicy
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM
from planwarden.testing.stage import plan_of
from planwarden.tools.function import tool

pytestmark = pytest.mark.anyio


# ---- hand-off --------------------------------------------------------------------------------------


@pytest.mark.requirement("RUN-5")
async def test_an_agent_gets_only_the_outputs_of_the_steps_it_depends_on() -> None:
    answers = iter(("ALPHA", "BETA", "GAMMA", "DELTA"))
    asked: list[str] = []

    def reply(request: LLMRequest) -> str:
        asked.append("\n".join(message.content for message in request.messages))
        return next(answers)

    stage, _ = a_stage(CannedTool("look", {"text": "seen"}), agent_llm=FunctionLLM(reply))
    plan = plan_of(
        a_step("look"),
        a_step("look", name="s2"),
        a_step("look", name="s3", after=("s1",)),
        a_step("look", name="s4", after=("s1", "s3")),
    )
    state = await carried_out(stage, plan)
    seen = [{word for word in ("ALPHA", "BETA", "GAMMA") if word in prompt} for prompt in asked]
    assert seen == [set(), set(), {"ALPHA"}, {"ALPHA", "GAMMA"}]
    answer = final_answer(state)
    assert answer is not None
    assert answer.text == "BETA\n\nDELTA"


@pytest.mark.requirement("RUN-5")
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_independent_steps_run_together_up_to_the_limit(limit: int) -> None:
    inside: list[int] = [0, 0]
    enough = anyio.Event()

    @tool(name="meet", effect="read")
    async def meet() -> str:
        """Wait until as many are here as may be."""
        inside[0] += 1
        inside[1] = max(inside)
        if inside[0] == limit:
            enough.set()
        await enough.wait()
        inside[0] -= 1
        return "met"

    stage, ran = a_stage(meet)
    plan = plan_of(*(a_step("meet", name=f"s{n}") for n in range(1, 4)), handoff="parallel")
    state = await carried_out(stage, plan, max_parallel_steps=limit)
    assert (state.status, state.adherence, len(ran)) == ("completed", 1.0, 3)
    assert inside[1] == limit


# ---- stopping --------------------------------------------------------------------------------------


class PendingLLM(FunctionLLM):
    """A model that never answers."""

    def __init__(self) -> None:
        super().__init__(lambda _: "")
        self.asked = anyio.Event()

    async def complete(self, request: LLMRequest) -> LLMReply:
        self.asked.set()
        await anyio.sleep_forever()
        raise AssertionError(request)


@pytest.mark.requirement("RUN-6")
@pytest.mark.parametrize("who", ["planner", "agent"])
async def test_cancelling_from_outside_stops_a_run_while_its_model_is_thinking(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "HEARTBEAT_S", 0.001)
    llm = PendingLLM()
    stage, _ = a_stage(CannedTool("look"), **{f"{who}_llm": llm})
    orchestrator = stage.orchestrator()
    ended: list[RunState] = []

    async def run() -> None:
        plan = plan_of(a_step("look")) if who == "agent" else None
        ended.append(await orchestrator.route_task(Task(prompt="Do it."), plan))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await llm.asked.wait()
            await orchestrator.cancel("r1", by="me")
    (state,) = ended
    assert (state.status, state.ended and state.ended.message) == ("cancelled", "cancelled by me")
    assert state == await stage.state("r1")
    with pytest.raises(InputError, match="over already"):
        await orchestrator.cancel("r1", by="me")


@pytest.mark.requirement("RUN-6")
async def test_an_effect_that_has_begun_is_finished_and_recorded_before_a_cancelled_run_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor_module, "HEARTBEAT_S", 0.001)
    begun, may_end = anyio.Event(), anyio.Event()

    @tool(name="save", effect="write")
    async def save() -> str:
        """Save."""
        begun.set()
        await may_end.wait()
        return "saved"

    stage, _ = a_stage(save)
    orchestrator = stage.orchestrator()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(orchestrator.route_task, Task(prompt="Do it."), plan_of(a_step("save")))
            await begun.wait()
            await orchestrator.cancel("r1", by="me")
            while (await stage.state("r1")).cancelled_by is None:
                await anyio.lowlevel.checkpoint()
            may_end.set()
    state = await stage.state("r1")
    assert [call.status for call in state.calls] == ["returned"]
    assert state.status == "cancelled"
    assert {d.kind for d in state.deviations} == {"step_not_run"}


@pytest.mark.requirement("RUN-6")
async def test_a_waiting_run_can_be_cancelled() -> None:
    stage, ran = a_stage(CannedTool("save", effect="write"), policy=ask_everything())
    orchestrator = stage.orchestrator()
    waiting = await orchestrator.route_task(Task(prompt="Do it."), plan_of(a_step("save")))
    state = await orchestrator.cancel(waiting.run_id, by="me")
    assert (waiting.status, state.status, ran) == ("waiting", "cancelled", [])


@pytest.mark.requirement("RUN-7")
async def test_wall_time_spent_by_earlier_steps_ends_the_next_one() -> None:
    stage, ran = a_stage(CannedTool("look"))

    def slow(_: LLMRequest) -> str:
        stage.clock.advance(61)
        return "Done."

    stage.agent_llm = FunctionLLM(slow)
    plan = plan_of(a_step("look"), a_step("look", name="s2", after=("s1",)))
    state = await carried_out(stage, plan, max_wall_s=60)
    assert (state.status, state.ended and state.ended.code) == ("failed", "budget_exceeded")
    assert [step.status for step in state.steps.values()] == ["answered", "failed"]
    assert "wall time of 60 s" in state.steps["s2"].failure_message
    assert len(ran) == 1


@pytest.mark.requirement("RUN-7")
async def test_a_model_that_never_answers_is_stopped_by_the_wall_time() -> None:
    stage, _ = a_stage(CannedTool("look"), agent_llm=PendingLLM())
    with anyio.fail_after(20):
        state = await carried_out(stage, plan_of(a_step("look")), max_wall_s=0.02)
    assert (state.status, state.ended and state.ended.code) == ("failed", "budget_exceeded")


@pytest.mark.requirement("RUN-7")
async def test_tokens_spent_by_all_steps_count_against_one_budget() -> None:
    stage, ran = a_stage(CannedTool("look"))
    plan = plan_of(a_step("look"), a_step("look", name="s2"))
    state = await carried_out(stage, plan, max_tokens=20)
    assert (state.ended and state.ended.code, len(ran)) == ("budget_exceeded", 1)
    assert {d.kind for d in state.deviations} >= {"budget_exceeded"}


# ---- tools that fail -------------------------------------------------------------------------------


@pytest.mark.requirement("RUN-8")
@pytest.mark.parametrize(
    ("result", "failure"),
    [
        (ToolFailed("broken.", remedy="Mend it."), "error"),
        (RuntimeError("crash"), "error"),
        (TimeoutError("late"), "timeout"),
        (object(), "bad_output"),
        (float("nan"), "bad_output"),
        ("\ud800", "bad_output"),
        ({"n": "x"}, "bad_output"),
    ],
)
async def test_however_a_reading_tool_fails_it_is_a_failed_call_and_its_fallback_stands_in(
    result: Any, failure: str
) -> None:
    output: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    stage, ran = a_stage(CannedTool("seek", result, output=output), CannedTool("spare"))
    state = await carried_out(stage, plan_of(a_step("seek", fallback_tools=("spare",))))
    assert [(call.status, call.failure) for call in state.calls] == [("failed", failure), ("returned", None)]
    assert ([each.tool for each in ran], state.status) == (["seek", "spare"], "completed")
    assert [d.kind for d in state.deviations] == ["tool_failed", "fallback_used"]


@tool(name="slow", effect="read", timeout_s=0.01)
async def slow_read() -> str:
    """Take for ever."""
    await anyio.sleep_forever()
    return "never"


@tool(name="slow", effect="external", timeout_s=0.01)
async def slow_effect() -> str:
    """Take for ever."""
    await anyio.sleep_forever()
    return "never"


@pytest.mark.requirement("RUN-8")
async def test_a_tool_that_takes_too_long_is_stopped() -> None:
    stage, _ = a_stage(slow_read)
    state = await carried_out(stage, plan_of(a_step("slow")))
    assert (state.calls[0].failure, state.status) == ("timeout", "failed")
    assert "did not finish within 0.01 s" in state.calls[0].message
    stage, _ = a_stage(slow_effect)
    state = await carried_out(stage, plan_of(a_step("slow")))
    assert (state.calls[0].status, state.status) == ("in_doubt", "in_doubt")


# ---- plans -----------------------------------------------------------------------------------------


@pytest.mark.requirement("RUN-11")
@pytest.mark.parametrize("approve", [True, False])
async def test_a_plan_the_model_was_not_sure_of_waits_for_a_person_who_never_causes_a_second_plan(
    approve: bool,
) -> None:
    planner = FunctionLLM(lambda _: WIRE)
    stage, ran = a_stage(
        CannedTool("look"),
        planner_llm=planner,
        planner_settings=PlannerSettings(min_confidence=1.0, on_low_confidence="person"),
        agents=(worker("look"), general()),
    )
    stage.planner_llm = FunctionLLM(lambda _: WIRE)
    orchestrator = stage.orchestrator()
    waiting = await orchestrator.route_task(Task(prompt="Do it."))
    assert (waiting.status, ran) == ("waiting", [])
    assert [d.kind for d in waiting.deviations] == ["confidence_gated"]
    asked = waiting.model_calls
    state = await orchestrator.resolve(waiting.run_id, "approve" if approve else "deny", by="ann")
    assert (state.status, len(ran)) == (("completed", 1) if approve else ("refused", 0))
    assert state.decision == waiting.decision
    assert len(stage.planner_llm.requests) == asked


@pytest.mark.requirement("RUN-11")
async def test_a_planner_model_that_is_down_leads_to_the_fallback_plan() -> None:
    down = ModelUnavailable("Nothing answers.", remedy="Start it.")
    stage, ran = a_stage(
        CannedTool("look"), planner_llm=ScriptedLLM(down), agents=(worker("look"), general())
    )
    state = await carried_out(stage, None)
    plan = state.decision.plan if state.decision else None
    assert plan is not None
    assert (plan.metadata.source, plan.steps[0].agent, ran) == ("fallback", "general_agent", [])
    assert [d.kind for d in state.deviations] == ["fallback_plan_used", "answered_without_tools"]
    assert (state.status, state.adherence) == ("completed", None)


@pytest.mark.requirement("RUN-11")
async def test_a_policy_that_leaves_nothing_refuses_the_run_without_asking_a_model() -> None:
    stage, ran = a_stage(
        CannedTool("look"), policy=ToolPolicy(), planner_llm=ScriptedLLM(), agents=(worker("look"), general())
    )
    state = await carried_out(stage, None)
    assert (state.status, state.ended and state.ended.code, ran) == ("refused", "nothing_allowed", [])
    assert state.model_calls == 0


# ---- ownership -------------------------------------------------------------------------------------


@pytest.mark.requirement("RUN-12")
async def test_a_living_run_cannot_be_resumed_and_one_whose_lease_ran_out_stops_before_its_effect() -> None:
    stage, ran = a_stage(CannedTool("save", effect="write"))
    log = await stage.begin(plan_of(a_step("save")), Task(prompt="Do it."))
    session = await stage.open_step(log)
    with pytest.raises(LeaseHeld):
        await stage.orchestrator().resume(log.state.run_id)
    stage.clock.advance(10_000)
    with pytest.raises(LeaseLost):  # expired: the intent is on record, and the effect does not happen
        await session.call("save", {})
    assert ran == []
    state = await stage.orchestrator().resume(log.state.run_id)
    assert (state.status, [call.status for call in state.calls]) == ("in_doubt", ["in_doubt"])
    with pytest.raises(LeaseLost):
        await session.call("save", {})
    assert ran == []


@pytest.mark.requirement("RUN-12")
async def test_a_listener_is_told_every_event_in_order_and_resuming_an_ended_run_changes_nothing() -> None:
    stage, _ = a_stage(CannedTool("look"))
    heard: list[int] = []
    state = await stage.orchestrator().route_task(
        Task(prompt="Do it."), plan_of(a_step("look")), lambda event: heard.append(event.seq)
    )
    events = await stage.record.read(state.run_id)
    assert heard == [event.seq for event in events] == list(range(1, len(events) + 1))
    assert await stage.orchestrator().resume(state.run_id) == state
    assert await stage.record.read(state.run_id) == events
