"""The oracle: whether a call was allowed, by plan, table of grants, parameters, order and budgets.

Written apart from admission and from the policy's rules, and sharing no code with them. It looks at what the
tools themselves noted and what people said; of the record it takes the plan and where steps begin and end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from planwarden.contracts.facts import (
    ApprovalAsked,
    CancelRequested,
    Fact,
    PlanApprovalAsked,
    PlanDecided,
    RunEnded,
    RunStarted,
    StepAnswered,
    StepFailed,
    StepStarted,
)
from planwarden.contracts.plan import PlannedAgentStep, PlannerPlan
from planwarden.contracts.task import TaskLimits
from planwarden.contracts.value import Json
from planwarden.evaluation.soak.world.making import World
from planwarden.evaluation.soak.world.parameters import fits

Came = Literal["running", "returned", "failed", "unclear", "not_done"]
Why = Literal[
    "",
    "no such step is running",
    "not planned",
    "not granted",
    "arguments do not fit",
    "above what is granted",
    "one planned before it did not run",
    "nothing failed that it could stand in for",
    "what became of it is not known",
    "another call of it waits for a person",
    "it has an effect and was used",
    "the step's calls are spent",
    "the run's calls are spent",
    "a person said no",
    "nobody said yes",
]
"""Why a call is not allowed; empty when it is."""
MOST_STEPS, MOST_AGENTS = 12, 4


@dataclass(slots=True, kw_only=True)
class Ran:
    """One time that a tool really began, and what came of it as the tool says."""

    tool: str
    arguments: Mapping[str, Json]
    came: Came = "running"


@dataclass(slots=True, kw_only=True)
class StepWatch:
    """What the oracle saw of one step."""

    planned: PlannedAgentStep
    stage: Literal["ahead", "running", "over"] = "ahead"
    ran: list[Ran] = field(default_factory=list[Ran])
    asks: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list[tuple[str, Mapping[str, Json]]])
    """Calls that wait for a person, who has not said yes and seen them begin yet."""
    yes: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list[tuple[str, Mapping[str, Json]]])
    no: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list[tuple[str, Mapping[str, Json]]])

    def newest(self, tool: str) -> Came | None:
        """Say what came of the newest run of a tool."""
        return next((each.came for each in reversed(self.ran) if each.tool == tool), None)

    def has_run(self, tool: str) -> bool:
        """Say whether a tool ran to an end, good or bad."""
        return any(each.tool == tool and each.came in ("returned", "failed") for each in self.ran)


@dataclass(slots=True, kw_only=True)
class Watch:
    """What the oracle saw of one run so far."""

    world: World
    limits: TaskLimits = field(default_factory=TaskLimits)
    plan: PlannerPlan | None = None
    plan_waits: bool = False
    over: bool = False
    steps: dict[str, StepWatch] = field(default_factory=dict[str, StepWatch])

    def see(self, fact: Fact) -> None:
        """Take in where the run stands; what the record says of calls is not looked at, but for questions."""
        match fact:
            case RunStarted(task=task):
                self.limits = task.limits
            case PlanDecided(decision=decision):
                self.plan = decision.plan
                steps = decision.plan.steps if decision.plan else ()
                self.steps = {step.id: StepWatch(planned=step) for step in steps}
            case PlanApprovalAsked():
                self.plan_waits = True
            case StepStarted(step=step):
                self.steps[step].stage = "running"
            case StepAnswered(step=step) | StepFailed(step=step):
                self.steps[step].stage = "over"
            case ApprovalAsked(call=call):
                self.steps[call.step].asks.append((call.tool, call.arguments))
            case RunEnded() | CancelRequested():
                self.over = True
            case _:
                pass

    def say(self, step: str, tool: str, arguments: Mapping[str, Json], *, yes: bool) -> None:
        """Take in what a person says about one call."""
        watched = self.steps[step]
        (watched.yes if yes else watched.no).append((tool, arguments))

    def begin(self, step: str, tool: str, arguments: Mapping[str, Json]) -> Ran:
        """Take in that a tool really began."""
        run = Ran(tool=tool, arguments=arguments)
        watched = self.steps.get(step)
        if watched is not None:
            if (tool, arguments) in watched.asks:
                watched.asks.remove((tool, arguments))
            if watched.newest(tool) == "not_done":  # it is the same call again
                watched.ran = [each for each in watched.ran if (each.tool, each.came) != (tool, "not_done")]
            watched.ran.append(run)
        return run

    def why_not(
        self, step: str, tool: str, arguments: Mapping[str, Json], *, asked_first: bool = True
    ) -> Why:
        """Say why a call is not allowed now; empty when it is.

        Args:
            step: whose call it is.
            tool: the tool's own name.
            arguments: as they would reach the tool.
            asked_first: a call that needs a person's yes is allowed only with it; else, to be asked for.
        """
        watched = self.steps.get(step)
        if self.plan is None or self.plan_waits or self.over or watched is None or watched.stage != "running":
            return "no such step is running"
        return (
            self._not_granted(watched.planned, tool, arguments)
            or _not_in_order(watched, tool)
            or self._used_up(watched, tool, arguments)
            or self._not_approved(watched, tool, arguments, asked_first=asked_first)
        )

    def _not_granted(self, planned: PlannedAgentStep, tool: str, arguments: Mapping[str, Json]) -> Why:
        if tool not in (*planned.tools, *planned.fallback_tools):
            return "not planned"
        grant = self.world.grant(planned.agent, tool)
        if grant.says == "deny":
            return "not granted"
        if not fits(self.world.tools[tool].params, arguments):
            return "arguments do not fit"
        numbers = [each for each in arguments.values() if isinstance(each, int | float) and each is not True]
        if grant.ceiling is not None and any(each > grant.ceiling for each in numbers):
            return "above what is granted"
        return ""

    def _used_up(self, watched: StepWatch, tool: str, arguments: Mapping[str, Json]) -> Why:
        came = watched.newest(tool)
        if came in ("running", "unclear"):
            return "what became of it is not known"
        waiting = [args for name, args in watched.asks if name == tool]
        if waiting and arguments not in waiting:
            return "another call of it waits for a person"
        if came == "not_done" or (waiting and arguments in waiting):
            return ""  # its place is taken by itself
        if came is not None and self.world.tools[tool].effect != "read":
            return "it has an effect and was used"
        if len(watched.ran) + len(watched.asks) >= self.limits.max_calls_per_step:
            return "the step's calls are spent"
        spent = sum(len(each.ran) + len(each.asks) for each in self.steps.values())
        return "the run's calls are spent" if spent >= self.limits.max_tool_calls else ""

    def _not_approved(
        self, watched: StepWatch, tool: str, arguments: Mapping[str, Json], *, asked_first: bool
    ) -> Why:
        call = (tool, arguments)
        if call in watched.no:
            return "a person said no"
        wanted = self.world.grant(watched.planned.agent, tool).says == "ask" and asked_first
        return "nobody said yes" if wanted and call not in watched.yes else ""


def _not_in_order(watched: StepWatch, tool: str) -> Why:
    planned = watched.planned
    line = planned.tools if tool in planned.tools else planned.fallback_tools
    if not all(watched.has_run(before) for before in line[: line.index(tool)]):
        return "one planned before it did not run"
    if tool in planned.fallback_tools and not watched.has_run(tool):
        failed = sum(watched.newest(each) == "failed" for each in (*planned.tools, *planned.fallback_tools))
        replaced = sum(watched.has_run(each) for each in planned.fallback_tools)
        if failed <= replaced:
            return "nothing failed that it could stand in for"
    return ""


def plan_faults(world: World, plan: PlannerPlan) -> tuple[str, ...]:
    """Say why a plan must not be followed; empty when it may be."""
    faults = [f"{step.id}: {fault}" for step in plan.steps for fault in _step_faults(world, step)]
    if len(plan.steps) > MOST_STEPS or len({step.agent for step in plan.steps}) > MOST_AGENTS:
        faults.append("too many steps or agents")
    earlier: set[str] = set()
    for step in plan.steps:
        if not set(step.depends_on) <= earlier:
            faults.append(f"{step.id}: depends on what is not before it")
        earlier.add(step.id)
    return tuple(faults)


def _step_faults(world: World, step: PlannedAgentStep) -> Sequence[str]:
    if step.agent not in world.held:
        return ("no such agent",)
    if not step.tools:
        return () if step.agent in world.answering else ("may not answer without tools",)
    named = (*step.tools, *step.fallback_tools)
    return tuple(f"{tool} is not granted" for tool in named if world.grant(step.agent, tool).says == "deny")
