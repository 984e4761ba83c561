"""What is remembered of a plan: a request, what did it, and where that is known from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from planwarden.contracts.plan import MAX_STEPS, HandoffStrategy, WayOut
from planwarden.contracts.value import Contract, Digest, Name

MAX_REQUEST_CHARS = 2_000
"""Of a request as it is remembered, in characters; the middle of a longer one is left out."""

Origin = Literal["run", "edit", "example", "file"]
"""`run`: a planned run that completed; `edit`: one that followed a plan a person brought along; `example`:
given by `planwarden memory add`; `file`: read from a file of tasks, for a benchmark."""
LEARNED: frozenset[Origin] = frozenset({"run", "edit"})
"""What the journal can teach again."""

ToolLabel = Annotated[str, Field(min_length=1, max_length=256)]
"""A tool as it was named; that it exists is checked when a plan is followed, not here."""


class RememberedStep(Contract):
    """One step of a remembered plan."""

    agent: Name | None
    """None where only the tools are known, as in files of tasks."""
    tools: tuple[ToolLabel, ...] = ()
    fallback_tools: tuple[ToolLabel, ...] = ()
    depends_on: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Positions of earlier steps, from 0."""


class RememberedPlan(Contract):
    """A request and the plan that did it."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    """Made of the content, so that the same lesson has the same id; unique within its tenant."""
    tenant: Annotated[str, Field(min_length=1, max_length=256)]
    conversation: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Set: only this conversation may see it. None: the whole tenant may."""
    request: Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_CHARS)]
    repeat_key: Digest | None = None
    """Names the whole request; None where its plan is never to be followed again as it is."""
    steps: Annotated[tuple[RememberedStep, ...], Field(max_length=MAX_STEPS)]
    handoff: HandoffStrategy = "sequential"
    way_out: WayOut | None = None
    origin: Origin
    catalog_digest: Digest | None = None
    policy_digest: Digest | None = None
    at: AwareDatetime | None = None
    """When the run ended or the example was given; None where nobody knows."""
    run_id: str | None = None
    """The newest run that taught it."""

    @model_validator(mode="after")
    def _builds_on_earlier_steps(self) -> Self:
        for position, step in enumerate(self.steps):
            if any(before >= position for before in step.depends_on):
                msg = f"steps[{position}].depends_on: names a step that is not an earlier one"
                raise ValueError(msg)
        return self
