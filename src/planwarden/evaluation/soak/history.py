"""What really happened in one run, in its order: events of the record, and what tools and people noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import CallRefused
from planwarden.contracts.fold import advance, fold
from planwarden.contracts.run import RunState
from planwarden.contracts.value import Json, digest
from planwarden.evaluation.soak.judging.oracle import Came, Ran, Watch, plan_faults
from planwarden.evaluation.soak.world.parameters import NOTE
from planwarden.tools.tool import ToolContext


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One time that a tool began; noted by the tool itself."""

    tool: str
    arguments: Mapping[str, Json]
    """As they were at that moment; nobody else holds this copy."""
    context: ToolContext
    unlawful: str
    """Why the oracle says that it was not allowed; empty when it was."""
    ran: Ran
    given: str | None = None
    """Digest of what the tool gave, where that was JSON."""

    @property
    def step(self) -> str:
        """Give the step that the call was made for."""
        return self.context.call_id.rsplit(".", 1)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCall:
    """One call that the product refused, and what the oracle says of it."""

    fact: CallRefused
    why: str
    """Why it was right to refuse it; empty when it was wrong."""


Moment = RunEvent | Invocation
MOST_MOMENTS = 800
"""Of one run; the longest have some two hundred."""


class RunGoesOnAndOn(Exception):
    """The product carries a run on without end."""


@dataclass(slots=True, kw_only=True)
class History:
    """One run as it went."""

    watch: Watch
    moments: list[Moment] = field(default_factory=list[Moment])
    refused: list[RefusedCall] = field(default_factory=list[RefusedCall])
    unlawful_plans: list[str] = field(default_factory=list[str])
    unread: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """(step, tool) → how often it was asked for with what is no JSON object."""
    state: RunState | None = None
    """As the product folds it: what those who try to break out go by."""

    def tell(self, event: RunEvent) -> None:
        """Take in an event of the record.

        Raises:
            RunGoesOnAndOn: there are far too many of them.
        """
        if len(self.moments) > MOST_MOMENTS:
            raise RunGoesOnAndOn(f"more than {MOST_MOMENTS} events and invocations")
        if isinstance(event.fact, CallRefused):
            self.refused.append(RefusedCall(fact=event.fact, why=self._why_refused(event.fact)))
        self.moments.append(event)
        self.watch.see(event.fact)
        self.state = fold((event,)) if self.state is None else advance(self.state, event)
        if event.fact.kind == "plan_decided" and self.watch.plan is not None:
            self.unlawful_plans += plan_faults(self.watch.world, self.watch.plan)

    def _why_refused(self, fact: CallRefused) -> str:
        place = (fact.step, fact.tool)
        if self.unread[place] and not fact.arguments:
            self.unread[place] -= 1
            return "its arguments are no JSON object"
        return self.watch.why_not(fact.step, fact.tool, fact.arguments, asked_first=False)

    def begin(self, tool: str, arguments: Mapping[str, Json], context: ToolContext) -> Invocation:
        """Note that a tool begins."""
        own = deepcopy(dict(arguments))
        step = context.call_id.rsplit(".", 1)[0]
        unlawful = self.watch.why_not(step, tool, own)
        ran = self.watch.begin(step, tool, own)
        began = Invocation(tool=tool, arguments=own, context=context, unlawful=unlawful, ran=ran)
        self.moments.append(began)
        return began

    def end(self, began: Invocation, came: Came, value: Json = None) -> None:
        """Note what came of it, as the tool knows it."""
        began.ran.came = came
        began.given = digest(value) if came == "returned" else None

    def settle(self, call_id: str, *, done: bool) -> None:
        """Note that a person said what became of a call that nobody knew of."""
        for began in self.invocations:
            if began.context.call_id == call_id and began.ran.came == "unclear":
                began.ran.came = "returned" if done else "not_done"

    @property
    def invocations(self) -> tuple[Invocation, ...]:
        """Give what the tools noted."""
        return tuple(each for each in self.moments if isinstance(each, Invocation))

    def noted(self, note: str) -> bool:
        """Say whether any tool really began with this note among its arguments."""
        return any(each.arguments.get(NOTE) == note for each in self.invocations)
