"""Runs whose dossiers are shown: one for each way a run can go, on the real runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from planwarden.audit.timeline import Timeline, timeline
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import HandoffStrategy, PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.value import Json
from planwarden.errors import ModelUnavailable, ToolFailed
from planwarden.llm.service import LLMReply, LLMRequest, TokenChoice
from planwarden.planning.attempt import PlannerSettings
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage, allow_everything, plan_of
from planwarden.testing.ticking_clock import TickingClock
from planwarden.tools.tool import Tool, ToolContext

AGENTS = (
    AgentSpec(
        name="finance_agent",
        description="Prices",
        tools=("finance.snapshot", "finance.analytics", "finance.broken", "mail.send", "notes.typed"),
    ),
    AgentSpec(name="research_agent", description="Documents", tools=("research.search", "files.write")),
    AgentSpec(name="general_agent", description="Helps", may_answer_without_tools=True),
)
PROMPT = "What is the latest price of IBM, how volatile was it, and what do our notes say about it?"
PLANNED = '{"plan":["finance.snapshot"]}'
NO_MODEL = ModelUnavailable("Nothing answers at http://127.0.0.1:1.", remedy="Start it.")


class SlowTool:
    """Gives what it is told, while the clock moves on and other steps get their turns."""

    def __init__(self, tool: CannedTool, clock: TickingClock, seconds: float) -> None:
        self._tool, self._clock, self._seconds = tool, clock, seconds
        self.spec = tool.spec
        self.verify = tool.verify

    async def invoke(self, arguments: Mapping[str, Json], context: ToolContext) -> Json:
        for _ in range(10):
            self._clock.advance(self._seconds / 10)
            await asyncio.sleep(0)
        return await self._tool.invoke(arguments, context)


class Killed(BaseException):
    """Ends a process in the middle of a call, as `kill -9` would: nothing is written any more."""


class KillingTool:
    """Kills the process that calls it."""

    def __init__(self, tool: CannedTool) -> None:
        self.spec = tool.spec
        self.verify = tool.verify

    async def invoke(self, arguments: Mapping[str, Json], context: ToolContext) -> Json:
        raise Killed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A run that went some way."""

    dossier: Dossier
    timeline: Timeline


async def scene_of(stage: Stage, run_id: str) -> Scene:
    found = timeline(await stage.record.read(run_id))
    return Scene(dossier=await stage.dossier(run_id), timeline=found)


def a_step(*tools: str, name: str = "s1", agent: str = "finance_agent", **more: Any) -> PlannedAgentStep:
    return PlannedAgentStep(id=name, agent=agent, tools=tools, confidence=0.87, **more)


def a_stage(answer: str = "IBM stood at 125.55 [s1.1].", **given: Any) -> Stage:
    clock = TickingClock()

    def reply(request: LLMRequest) -> LLMReply:
        clock.advance(0.8)
        schema = str(request.output_schema)
        text = (
            PLANNED if "prefixItems" in schema else '{"text": "hello"}' if request.output_schema else answer
        )
        tokens = (TokenChoice(text=text, logprob=-0.2),) if request.top_logprobs else ()
        usage = ModelUsage(prompt_tokens=412, output_tokens=24, latency_s=0.8)
        return LLMReply(text=text, usage=usage, tokens=tokens)

    canned = (
        (CannedTool("finance.snapshot", {"text": "IBM 125.55 USD", "symbol": "IBM", "close": 125.55}), 0.6),
        (CannedTool("finance.analytics", {"text": "volatility 1.8 %", "volatility": 0.018}), 1.4),
        (CannedTool("finance.broken", ToolFailed("the feed is closed.", remedy="Try later.")), 0.5),
        (CannedTool("research.search", {"text": "The notes call IBM a steady payer."}), 2.1),
        (CannedTool("notes.typed", parameters=ONE_TEXT), 0.2),
        (CannedTool("files.write", {"text": "written"}, effect="write", parameters=ONE_TEXT), 0.2),
        (CannedTool("mail.send", RuntimeError("cable pulled"), effect="external", parameters=ONE_TEXT), 0.4),
    )
    tools: dict[str, Tool] = {tool.spec.name: SlowTool(tool, clock, took) for tool, took in canned}
    given.setdefault("agent_llm", FunctionLLM(reply))
    given.setdefault("planner_llm", FunctionLLM(reply))
    return Stage(agents=AGENTS, tools=tools, clock=clock, **given)


async def carried_out(
    stage: Stage, *steps: PlannedAgentStep, handoff: HandoffStrategy = "sequential", prompt: str = PROMPT
) -> str:
    limits = TaskLimits(max_parallel_steps=4 if handoff == "parallel" else 1)
    plan = plan_of(*steps, handoff=handoff) if steps else None
    return (await stage.orchestrator().route_task(Task(prompt=prompt, limits=limits), plan)).run_id


async def completed() -> Scene:
    answer = (
        "IBM stood at 125.55 [s1.1]. That is 4 % more than a week ago. It is a fine company. See also [s9.1]."
    )
    stage = a_stage(answer)
    return await scene_of(stage, await carried_out(stage))


