"""What writes plans in a benchmark: the product's planner, or the prompt that a framework would send."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.clock import Clock
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.model import Message, ModelUsage
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.task import Task
from planwarden.errors import ModelError, ReplyIncomplete
from planwarden.evaluation.offered import OFFERED_POLICY, catalog_of
from planwarden.evaluation.plan_tasks import GoldStep, PlanTask, Prediction
from planwarden.evaluation.remembered import without_itself
from planwarden.llm.service import LLMRequest, LLMService
from planwarden.planning.planner import Planning
from planwarden.policy.rules import ToolPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """What came of one task: the prediction, what it cost, and what went wrong where nothing came."""

    prediction: Prediction
    usage: ModelUsage
    seconds: float
    source: str
    """The plan's own `source`, or `none` where there is no plan."""
    error: str = ""
    index_seconds: float = 0.0
    """Building what is kept for the catalog, which a product does once; not part of `seconds`."""
    plan: PlannerPlan | None = None
    """Where the product's planner wrote it."""


class Contestant(Protocol):
    """Writes a plan for a task."""

    async def attempt(self, task: PlanTask) -> Attempted:
        """Plan; what goes wrong is part of what came of it."""
        ...


class Plans(Protocol):
    """What writes plans: the product's planner."""

    def prepare(self, catalog: Catalog) -> None:
        """Make what is kept for a catalog."""
        ...

    async def plan(
        self, task: Task, catalog: Catalog, policy: ToolPolicy, remembered: Sequence[RememberedPlan] = ()
    ) -> Planning:
        """Give the plan to follow, valid against catalog and policy."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerContestant:
    """The product's planner, every offered tool in the hands of one agent."""

    planner: Plans
    clock: Clock
    remembered: tuple[RememberedPlan, ...] = ()
    """What it may know; a task's own plan is taken out before it is planned."""

    async def attempt(self, task: PlanTask) -> Attempted:
        """Plan as the product does; indexing the catalog, which a product does once, is timed apart."""
        catalog, names = catalog_of(task)
        remembered = without_itself(task, self.remembered)
        started = self.clock.monotonic()
        self.planner.prepare(catalog)
        began = self.clock.monotonic()
        planning = await self.planner.plan(Task(prompt=task.request), catalog, OFFERED_POLICY, remembered)
        seconds = self.clock.monotonic() - began
        plan = planning.decision.plan
        said = planning.decision.refusals
        return Attempted(
            prediction=prediction_of(task.id, plan, names) if plan else Prediction(id=task.id),
            usage=_total([exchange.usage for exchange in planning.exchanges]),
            seconds=seconds,
            source=plan.metadata.source if plan else "none",
            error=f"{said[-1].rung}: {said[-1].message}" if said else "",
            index_seconds=began - started,
            plan=plan,
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
            return Attempted(
                prediction=Prediction(id=task.id),
                usage=_paid(error, seconds),
                seconds=seconds,
                source="none",
                error=str(error),
            )
        return Attempted(
            prediction=read_bare(task.id, reply.text),
            usage=reply.usage,
            seconds=self.clock.monotonic() - began,
            source="planner",
        )


def prediction_of(task_id: str, plan: PlannerPlan, names: Mapping[str, str]) -> Prediction:
    """Write a plan as a prediction: a step for each planned tool.

    A dependency is one link, from the last tool of the step that is waited for to the first of the one that
    waits. What uses no tool has no place in a prediction.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    tools: list[str] = []
    edges: list[tuple[int, int]] = []
    for step in plan.steps:
        if not step.tools:
            continue
        first[step.id], last[step.id] = len(tools), len(tools) + len(step.tools) - 1
        tools += [names[tool] for tool in step.tools]
        edges += [(last[name], first[step.id]) for name in step.depends_on if name in last]
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


def _paid(error: ModelError, seconds: float) -> ModelUsage:
    """Say what a failed exchange cost: a reply that was cut at its limit had all its tokens."""
    if not isinstance(error, ReplyIncomplete):
        return ModelUsage(latency_s=seconds)
    return ModelUsage(prompt_tokens=error.prompt_tokens, output_tokens=error.output_tokens, latency_s=seconds)


def _total(usages: list[ModelUsage]) -> ModelUsage:
    return ModelUsage(
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        latency_s=sum(usage.latency_s for usage in usages),
    )
