"""The run loop: what agents see of each other, and how a run stops, waits, is resolved."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from planwarden.contracts.facts import ApprovalGiven, CallSettled
from planwarden.contracts.plan import PlannedAgentStep, PlannerPlan
from planwarden.contracts.run import RunState, final_answer
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.value import digest
from planwarden.errors import InputError, LeaseHeld, LeaseLost, ModelUnavailable, ToolFailed
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.orchestration import executor as executor_module
from planwarden.planning.planner import PlannerSettings
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.recording_tool import Invocation, recording
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM
from planwarden.testing.stage import Stage, plan_of
from planwarden.tools.function import tool
from planwarden.tools.tool import Done, NotDone, Tool, Unknown

pytestmark = pytest.mark.anyio

CRASH = RuntimeError("cable pulled")
WIRE = (
    '{"steps":[{"agent":"worker","tools":["look"],"fallback_tools":[],"reason":"x"}],"handoff":"sequential"}'
)


def worker(*tools: str) -> AgentSpec:
    return AgentSpec(name="worker", description="Works", tools=tools)


def general(*tools: str, toolless: bool = True) -> AgentSpec:
    return AgentSpec(
        name="general_agent", description="Helps", tools=tools, may_answer_without_tools=toolless
    )


def a_stage(*tools: Tool, **given: Any) -> tuple[Stage, list[Invocation]]:
    wrapped, ran = recording(tools)
    given.setdefault("agents", (worker(*wrapped),))
    given.setdefault("agent_llm", FunctionLLM(lambda _: "Done."))
    return Stage(tools=wrapped, **given), ran


def a_step(*tools: str, name: str = "s1", after: tuple[str, ...] = (), **more: Any) -> PlannedAgentStep:
    return PlannedAgentStep(id=name, agent="worker", tools=tools, depends_on=after, **more)


async def carried_out(stage: Stage, plan: PlannerPlan | None, **limits: Any) -> RunState:
    task = Task(prompt="Do it.", limits=TaskLimits(**limits))
    state = await stage.orchestrator().route_task(task, plan)
    assert await stage.state(state.run_id) == state
    assert await stage.record.verify(state.run_id) == ()
    return state


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
    output = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
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


# ---- doubt -----------------------------------------------------------------------------------------


@pytest.mark.requirement("RUN-9")
@pytest.mark.parametrize("says", [None, Unknown(reason="no idea"), ToolFailed("down.", remedy="x"), CRASH])
async def test_an_effect_whose_outcome_nobody_knows_waits_for_a_person_and_unlocks_nothing(says: Any) -> None:
    send = CannedTool("send", CRASH, {"text": "sent"}, effect="external", says=says)
    stage, ran = a_stage(send, CannedTool("spare"))
    orchestrator = stage.orchestrator()
    plan = plan_of(a_step("send", fallback_tools=("spare",)), a_step("spare", name="s2", after=("s1",)))
    parked = await orchestrator.route_task(Task(prompt="Do it."), plan)
    assert (parked.status, [each.tool for each in ran]) == ("in_doubt", ["send"])
    assert [d.kind for d in parked.deviations] == ["outcome_in_doubt"]
    again = await orchestrator.resume(parked.run_id)
    assert (again.status, [each.tool for each in ran]) == ("in_doubt", ["send"])
    with pytest.raises(InputError, match="waits for approval"):
        await orchestrator.resolve(parked.run_id, "approve", by="ann")
    with pytest.raises(InputError, match=r"call s9\.9"):
        await orchestrator.resolve(parked.run_id, "done", by="ann", call_id="s9.9")
    state = await orchestrator.resolve(parked.run_id, "done", by="ann", result={"text": "went out"})
    assert (state.status, [each.tool for each in ran]) == ("completed", ["send", "spare"])
    assert (state.calls[0].value, state.calls[0].settled_by) == ({"text": "went out"}, "ann")
    with pytest.raises(InputError, match="over already"):
        await orchestrator.resolve(parked.run_id, "not_done", by="ann")


@pytest.mark.requirement("RUN-9")
async def test_a_call_that_a_person_says_did_not_happen_is_made_again_under_the_same_key() -> None:
    stage, ran = a_stage(CannedTool("send", CRASH, {"text": "sent"}, effect="external"))
    orchestrator = stage.orchestrator()
    parked = await orchestrator.route_task(Task(prompt="Do it."), plan_of(a_step("send")))
    state = await orchestrator.resolve(parked.run_id, "not_done", by="ann")
    assert (state.status, [call.call.attempt for call in state.calls]) == ("completed", [2])
    assert len({each.context.idempotency_key for each in ran}) == 1
    assert len(ran) == 2


@pytest.mark.requirement("RUN-9")
async def test_a_second_opinion_about_a_settled_call_never_repeats_it() -> None:
    stage, ran = a_stage(CannedTool("send", CRASH, {"text": "sent"}, effect="external"))
    orchestrator = stage.orchestrator()
    plan = plan_of(a_step("send"), a_step("send", name="s2", after=("s1",)))
    parked = await orchestrator.route_task(Task(prompt="Do it."), plan)
    for _ in range(3):  # three people answer at once
        await stage.record.post(parked.run_id, CallSettled(call_id="s1.1", outcome="not_done", by="ann"))
    late = CallSettled(call_id="s1.1", outcome="not_done", by="bob")

    posted: list[str] = []
    original = stage.tools["send"].invoke

    async def invoke(arguments: Any, context: Any) -> Any:
        if context.call_id == "s1.1":
            posted.append(context.call_id)
            await stage.record.post(parked.run_id, late)  # and a fourth one while it runs
        return await original(arguments, context)

    stage.tools["send"].invoke = invoke  # type: ignore[method-assign]  # the double is opened on purpose
    state = await orchestrator.resume(parked.run_id)
    assert posted == ["s1.1"]
    assert state.status == "completed"
    assert [each.context.call_id for each in ran] == ["s1.1", "s1.1", "s2.1"]


@pytest.mark.requirement("RUN-9")
@pytest.mark.parametrize(
    ("says", "status", "calls"), [(Done(value={"text": "it is"}), "completed", 1), (NotDone(), "failed", 1)]
)
async def test_a_tool_that_can_say_whether_it_did_is_asked(says: Any, status: str, calls: int) -> None:
    stage, ran = a_stage(CannedTool("send", CRASH, effect="external", says=says))
    state = await carried_out(stage, plan_of(a_step("send")))
    assert (state.status, len(ran)) == (status, calls)


@pytest.mark.requirement("RUN-9")
@pytest.mark.parametrize(
    ("says", "status", "calls"),
    [
        (Done(value={"text": "it is"}), "completed", 1),
        (NotDone(), "completed", 2),
        (Unknown(reason="?"), "in_doubt", 1),
        (CRASH, "in_doubt", 1),
        (None, "in_doubt", 1),
        (Done(value=object()), "in_doubt", 1),
    ],
)
async def test_an_intent_found_open_is_settled_by_asking_the_tool(says: Any, status: str, calls: int) -> None:
    stage, ran = a_stage(CannedTool("send", effect="external", says=says))
    log = await stage.begin(plan_of(a_step("send")), Task(prompt="Do it."))
    session = await stage.open_step(log)
    original = stage.record.append

    async def dies_after_the_effect(lease: Any, facts: Any) -> Any:
        if any(fact.kind == "call_returned" for fact in facts):
            raise ConnectionResetError
        return await original(lease, facts)

    stage.record.append = dies_after_the_effect  # type: ignore[method-assign]  # the process ends here
    with pytest.raises(ConnectionResetError):
        await session.call("send", {})
    stage.record.append = original  # type: ignore[method-assign]  # another process begins
    await stage.record.release(log._lease)  # pyright: ignore[reportPrivateUsage] - as a lease that ran out
    state = await stage.orchestrator().resume(log.state.run_id)
    assert (state.status, len(ran)) == (status, calls)


# ---- approval --------------------------------------------------------------------------------------


def ask_everything() -> ToolPolicy:
    rule = Rule(name="ask", says="ask", tools=("*",), reason="effects need a person")
    return ToolPolicy(agents={"worker": AgentPolicy(rules=(rule,))})


@pytest.mark.requirement("RUN-10")
@pytest.mark.parametrize("approve", [True, False])
async def test_a_call_that_needs_a_person_runs_only_when_it_was_approved(approve: bool) -> None:
    stage, ran = a_stage(CannedTool("save", effect="write"), policy=ask_everything())
    orchestrator = stage.orchestrator()
    waiting = await orchestrator.route_task(Task(prompt="Do it."), plan_of(a_step("save")))
    assert (waiting.status, ran) == ("waiting", [])
    state = await orchestrator.resolve(waiting.run_id, "approve" if approve else "deny", by="ann")
    assert (state.status, len(ran)) == (("completed", 1) if approve else ("failed", 0))
    assert [d.kind for d in state.deviations] == ([] if approve else ["approval_denied", "tool_skipped"])
    assert (state.ended and state.ended.code) == ("" if approve else "approval_denied")


@pytest.mark.requirement("RUN-10")
async def test_an_approval_of_other_arguments_or_after_another_answer_changes_nothing() -> None:
    stage, ran = a_stage(CannedTool("save", effect="write"), policy=ask_everything())
    orchestrator = stage.orchestrator()
    waiting = await orchestrator.route_task(Task(prompt="Do it."), plan_of(a_step("save")))

    def said(arguments: Any, *, approved: bool) -> ApprovalGiven:
        return ApprovalGiven(
            call_id="s1.1", arguments_digest=digest(arguments), approved=approved, by="mallory"
        )

    await stage.record.post(waiting.run_id, said({"path": "elsewhere"}, approved=True))
    state = await orchestrator.resume(waiting.run_id)
    assert (state.status, ran) == ("waiting", [])
    await stage.record.post(waiting.run_id, said({}, approved=False))
    await stage.record.post(waiting.run_id, said({}, approved=True))
    state = await orchestrator.resume(waiting.run_id)
    assert (state.status, ran) == ("failed", [])


@pytest.mark.requirement("RUN-10")
async def test_a_policy_that_became_stricter_meanwhile_is_the_one_that_counts() -> None:
    stage, ran = a_stage(CannedTool("send", CRASH, {"text": "sent"}, effect="external"))
    parked = await stage.orchestrator().route_task(Task(prompt="Do it."), plan_of(a_step("send")))
    stage.policy = ask_everything()
    waiting = await stage.orchestrator().resolve(parked.run_id, "not_done", by="ann")
    assert (waiting.status, len(ran)) == ("waiting", 1)
    state = await stage.orchestrator().resolve(parked.run_id, "approve", by="ann")
    assert (state.status, len(ran)) == ("completed", 2)
    stage, ran = a_stage(CannedTool("save", effect="write"), policy=ask_everything())
    waiting = await stage.orchestrator().route_task(Task(prompt="Do it."), plan_of(a_step("save")))
    stage.policy = ToolPolicy()
    state = await stage.orchestrator().resolve(waiting.run_id, "approve", by="ann")
    assert (state.status, ran) == ("failed", [])


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
    assert len(stage.planner_llm.requests) == asked  # type: ignore[attr-defined]  # the double counts


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
async def test_a_run_that_is_alive_cannot_be_resumed_and_one_that_was_taken_over_stops_before_its_effect() -> (
    None
):
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