async def parallel() -> Scene:
    stage = a_stage("IBM stood at 125.55 [s1.1], its volatility was 1.8 % [s2.1]; it pays steadily [s3.1].")
    steps = (
        a_step("finance.snapshot", reason="look up the current quote"),
        a_step("finance.analytics", name="s2", reason="how volatile it was"),
        a_step("research.search", name="s3", agent="research_agent", reason="what the notes say"),
        a_step(name="s4", agent="general_agent", depends_on=("s1", "s2", "s3"), reason="put it together"),
    )
    return await scene_of(stage, await carried_out(stage, *steps, handoff="parallel"))


async def fallback_tool() -> Scene:
    stage = a_stage()
    steps = (
        a_step("finance.broken", fallback_tools=("finance.snapshot",)),
        a_step("research.search", name="s2", agent="research_agent", depends_on=("s1",)),
    )
    return await scene_of(stage, await carried_out(stage, *steps))


async def failed() -> Scene:
    stage = a_stage()
    steps = (a_step("finance.broken"), a_step("finance.snapshot", name="s2", depends_on=("s1",)))
    return await scene_of(stage, await carried_out(stage, *steps))


async def call_refused() -> Scene:
    rules = (Rule(name="no-mail", says="deny", tools=("mail.*",), reason="nobody may send mail"),)
    stage = a_stage(policy=ToolPolicy(agents={"finance_agent": AgentPolicy(rules=rules)}))
    return await scene_of(stage, await carried_out(stage, a_step("mail.send")))


async def refused() -> Scene:
    stage = a_stage(policy=ToolPolicy())
    return await scene_of(stage, await carried_out(stage))


async def fallback_plan() -> Scene:
    stage = a_stage("I cannot say.", planner_llm=FunctionLLM(lambda _: NO_MODEL))
    return await scene_of(stage, await carried_out(stage))


async def asked_back() -> Scene:
    stage = a_stage(planner_llm=FunctionLLM(lambda _: '{"plan":["ask"]}'))
    return await scene_of(stage, await carried_out(stage))


async def approved_then_in_doubt() -> Scene:
    rules = (
        Rule(name="ask-mail", says="ask", tools=("mail.*",), reason="mail leaves the house"),
        Rule(name="own-tools", says="allow", tools=("*",)),
    )
    policy = allow_everything(AGENTS)
    policy = ToolPolicy(agents={**policy.agents, "finance_agent": AgentPolicy(rules=rules)})
    stage = a_stage(policy=policy)
    step = a_step("mail.send", name="s2", depends_on=("s1",))
    run_id = await carried_out(stage, a_step("finance.snapshot"), step)
    stage.clock.advance(7_380)
    await stage.orchestrator().resolve(run_id, "approve", by="ann@example.com")
    return await scene_of(stage, run_id)


async def settled() -> Scene:
    stage = a_stage()
    run_id = await carried_out(stage, a_step("mail.send"))
    stage.clock.advance(3 * 86_400)
    await stage.orchestrator().resolve(run_id, "done", by="bob", result={"text": "sent"})
    return await scene_of(stage, run_id)


async def waiting_for_the_plan() -> Scene:
    unsure = PlannerSettings(mode="model", min_confidence=1.0, on_low_confidence="person")
    stage = a_stage(planner_settings=unsure)
    return await scene_of(stage, await carried_out(stage))


async def cancelled() -> Scene:
    stage = a_stage()
    run_id = await carried_out(stage, a_step("mail.send"))
    await stage.orchestrator().cancel(run_id, by="ann")
    return await scene_of(stage, run_id)


async def crashed_and_resumed() -> Scene:
    """A process died between the intent of a reading call and its result; another one went on."""
    stage = a_stage()
    plan = plan_of(a_step("finance.snapshot"), a_step("finance.analytics", name="s2"))
    log = await stage.begin(plan, Task(prompt=PROMPT))
    tool = stage.tools["finance.snapshot"]
    stage.tools = {**stage.tools, "finance.snapshot": KillingTool(CannedTool("finance.snapshot"))}
    with suppress(Killed):
        await (await stage.open_step(log)).call("finance.snapshot", {})
    stage.tools = {**stage.tools, "finance.snapshot": tool}
    stage.clock.advance(4_000)
    await stage.orchestrator().resume(log.state.run_id)
    return await scene_of(stage, log.state.run_id)


SCENES: dict[str, tuple[Callable[[], Awaitable[Scene]], str]] = {
    "completed": (completed, "completed"),
    "parallel": (parallel, "completed"),
    "fallback tool": (fallback_tool, "completed"),
    "failed": (failed, "failed"),
    "call refused": (call_refused, "failed"),
    "refused": (refused, "refused"),
    "fallback plan": (fallback_plan, "completed"),
    "asked": (asked_back, "asked"),
    "approved, then in doubt": (approved_then_in_doubt, "in_doubt"),
    "settled": (settled, "completed"),
    "waiting for the plan": (waiting_for_the_plan, "waiting"),
    "cancelled": (cancelled, "cancelled"),
    "crashed and resumed": (crashed_and_resumed, "completed"),
}
