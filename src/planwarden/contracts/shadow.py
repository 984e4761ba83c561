"""What a planner said to a task that it did not carry out: names and figures, no text of anybody's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import HandoffStrategy, PlannerPlan, WayOut
from planwarden.contracts.value import Contract, Digest, Name


class SketchStep(Contract):
    """One step of a plan, without its reasons and bindings."""

    agent: Name
    tools: tuple[Name, ...] = ()
    fallback_tools: tuple[Name, ...] = ()
    depends_on: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """0-based places of the earlier steps that it waits for."""


class PlanSketch(Contract):
    """A plan as far as it is compared."""

    steps: tuple[SketchStep, ...]
    handoff: HandoffStrategy
    way_out: WayOut | None = None

    @property
    def tools(self) -> tuple[str, ...]:
        """Give the planned tools, in the order of the steps."""
        return tuple(tool for step in self.steps for tool in step.tools)

    @property
    def agents(self) -> tuple[str, ...]:
        """Give the agent of each planned tool; none for a way out."""
        return tuple(step.agent for step in self.steps for _ in step.tools)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Give the links between planned tools, as pairs of 0-based places among them."""
        places: list[range] = []
        edges: list[tuple[int, int]] = []
        count = 0
        for step in self.steps:
            own = range(count, count + len(step.tools))
            edges += [(a, b) for before in step.depends_on for a in places[before] for b in own]
            places.append(own)
            count += len(step.tools)
        return tuple(edges)


class ShadowPlan(Contract):
    """What one planner said to one task, and what that cost."""

    sketch: PlanSketch | None
    """None where it gave no plan at all."""
    source: str
    """The plan's own `source`, or `none` where there is no plan."""
    issues: tuple[str, ...] = ()
    """Why the plan may not be followed under catalog and policy, as reasons of refusals; empty: it may."""
    refusals: tuple[str, ...] = ()
    """What was refused on the way to the plan, each as `rung/reason`."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """From the request to the plan; None where nobody measured it."""
    usage: ModelUsage = Field(default_factory=ModelUsage)

    @property
    def valid(self) -> bool:
        """Say whether there is a plan, and it may be followed."""
        return self.sketch is not None and not self.issues

    @property
    def unaided(self) -> bool:
        """Say whether nothing was refused on the way."""
        return self.valid and not self.refusals


ShadowState = Literal["due", "planned", "failed"]
"""`due`: chosen, and not planned yet; `failed`: it could not be planned."""


class ShadowRecord(Contract):
    """One line about one run in the file of live shadow plans; the newest of a run counts."""

    run_id: str
    state: ShadowState
    at: AwareDatetime
    planner: str
    """The configuration, as `SHADOW__PLANNER` names it."""
    planner_digest: Digest
    """Of what that configuration came to."""
    code: str = ""
    """Of the error, where it failed."""
    provider: str = ""
    model: str = ""
    model_digest: Digest | None = None
    task_digest: Digest | None = None
    """Of the run's first event, nonce included, as its chain has it: it names the task, and cannot be guessed
    back once the payload is erased."""
    catalog_digest: Digest | None = None
    policy_digest: Digest | None = None
    prompt_version: str | None = None
    plan_digest: Digest | None = None
    """Of the plan as it is kept here, without its texts."""
    plan: ShadowPlan | None = None


def sketch_of(plan: PlannerPlan) -> PlanSketch:
    """Give a plan without its texts. Pure."""
    places = {step.id: place for place, step in enumerate(plan.steps)}
    return PlanSketch(
        steps=tuple(
            SketchStep(
                agent=step.agent,
                tools=step.tools,
                fallback_tools=step.fallback_tools,
                depends_on=tuple(sorted(places[name] for name in step.depends_on)),
            )
            for step in plan.steps
        ),
        handoff=plan.metadata.handoff_strategy,
        way_out=plan.metadata.way_out,
    )
