"""What is known of a request before any model is asked: the values, and the port of who says it.

A prior is pure given an index: the same request over the same catalog and policy has the same prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.policy.rules import ToolPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanItem:
    """One step of a plan as the notation has it: one tool."""

    tool: str
    agent: str | None = None
    """None where it need not be said: one agent only may call the tool."""
    fallback: str | None = None
    uses: tuple[int, ...] = ()
    """Numbers of the steps whose results it uses, counted from 1, each smaller than its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorExample:
    """A request that was planned before, to be shown to the model."""

    request: str
    items: tuple[PlanItem, ...] = ()
    """Empty: nothing fitted, and `general_agent` answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPrior:
    """What is known of one tool for one request."""

    name: str
    probability: float
    """That it is in the plan."""
    place: float = 0.5
    """Where in the plan it is expected, from 0 (first) to 1 (last)."""
    repeats: float = 0.0
    """Probability that it is used more than once, given that it is used."""
    reason: str = ""
    """Why, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Everything known of a plan before a model is asked. Only catalog ∩ policy is ever in it."""

    tools: tuple[ToolPrior, ...]
    """Best first."""
    agents: Mapping[str, tuple[tuple[str, float], ...]]
    """Tool → the agents that may call it with the probability that each is the right one, best first; every
    tool of `tools` has one at least."""
    links: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """(first, second) → probability that the second uses the first's result, given that both are planned."""
    default_link: float = 0.1
    """The same, for pairs that are not in `links`."""
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Tool → what may stand in for it, best first."""
    none: float = 0.0
    """Probability that no tool fits."""
    ask: float = 0.0
    """Probability that the request is too unclear to be planned."""
    examples: tuple[PriorExample, ...] = ()
    """Remembered requests to show to the model, the nearest last."""

    def link(self, first: str, second: str) -> float:
        """Give the probability that `second` uses the result of `first`."""
        return self.links.get((first, second), self.default_link)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorRequest:
    """What a prior is asked for."""

    text: str
    catalog: Catalog
    policy: ToolPolicy
    earlier: tuple[str, ...] = ()
    """Requests of the same conversation before this one, oldest first."""
    tenant: str = "default"
    """Whose memory may be used; no other's."""
    conversation: str | None = None
    remembered: tuple[RememberedPlan, ...] = ()
    """Plans that worked, as recalled for this tenant and conversation."""
    groundable_only: bool = False
    """Arguments will be taken from the request alone: a tool for which it names no value gives way to one
    that is near and for which it does."""


class PriorSource(Protocol):
    """Where priors come from: retrieval alone, or the learned ranker."""

    def prior(self, request: PriorRequest) -> Prior:
        """Give what is known of a request; pure given the source's index."""
        ...

    def prepare(self, catalog: Catalog) -> None:
        """Make a catalog's index, which is kept, ahead of the first request over it."""
        ...

    def close(self) -> None:
        """Drop the indexes."""
        ...
