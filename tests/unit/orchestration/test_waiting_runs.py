"""Runs that wait for a person: calls in doubt, calls to approve."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from runs import CRASH, a_stage, a_step, ask_everything, carried_out

from planwarden.contracts.facts import ApprovalGiven, CallSettled
from planwarden.contracts.task import Task
from planwarden.contracts.value import digest
from planwarden.errors import InputError, ToolFailed
from planwarden.policy.rules import ToolPolicy
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.failing_journal import FailingJournal
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import plan_of
from planwarden.tools.function import tool
from planwarden.tools.tool import Done, NotDone, Unknown, Verification

pytestmark = pytest.mark.anyio


def power_cut() -> None:
    raise ConnectionResetError


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
    assert parked.adherence is None  # it is not over
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

    stage.tools["send"].invoke = invoke  # the double is opened on purpose
    state = await orchestrator.resume(parked.run_id)
    assert posted == ["s1.1"]
    assert [call.status for call in state.calls] == ["returned", "returned"]
    assert state.adherence == 1
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
    living = stage.record
    stage.journal = FailingJournal(living, at=4, when="before", strike=power_cut)  # as the effect is recorded
    log = await stage.begin(plan_of(a_step("send")), Task(prompt="Do it."))
    session = await stage.open_step(log)
    with pytest.raises(ConnectionResetError):
        await session.call("send", {})
    assert (len(ran), [call.status for call in log.state.calls]) == (1, ["intended"])
    await log.release()
    stage.journal = living
    state = await stage.orchestrator().resume(log.state.run_id)
    assert (state.status, len(ran)) == (status, calls)


@pytest.mark.requirement("RUN-9")
async def test_a_tool_that_does_not_say_in_time_whether_it_did_leaves_a_doubt() -> None:
    async def never(_arguments: Any, _context: Any) -> Verification:
        await anyio.sleep_forever()
        return NotDone()

    @tool(name="send", effect="external", timeout_s=0.01, verify=never)
    async def send() -> str:
        """Send."""
        await anyio.sleep_forever()
        return "sent"

    stage, _ = a_stage(send)
    with anyio.fail_after(20):
        state = await carried_out(stage, plan_of(a_step("send")))
    assert state.status == "in_doubt"
    assert "did not say within 0.01 s" in state.calls[0].message


@pytest.mark.requirement("RUN-9")
async def test_a_tool_is_asked_about_the_arguments_of_the_record_whatever_it_did_to_its_own() -> None:
    asked: list[Any] = []

    class Careless(CannedTool):
        async def invoke(self, arguments: Any, context: Any) -> Any:
            arguments["text"] = "changed"
            return await super().invoke(arguments, context)

        async def verify(self, arguments: Any, context: Any) -> Verification:
            asked.append(dict(arguments))
            return Done(value=None)

    careless = Careless("send", CRASH, effect="external", parameters=ONE_TEXT, says=NotDone())
    stage, _ = a_stage(careless, agent_llm=FunctionLLM(lambda _: '{"text":"x"}'))
    state = await carried_out(stage, plan_of(a_step("send")))
    assert (state.status, asked) == ("completed", [{"text": "x"}])


# ---- approval --------------------------------------------------------------------------------------


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
