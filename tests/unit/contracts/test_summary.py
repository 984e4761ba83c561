"""A run in names and numbers: what it holds, and that nothing said in the run gets into it."""

from __future__ import annotations

import pytest

from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.summary import RunSummary, summarise
from planwarden.contracts.task import Task
from planwarden.errors import ModelUnavailable, StoreCorrupt, ToolFailed
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.recording_tool import recording
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM
from planwarden.testing.stage import Stage, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("IDX-1")]

SECRET = "Erika Mustermann"
BROKEN = ToolFailed(f"no {SECRET} here.", remedy="Mend it.")
AGENTS = (AgentSpec(name="worker", description="Works", tools=("look", "seek", "spare", "save")),)


def a_stage(**given: object) -> Stage:
    tools, _ = recording(
        (
            CannedTool("look", {"text": SECRET}, parameters=ONE_TEXT),
            CannedTool("seek", BROKEN),
            CannedTool("spare", {"text": SECRET}),
            CannedTool("save", {"text": SECRET}, effect="write"),
        )
    )
    return Stage(agents=AGENTS, tools=tools, **given)  # pyright: ignore[reportArgumentType]


def answers(request: object) -> str:
    wants_arguments = getattr(request, "output_schema", None) is not None
    return f'{{"text":"{SECRET}"}}' if wants_arguments else f"{SECRET} [s1.1]."


async def summary_of(stage: Stage, run_id: str) -> RunSummary:
    return summarise(await stage.record.read(run_id))


async def test_a_summary_names_agents_tools_calls_and_deviations_with_their_outcomes() -> None:
    stage = a_stage(agent_llm=FunctionLLM(answers))
    plan = plan_of(PlannedAgentStep(id="s1", agent="worker", tools=("seek",), fallback_tools=("spare",)))
    state = await stage.orchestrator().route_task(Task(prompt=SECRET, tenant="red"), plan)
    summary = await summary_of(stage, state.run_id)
    assert (summary.tenant, summary.status, summary.adherence) == ("red", "completed", 0.0)
    assert (summary.agents, summary.tools) == (("worker",), ("seek", "spare"))
    assert summary.deviations == {"tool_failed": 1, "fallback_used": 1}
    assert [(call.tool, call.role, call.status, call.failure) for call in summary.calls] == [
        ("seek", "primary", "failed", "error"),
        ("spare", "fallback", "returned", None),
    ]
    assert (summary.source, summary.plan_steps, summary.seq) == ("edited", 1, state.seq)


async def test_nothing_that_was_said_in_a_run_is_in_its_summary() -> None:
    stage = a_stage(agent_llm=FunctionLLM(answers))
    plan = plan_of(
        PlannedAgentStep(
            id="s1", agent="worker", tools=("look", "seek"), fallback_tools=("spare",), reason=SECRET
        )
    )
    state = await stage.orchestrator().route_task(Task(prompt=SECRET, metadata={"who": SECRET}), plan)
    events = await stage.record.read(state.run_id)
    assert sum(SECRET in str(event.fact) for event in events) > 5
    assert SECRET not in summarise(events).model_dump_json()


async def test_a_run_that_waits_says_for_what() -> None:
    ask = ToolPolicy(agents={"worker": AgentPolicy(rules=(Rule(name="ask", says="ask", tools=("*",)),))})
    stage = a_stage(policy=ask)
    plan = plan_of(PlannedAgentStep(id="s1", agent="worker", tools=("save",)))
    state = await stage.orchestrator().route_task(Task(prompt="Do it"), plan)
    summary = await summary_of(stage, state.run_id)
    assert summary.status == "waiting"
    assert [(call.status, call.verdict) for call in summary.calls] == [("asked", "needs_approval")]
    assert not summary.plan_waits


async def test_failing_models_and_tokens_are_counted_by_role() -> None:
    unavailable = ModelUnavailable("gone", remedy="Start it.")
    stage = a_stage(planner_llm=ScriptedLLM(unavailable))
    state = await stage.orchestrator().route_task(Task(prompt="Look, please"))
    summary = await summary_of(stage, state.run_id)
    assert [(fault.role, fault.code, fault.count) for fault in summary.model_faults] == [
        ("planner", "model_unavailable", 1)
    ]
    assert ("planner", 1) in [(count.role, count.calls) for count in summary.tokens]


async def test_events_that_are_no_run_give_no_summary() -> None:
    with pytest.raises(StoreCorrupt):
        summarise(())
