"""What tests of runs share: one worker, its tools, and plans for it."""

from __future__ import annotations

from typing import Any

from planwarden.contracts.plan import PlannedAgentStep, PlannerPlan
from planwarden.contracts.run import RunState
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.recording_tool import Invocation, recording
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage
from planwarden.tools.tool import Tool

CRASH = RuntimeError("cable pulled")
WIRE = '{"plan":["look"]}'


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


def ask_everything() -> ToolPolicy:
    rule = Rule(name="ask", says="ask", tools=("*",), reason="effects need a person")
    return ToolPolicy(agents={"worker": AgentPolicy(rules=(rule,))})
