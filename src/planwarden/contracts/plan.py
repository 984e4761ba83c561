"""The plan contract, schema version 2: what is enforced. See docs/reference/plan.md."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from planwarden.contracts.value import Contract, Digest, Name, Probability, StorableJson, digest

MAX_STEPS = 12

StepId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
JsonPointer = Annotated[str, Field(pattern=r"^(/([^~/]|~[01])*)*$", max_length=512)]
"""RFC 6901; the empty string is the whole value."""

PlanSource = Literal["planner", "repaired", "prior", "cached", "fallback", "edited"]
Rung = Literal["constrained_output", "parse", "schema", "semantics", "repair", "cache", "fallback"]
WayOut = Literal["answer_without_tools", "ask_user"]
HandoffStrategy = Literal["sequential", "parallel"]
PlannerMode = Literal["fused", "model", "prior"]
"""`fused`: prior and model together; `model`: the model alone; `prior`: no model is asked."""
ChoiceKind = Literal["tool", "agent", "fallback", "link", "way_out"]
DecidedBy = Literal["prior", "model", "both", "rule"]
"""`both`: each alone would have chosen the same, or only the two together did; `model`, `prior`: the one
against the other, or the only one heard; `rule`: there was nothing to choose."""


class LiteralValue(Contract):
    """A value fixed before anything untrusted is read; `origin` says who fixed it."""

    kind: Literal["literal"] = "literal"
    value: StorableJson
    origin: Literal["task", "planner", "person"] = "task"


class ResultReference(Contract):
    """A named field of an earlier step's result, evaluated by the runtime."""

    kind: Literal["reference"] = "reference"
    step: StepId
    tool: Name
    pointer: JsonPointer = ""


class TypedExtraction(Contract):
    """A typed value that a model takes from an earlier result's text."""

    kind: Literal["extraction"] = "extraction"
    step: StepId
    tool: Name
    json_type: Literal["string", "number", "integer", "boolean"]


class FreeText(Contract):
    """Text that the agent's model writes."""

    kind: Literal["free_text"] = "free_text"


ArgumentSource = Annotated[
    LiteralValue | ResultReference | TypedExtraction | FreeText, Field(discriminator="kind")
]


class CallBinding(Contract):
    """Where each argument of one planned call comes from. Arguments not named are free text."""

    tool: Name
    arguments: dict[str, ArgumentSource]


class PlannedAgentStep(Contract):
    """One agent's part of a plan."""

    id: StepId
    agent: Name
    tools: tuple[Name, ...] = ()
    fallback_tools: tuple[Name, ...] = ()
    depends_on: tuple[StepId, ...] = ()
    reason: Annotated[str, Field(max_length=500)] = ""
    confidence: Probability = 0.0
    bindings: tuple[CallBinding, ...] = ()


class Refusal(Contract):
    """Why one rung of the validity ladder refused a plan."""

    rung: Rung
    """`repair`: the model's second reply, after it was told what was wrong; `inner` says what was wrong."""
    inner: Rung | None = None
    """The rung on which the repaired plan was refused; set at rung `repair` only."""
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """A closed set, fit for a metric label; see docs/reference/refusals.md."""
    field: str = ""
    """Path of the offending field, e.g. `steps[0].tools[1]`; empty when the whole is meant."""
    message: str


class ConfidenceMethod(Contract):
    """How the numbers called confidence came about."""

    method: Literal["token_probability", "fused", "prior", "agreement", "stated", "none"] = "none"
    """`fused`: prior and token probabilities together; `prior`: no model was heard."""
    calibrated: bool = False


class PlanChoice(Contract):
    """One choice that a plan consists of: who decided it, and on what numbers."""

    kind: ChoiceKind
    step: StepId | None = None
    """None for a choice of the whole plan: a way out, or a tool that was left out."""
    value: Annotated[str, Field(max_length=200)]
    """What was chosen: a tool, an agent, a stand-in, the step whose result is used (`none` for no step), or
    the way out (`none` where a plan was made although the prior alone would have taken one)."""
    decided_by: DecidedBy
    model_share: Probability
    """The model's part in the fused evidence, by absolute contribution to the logit; 0: it was not heard."""
    prior: Probability
    """Of what was chosen, before the model was heard."""
    model: Probability | None = None
    """Of the same in the model's reply; None where the model said nothing about it."""
    fused: Probability


