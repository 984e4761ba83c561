"""What writes plans in a benchmark: the product's planner, or the prompt that a framework would send."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.clock import Clock
from planwarden.contracts.json_schema import schema_fault
from planwarden.contracts.model import Message, ModelUsage
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.specs import AgentSpec, JsonSchema, ToolSpec
from planwarden.contracts.task import Task
from planwarden.errors import ModelError
from planwarden.evaluation.plan_tasks import GoldStep, OfferedTool, PlanTask, Prediction
from planwarden.llm.service import LLMRequest, LLMService
from planwarden.planning.planner import LLMOrchestrationPlanner
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

NO_PARAMETERS: JsonSchema = {"type": "object", "properties": {}, "additionalProperties": False}
MAX_NAME, MAX_DESCRIPTION = 64, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """What came of one task: the prediction, what it cost, and what went wrong where nothing came."""

    prediction: Prediction
    usage: ModelUsage
    seconds: float
    source: str
    """The plan's own `source`, or `none` where there is no plan."""
    error: str = ""


class Contestant(Protocol):
    """Writes a plan for a task."""

    async def attempt(self, task: PlanTask) -> Attempted:
        """Plan; what goes wrong is part of what came of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerContestant:
    """The product's planner, every offered tool in the hands of one agent."""

    planner: LLMOrchestrationPlanner
    clock: Clock

    async def attempt(self, task: PlanTask) -> Attempted:
        """Plan as the product does."""
        catalog, names = catalog_of(task)
        policy = ToolPolicy(
            agents={FALLBACK_AGENT: AgentPolicy(rules=(Rule(name="offered", says="allow", tools=("*",)),))}
        )
        began = self.clock.monotonic()
        planning = await self.planner.plan(Task(prompt=task.request), catalog, policy)
        seconds = self.clock.monotonic() - began
        plan = planning.decision.plan
        said = planning.decision.refusals
        return Attempted(
            prediction=prediction_of(task.id, plan, names) if plan else Prediction(id=task.id),
            usage=_total([exchange.usage for exchange in planning.exchanges]),
            seconds=seconds,
            source=plan.metadata.source if plan else "none",
            error=f"{said[-1].rung}: {said[-1].message}" if said else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BareJsonContestant:
    """The plain prompt of a framework: every tool with its full JSON Schema, the answer parsed leniently."""

    llm: LLMService
    clock: Clock
    max_output_tokens: int = 512
    timeout_s: float = 300.0

    async def attempt(self, task: PlanTask) -> Attempted:
        """Ask once, unconstrained."""
        request = LLMRequest(
            messages=bare_messages(task), max_output_tokens=self.max_output_tokens, timeout_s=self.timeout_s
        )
        began = self.clock.monotonic()
        try:
            reply = await self.llm.complete(request)
        except ModelError as error:
            seconds = self.clock.monotonic() - began
            nothing = Prediction(id=task.id)
            return Attempted(
                prediction=nothing, usage=ModelUsage(), seconds=seconds, source="none", error=str(error)
            )
        return Attempted(
            prediction=read_bare(task.id, reply.text),
            usage=reply.usage,
            seconds=self.clock.monotonic() - began,
            source="planner",
        )


def catalog_of(task: PlanTask) -> tuple[Catalog, Mapping[str, str]]:
    """Make a catalog of the offered tools, all of one agent; with it catalog name → offered name.

    Names are changed where the catalog's rule demands it; what is no schema becomes one without parameters.
    """
    names: dict[str, str] = {}
    specs: dict[str, ToolSpec] = {}
    for tool in task.tools:
        name = _catalog_name(tool.name, names)
        names[name] = tool.name
        specs[name] = ToolSpec(
            name=name,
            description=(tool.description or tool.name)[:MAX_DESCRIPTION],
            effect="read",
            parameters=_parameters(tool),
        )
    agent = AgentSpec(name=FALLBACK_AGENT, description="Does the task.", tools=tuple(specs))
    return Catalog(agents={FALLBACK_AGENT: agent}, tools=specs), names


def _catalog_name(offered: str, taken: Mapping[str, str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", offered)
    plain = (plain if plain[:1].isalpha() else f"t_{plain}")[:MAX_NAME]
    name, number = plain, 2
    while name in taken:
        name = f"{plain[: MAX_NAME - 4]}_{number}"
        number += 1
    return name


def _parameters(tool: OfferedTool) -> JsonSchema:
    schema = {**NO_PARAMETERS, **tool.parameters, "type": "object", "additionalProperties": False}
    return NO_PARAMETERS if schema_fault(schema) else schema


def prediction_of(task_id: str, plan: PlannerPlan, names: Mapping[str, str]) -> Prediction:
    """Write a plan as a prediction: a step for each planned tool, linked to every tool of those before it."""
    places: dict[str, range] = {}
    tools: list[str] = []
    edges: list[tuple[int, int]] = []
    for step in plan.steps:
        places[step.id] = range(len(tools), len(tools) + len(step.tools))
        tools += [names[tool] for tool in step.tools]
        edges += [(a, b) for name in step.depends_on for a in places[name] for b in places[step.id]]
    return Prediction(id=task_id, steps=tuple(GoldStep(tool=tool) for tool in tools), edges=tuple(edges))


def bare_messages(task: PlanTask) -> tuple[Message, ...]:
    """Write the prompt that a tool-calling framework would."""
    tools = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        for tool in task.tools
    ]
    system = (
        "You are a planner. Break the user's request into steps, each using one of these tools:\n"
        f"{json.dumps(tools, ensure_ascii=False)}\n"
        'Respond with JSON only: {"steps": [{"id": 0, "tool": "<tool name>", "depends_on": []}]}'
    )
    return Message(role="system", content=system), Message(role="user", content=task.request)


def read_bare(task_id: str, text: str) -> Prediction:
    """Read a plan from a model's free text leniently; an empty one where none can be made out."""
    for value in _json_values(text):
        steps = cast("dict[str, Any]", value).get("steps", value) if isinstance(value, dict) else value
        if isinstance(steps, dict):
            steps = [cast("dict[str, Any]", steps)]
        if isinstance(steps, list):
            found = _lenient(cast("list[Any]", steps))
            if found.steps:
                return found.model_copy(update={"id": task_id})
    return Prediction(id=task_id)


def _json_values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    at = 0
    while (start := next((i for i in range(at, len(text)) if text[i] in "{["), -1)) >= 0:
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        yield value


def _lenient(steps: list[Any]) -> Prediction:
    tools: list[str] = []
    ids: dict[str, int] = {}
    after: list[list[Any]] = []
    for step in steps:
        fields = cast("dict[str, Any]", step) if isinstance(step, dict) else {"tool": step}
        tool = next((fields[key] for key in ("tool", "name", "function", "tool_name") if key in fields), None)
        if isinstance(tool, str):
            ids[str(fields.get("id", len(tools)))] = len(tools)
            tools.append(tool)
            wanted = fields.get("depends_on")
            after.append(cast("list[Any]", wanted) if isinstance(wanted, list) else [])
    edges = [
        (ids[str(name)], place) for place, names in enumerate(after) for name in names if str(name) in ids
    ]
    return Prediction(id="", steps=tuple(GoldStep(tool=tool) for tool in tools), edges=tuple(edges))


def _total(usages: list[ModelUsage]) -> ModelUsage:
    return ModelUsage(
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        latency_s=sum(usage.latency_s for usage in usages),
    )
