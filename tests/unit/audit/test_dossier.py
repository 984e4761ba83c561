"""The dossier: every outcome has one, the same record gives the same bytes, nothing is missing."""

from __future__ import annotations

from typing import Any

import pytest

from planwarden.audit.dossier import build_dossier, dossier_bytes
from planwarden.audit.export import dossier_path, file_faults, write_dossier
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.value import digest
from planwarden.errors import ModelUnavailable, StoreCorrupt, StoreUnavailable, ToolFailed
from planwarden.llm.service import LLMRequest
from planwarden.planning.planner import PlannerSettings
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.recording_tool import recording
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage, allow_everything, plan_of

pytestmark = pytest.mark.anyio

BROKEN = ToolFailed("broken.", remedy="Mend it.")
AGENTS = (
    AgentSpec(name="worker", description="Works", tools=("look", "typed", "seek", "spare", "save", "send")),
    AgentSpec(name="general_agent", description="Helps", may_answer_without_tools=True),
)
ASK = ToolPolicy(
    agents={"worker": AgentPolicy(rules=(Rule(name="ask", says="ask", tools=("*",), reason="look first"),))}
)
WIRE = '{"plan":["look"]}'


def a_step(*tools: str, **more: Any) -> PlannedAgentStep:
    return PlannedAgentStep(id="s1", agent="worker", tools=tools, **more)


def reply(request: LLMRequest) -> str:
    if request.output_schema is None:
        return "It is 5 [s1.1]."
    wire = "prefixItems" in str(request.output_schema)
    return WIRE if wire else '{"text":"x","override":true}'


def a_stage(**given: Any) -> Stage:
    tools, _ = recording(
        (
            CannedTool("look", {"text": "5"}),
            CannedTool("typed", parameters=ONE_TEXT),
            CannedTool("seek", BROKEN),
            CannedTool("spare"),
            CannedTool("save", {"text": "saved"}, effect="write"),
            CannedTool("send", RuntimeError("cut"), effect="external"),
        )
    )
    given.setdefault("agent_llm", FunctionLLM(reply))
    return Stage(agents=AGENTS, tools=tools, **given)


DOWN = ModelUnavailable("Nothing answers.", remedy="Start it.")
UNSURE = PlannerSettings(min_confidence=1.0, on_low_confidence="person")
OUTCOMES: dict[str, tuple[dict[str, Any], PlannedAgentStep | None, str]] = {
    "completed": ({}, a_step("look"), "completed"),
    "failed": ({}, a_step("seek"), "failed"),
    "call refused": ({}, a_step("typed"), "failed"),
    "fallback tool": ({}, a_step("seek", fallback_tools=("spare",)), "completed"),
    "refused": ({"policy": ToolPolicy()}, None, "refused"),
    "fallback plan": ({"planner_llm": FunctionLLM(lambda _: DOWN)}, None, "completed"),
    "waiting for a call": ({"policy": ASK}, a_step("save"), "waiting"),
    "waiting for the plan": (
        {"planner_llm": FunctionLLM(reply), "planner_settings": UNSURE}, None, "waiting"
    ),
    "in doubt": ({}, a_step("send"), "in_doubt"),
    "asked": ({"planner_llm": FunctionLLM(lambda _: '{"plan":["ask"]}')}, None, "asked"),
}  # fmt: skip


async def carried_out(stage: Stage, step: PlannedAgentStep | None, **limits: Any) -> RunState:
    task = Task(prompt="What is it?", limits=TaskLimits(**limits), metadata={"a": [1, None]})
    return await stage.orchestrator().route_task(task, plan_of(step) if step else None)


@pytest.mark.requirement("DOS-1")
@pytest.mark.parametrize("name", list(OUTCOMES))
async def test_every_outcome_has_a_dossier_that_reads_back_and_is_the_same_bytes_twice(name: str) -> None:
    given, step, status = OUTCOMES[name]
    stage = a_stage(**given)
    state = await carried_out(stage, step)
    dossier = await stage.dossier(state.run_id)
    assert dossier.status == state.status == status
    written = dossier_bytes(dossier)
    assert dossier_bytes(await stage.dossier(state.run_id)) == written
    assert Dossier.model_validate_json(written) == dossier
    assert dossier_bytes(Dossier.model_validate_json(written)) == written
    assert dossier.task == state.started.task
    assert dossier.decision == state.decision
    assert (dossier.adherence, dossier.deviations, dossier.usage) == (
        state.adherence,
        state.deviations,
        state.usage,
    )
    links = await stage.record.links(state.run_id)
    assert [event.seq for event in dossier.events] == list(range(1, len(links) + 1))
    assert dossier.head == links[-1].hash
    plan = state.decision.plan if state.decision else None
    assert dossier.plan_digest == (plan.digest() if plan else None)
    assert dossier.catalog_digest == stage.catalog.digest
    assert dossier.policy_digest == stage.world.policy.digest
    assert len(dossier.exchanges) == dossier.model_calls
    assert (dossier.outcome_code != "") == (status in ("failed", "refused", "asked"))


@pytest.mark.requirement("DOS-1")
@pytest.mark.parametrize("name", ["waiting for a call", "in doubt"])
async def test_a_cancelled_run_has_a_dossier_that_says_who_cancelled(name: str) -> None:
    given, step, _ = OUTCOMES[name]
    stage = a_stage(**given)
    state = await carried_out(stage, step)
    await stage.orchestrator().cancel(state.run_id, by="ann")
    dossier = await stage.dossier(state.run_id)
    assert (dossier.status, dossier.outcome_message) == ("cancelled", "cancelled by ann")
    (approval,) = dossier.approvals
    assert (approval.what, approval.by, approval.decision) == ("cancel", "ann", "cancel")