class PlanMetadata(Contract):
    """Where a plan comes from; part of the contract, so that whoever reads it sees how it was made."""

    handoff_strategy: HandoffStrategy = "sequential"
    source: PlanSource
    way_out: WayOut | None = None
    """Set when nothing in the catalog fits: answered without tools, or a question back to the user."""
    model: str | None = None
    latency_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    prompt_tokens: Annotated[int, Field(ge=0)] | None = None
    output_tokens: Annotated[int, Field(ge=0)] | None = None
    catalog_digest: Digest | None = None
    policy_digest: Digest | None = None
    prompt_version: str | None = None
    shortlist: tuple[Name, ...] = ()
    confidence_method: ConfidenceMethod = Field(default_factory=ConfidenceMethod)
    mode: PlannerMode | None = None
    """How the plan was made; None for one that no planner made."""
    model_share: Probability | None = None
    """The model's part in the whole plan: the mean over its choices."""
    choices: tuple[PlanChoice, ...] = ()
    """Who decided what."""
    refusals: tuple[Refusal, ...] = ()


class PlannerPlan(Contract):
    """A plan: steps, metadata, confidence, and nothing else."""

    schema_version: Literal[2] = 2
    steps: Annotated[tuple[PlannedAgentStep, ...], Field(min_length=1, max_length=MAX_STEPS)]
    metadata: PlanMetadata
    confidence: Probability = 0.0

    @model_validator(mode="after")
    def _is_well_formed(self) -> Self:
        seen: set[str] = set()
        for position, step in enumerate(self.steps):
            _check_step(step, position, seen)
            seen.add(step.id)
        return self

    def digest(self) -> str:
        """Name this exact plan; approvals are bound to it."""
        return digest(self.model_dump(mode="json"))

    def step(self, step_id: str) -> PlannedAgentStep:
        """Give the step of that id.

        Raises:
            KeyError: the plan has no such step.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


def _check_step(step: PlannedAgentStep, position: int, earlier: set[str]) -> None:
    where = f"steps[{position}]"
    if step.id in earlier:
        msg = f"{where}.id: '{step.id}' is used twice"
        raise ValueError(msg)
    named = (*step.tools, *step.fallback_tools)
    if len(set(named)) != len(named):
        msg = f"{where}: a tool is named twice among tools and fallback_tools"
        raise ValueError(msg)
    if step.fallback_tools and not step.tools:
        msg = f"{where}.fallback_tools: a step without tools has nothing to fall back from"
        raise ValueError(msg)
    for dependency in step.depends_on:
        if dependency not in earlier:
            msg = f"{where}.depends_on: '{dependency}' is not an earlier step"
            raise ValueError(msg)
    _check_bindings(step, where, named)


def _check_bindings(step: PlannedAgentStep, where: str, named: tuple[str, ...]) -> None:
    bound = [binding.tool for binding in step.bindings]
    if len(set(bound)) != len(bound) or not set(bound) <= set(named):
        msg = f"{where}.bindings: one binding at most for each tool that the step names"
        raise ValueError(msg)
    for binding in step.bindings:
        for name, source in binding.arguments.items():
            if isinstance(source, ResultReference | TypedExtraction) and source.step not in step.depends_on:
                msg = f"{where}.bindings.{binding.tool}.{name}: '{source.step}' is not in depends_on"
                raise ValueError(msg)


class PlanDecision(Contract):
    """The plan to follow and, where the model's own plan was refused, why."""

    plan: PlannerPlan | None
    """None when policy leaves nothing that may be done, not even the fallback."""
    refusals: tuple[Refusal, ...] = ()
