"""The report of a shadow run, as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from planwarden.contracts.value import Contract

Winner = Literal["first", "second", "neither", "untold"]
"""`neither`: the difference is too small to matter, whoever is ahead; `untold`: nothing can be told."""

Who = Literal["first", "second", "both", "neither", "unknown"]


class Figure(Contract):
    """A mean with its 95 % bootstrap interval, over how many tasks."""

    mean: float
    low: float
    high: float
    count: int


class Quartiles(Contract):
    """The median, and between which quartiles the middle half lies."""

    median: float
    low: float
    high: float


class Price(Contract):
    """What a million tokens cost; nothing for a local model."""

    tokens_in: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    tokens_out: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class SideReport(Contract):
    """How one side did, whatever the other said."""

    name: str
    describes: str
    tasks: int
    valid: Figure
    """There is a plan, and it may be followed under catalog and policy."""
    unaided: Figure
    """And nothing was refused on the way to it."""
    issues: Mapping[str, int]
    """Why plans may not be followed, and how many of each."""
    sources: Mapping[str, int]
    """How many plans came from where."""
    seconds: Quartiles | None
    """For a plan; None where nobody measured it."""
    prompt_tokens: Quartiles
    output_tokens: Quartiles
    total_prompt_tokens: int
    total_output_tokens: int
    price: Price
    cost: float
    """Of all these plans, in the currency of the prices."""


class KnownReport(Contract):
    """Which side was right, where that is known in one way."""

    evidence: Literal["gold", "person", "ran"]
    counts: bool
    """Whether the verdict rests on it."""
    tasks: int
    first: Mapping[str, Figure]
    second: Mapping[str, Figure] | None
    gain: Mapping[str, Figure] | None
    """How much the first is above the second, task by task."""


class Difference(Contract):
    """A task for which the sides plan differently."""

    task: str
    first: tuple[str, ...]
    """Tools, or the way out."""
    second: tuple[str, ...]
    right: Who


class Verdict(Contract):
    """What the figures say, in a sentence."""

    winner: Winner
    sentence: str


class Tally(Contract):
    """Which tasks were looked at."""

    compared: int
    known: int
    """Of these, how many have a known right plan that counts."""
    fitted: int
    """Of these, how many planner or router were fitted on."""
    left_out: Mapping[str, int]
    """Why tasks were left out, and how many."""


class ShadowReport(Contract):
    """What a shadow run found."""

    schema_version: Literal[1] = 1
    tasks: Tally
    first: SideReport
    second: SideReport | None
    agreement: Mapping[str, Figure]
    known: tuple[KnownReport, ...]
    differences: tuple[Difference, ...]
    """The first of the tasks that are planned differently."""
    differing: int
    """How many there are of these."""
    notes: tuple[str, ...]
    verdict: Verdict