@pytest.mark.requirement("DOS-2")
async def test_refused_calls_stand_in_the_dossier_with_what_was_wanted_and_why_not() -> None:
    stage = a_stage()
    state = await carried_out(stage, a_step("typed"), max_refusals_per_step=2)
    dossier = await stage.dossier(state.run_id)
    assert [(call.id, call.tool, call.status, call.refusal) for call in dossier.calls] == [
        (None, "typed", "refused", "argument_rejected")
    ] * 2
    assert dossier.calls[0].arguments == {"text": "x", "override": True}
    assert "'override' was unexpected" in dossier.calls[0].message
    assert [d.kind for d in dossier.deviations] == ["argument_rejected"] * 2 + ["tool_skipped"]
    denied = a_stage(policy=ToolPolicy())
    state = await carried_out(denied, a_step("look"))
    call = (await denied.dossier(state.run_id)).calls[0]
    assert call.verdict is not None
    assert (call.refusal, call.verdict.rule) == ("policy_denied", "no-policy")


@pytest.mark.requirement("DOS-2")
async def test_calls_stand_in_the_dossier_with_verdict_arguments_result_digest_and_timing() -> None:
    stage = a_stage()
    state = await carried_out(stage, a_step("seek", fallback_tools=("spare",)))
    failed, stood_in = (await stage.dossier(state.run_id)).calls
    assert (failed.id, failed.role, failed.status, failed.failure) == ("s1.1", "primary", "failed", "error")
    assert (failed.result, failed.result_digest) == (None, None)
    assert "broken" in failed.message
    assert (stood_in.id, stood_in.role, stood_in.status) == ("s1.2", "fallback", "returned")
    assert stood_in.result == {"text": "spare says so"}
    assert stood_in.result_digest == digest(stood_in.result)
    assert stood_in.verdict is not None
    assert (stood_in.verdict.verdict, stood_in.verdict.rule) == ("allowed", "own-tools")
    assert stood_in.duration_s is not None
    assert stood_in.duration_s > 0
    assert stood_in.idempotency_key == state.calls[1].call.idempotency_key(state.run_id)


@pytest.mark.requirement("DOS-2")
@pytest.mark.parametrize("approve", [True, False])
async def test_who_approved_what_and_who_settled_what_stands_in_the_dossier(approve: bool) -> None:
    stage = a_stage(policy=ASK)
    orchestrator = stage.orchestrator()
    state = await carried_out(stage, a_step("save"))
    await orchestrator.resolve(state.run_id, "approve" if approve else "deny", by="ann")
    dossier = await stage.dossier(state.run_id)
    (approval,) = dossier.approvals
    said = "approved" if approve else "denied"
    assert (approval.what, approval.subject, approval.decision, approval.by) == ("call", "s1.1", said, "ann")
    assert dossier.calls[0].status == ("returned" if approve else "denied")
    stage = a_stage(policy=allow_everything(AGENTS))
    state = await carried_out(stage, a_step("send"))
    await stage.orchestrator().resolve(state.run_id, "done", by="bob", result={"text": "5"})
    dossier = await stage.dossier(state.run_id)
    (approval,) = dossier.approvals
    assert (approval.what, approval.decision, approval.by) == ("outcome", "done", "bob")
    assert (dossier.calls[0].settled_by, dossier.calls[0].result) == ("bob", {"text": "5"})


@pytest.mark.requirement("DOS-2")
async def test_the_models_raw_words_stand_in_the_dossier() -> None:
    stage = a_stage(planner_llm=FunctionLLM(reply))
    state = await carried_out(stage, None)
    planned, answered = (await stage.dossier(state.run_id)).exchanges
    assert (planned.step, planned.exchange.purpose, planned.exchange.reply) == (None, "plan", WIRE)
    assert (answered.step, answered.exchange.reply) == ("s1", "It is 5 [s1.1].")
    assert answered.exchange.messages[-1].content.endswith("Request: What is it?")


@pytest.mark.requirement("DOS-3")
async def test_an_exported_dossier_is_compared_byte_by_byte(tmp_path: Any) -> None:
    stage = a_stage()
    dossier = await stage.dossier((await carried_out(stage, a_step("look"))).run_id)
    assert file_faults(tmp_path / "none", dossier) == ()
    path = write_dossier(tmp_path / "dossiers", dossier)
    assert path == dossier_path(tmp_path / "dossiers", dossier.run_id)
    assert path.read_bytes() == dossier_bytes(dossier)
    assert file_faults(tmp_path / "dossiers", dossier) == ()
    assert list(path.parent.iterdir()) == [path]
    whole = path.read_bytes()
    for changed in (whole[:-1], whole.replace(b"It is 5", b"It is 6"), b"", whole + b"x"):
        path.write_bytes(changed)
        (fault,) = file_faults(tmp_path / "dossiers", dossier)
        assert "differs from the journal at byte" in fault.problem
    write_dossier(tmp_path / "dossiers", dossier)
    assert file_faults(tmp_path / "dossiers", dossier) == ()


@pytest.mark.requirement("DOS-3")
async def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Any) -> None:
    stage = a_stage()
    dossier = await stage.dossier((await carried_out(stage, a_step("look"))).run_id)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="safe in the journal"):
        write_dossier(tmp_path / "file", dossier)


@pytest.mark.requirement("DOS-3")
async def test_a_record_without_its_head_has_no_dossier() -> None:
    stage = a_stage()
    state = await carried_out(stage, a_step("look"))
    events = await stage.record.read(state.run_id)
    links = await stage.record.links(state.run_id)
    for broken in ((), events[1:], (events[0], events[0])):
        with pytest.raises(StoreCorrupt):
            build_dossier(broken, links)
