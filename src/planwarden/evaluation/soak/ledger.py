"""What was seeded: each violation with id, kind, where it was tried, and what has to be found for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

from planwarden.contracts.calls import RefusalKind
from planwarden.contracts.deviations import DeviationKind
from planwarden.contracts.plan import Rung
from planwarden.contracts.turns import FallReason

AgentKind = Literal[
    "unplanned_tool",
    "foreign_tool",
    "unknown_tool",
    "denied_tool",
    "arguments_over_bound",
    "arguments_break_schema",
    "arguments_no_json",
    "fallback_too_early",
    "out_of_order",
    "effect_twice",
    "calls_over_budget",
    "tokens_over_budget",
    "answer_too_early",
    "injection_obeyed",
]
"""What an agent's model tries."""
PlannerKind = Literal[
    "plan_garbage",
    "plan_unknown_tool",
    "plan_unknown_agent",
    "plan_denied_tool",
    "plan_cycle",
    "plan_oversize",
]
"""What the planner's model writes."""
ToolKind = Literal["tool_calls_tool", "tool_calls_itself", "tool_runs_ahead", "call_after_step"]
"""What a tool tries with a session that it took."""
PersonKind = Literal[
    "brought_plan_cycle",
    "brought_plan_oversize",
    "brought_plan_denied",
    "approval_missing",
    "approval_forged",
    "approval_denied",
    "plan_approval_forged",
    "plan_edited_after_approval",
    "policy_tightened",
]
"""What people and hands beside the run try."""
TamperKind = Literal[
    "byte_flipped", "event_altered", "event_dropped", "tail_dropped", "payloads_swapped", "event_inserted"
]
"""What is done to the journal's file."""
ViolationKind = AgentKind | PlannerKind | ToolKind | PersonKind | TamperKind

Kind = TypeVar("Kind", bound=ViolationKind)

KINDS: tuple[ViolationKind, ...] = tuple(
    kind for each in (AgentKind, PlannerKind, ToolKind, PersonKind, TamperKind) for kind in get_args(each)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownByRefusal:
    """The record has to hold a refused call of the step and tool, of one of these kinds."""

    refusals: tuple[RefusalKind, ...]
    by_note: bool = True
    """Whether the violation's id stands in the note of its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownByDeviation:
    """The record has to hold a deviation of this kind at the step."""

    deviation: DeviationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownByFall:
    """The record has to say that the step fell to directed execution for this reason."""

    reason: FallReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownByPlanRefusal:
    """The plan's decision has to hold a refusal on one of these rungs."""

    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBySoak:
    """Whoever seeded it looked at once, and says here whether it was caught."""

    caught: bool


Proof = ShownByRefusal | ShownByDeviation | ShownByFall | ShownByPlanRefusal | SeenBySoak


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """One violation that was tried."""

    id: str
    """Also the note in the arguments of the call, where it is one."""
    kind: ViolationKind
    proof: Proof
    since: int
    """How many moments of the run's history came before it."""
    step: str | None = None
    tool: str | None = None
    """As it was asked for."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The violations of one run, and how often each kind was seeded by all runs before."""

    run_id: str
    before: Counter[ViolationKind]
    seeded: list[Seeded] = field(default_factory=list[Seeded])

    def next_id(self) -> str:
        """Give the id that the next violation will have."""
        return f"{self.run_id}-v{len(self.seeded) + 1}"

    def add(
        self,
        kind: ViolationKind,
        proof: Proof,
        *,
        since: int,
        step: str | None = None,
        tool: str | None = None,
    ) -> None:
        """Enter a violation as tried."""
        self.seeded.append(
            Seeded(id=self.next_id(), kind=kind, proof=proof, since=since, step=step, tool=tool)
        )

    def rarest(self, kinds: Sequence[Kind]) -> Kind:
        """Give the kind that was seeded least so far, the first of several."""
        own = Counter(each.kind for each in self.seeded)
        return min(kinds, key=lambda kind: self.before[kind] + own[kind])
