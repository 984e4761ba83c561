"""What a model's reply says, as probabilities: one value, whatever the server reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from planwarden.planning.prior import PlanItem

EvidenceMethod = Literal["token_probability", "none"]
"""`none`: the server reported no token probabilities, so the model's word is a hard choice."""

SAID = 0.8
"""What a hard choice is taken for where the model named something."""
UNSAID = 0.05
"""And where it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvidence:
    """What one reply says of each choice. Probabilities are those of whole names under the grammar."""

    items: tuple[PlanItem, ...]
    """The plan as written; empty for a way out."""
    tools: Mapping[str, float]
    """Every tool shown → probability that it is in the model's plan, along the path it took."""
    repeats: Mapping[str, float] = field(default_factory=dict[str, float])
    """Tool → probability that it is there more than once, given that it is."""
    links: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """(first, second) → that the second uses the first's result; only pairs of the plan as written."""
    agents: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """Tool of the plan as written → agent → probability."""
    fallbacks: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """Tool of the plan as written → stand-in → probability."""
    none: float = 0.0
    """That nothing fits."""
    ask: float = 0.0
    """That the request is unclear."""
    chosen: tuple[float, ...] = ()
    """For each item as written the probability of its tool and agent, then that of ending there; for a way
    out its own alone. Empty where it was not measured."""
    path: float = 0.0
    """Probability of the whole reply under the grammar; 0 where it was not measured."""
    method: EvidenceMethod = "none"
