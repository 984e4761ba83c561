"""The planner's model of a soak: writes plans in the notation, and now and then what is none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, cast

from planwarden.contracts.plan import Rung
from planwarden.evaluation.soak.history import History
from planwarden.evaluation.soak.ledger import Ledger, PlannerKind, ShownByPlanRefusal
from planwarden.evaluation.soak.world.making import World
from planwarden.llm.service import LLMRequest
from planwarden.planning.notation.item import ASK, NONE

MOST_ITEMS = 4
GARBAGE = (
    "",
    "\x00\xff{",
    "Sure! Here is your plan: first I look up the order.",
    '{"plan":["orders.lookup"',
    "[" * 3_000,
    '{"plan":null}',
    '{"steps":[{"agent":"root","tools":["*"]}]}',
    "half \ud800",
)
KINDS: tuple[PlannerKind, ...] = (
    "plan_garbage",
    "plan_unknown_tool",
    "plan_unknown_agent",
    "plan_denied_tool",
    "plan_cycle",
    "plan_oversize",
)
FIRST: tuple[Rung, ...] = ("parse", "schema", "semantics")
SECOND: tuple[Rung, ...] = ("repair",)


@dataclass(slots=True, kw_only=True)
class PlannerMind:
    """One run's planner."""

    world: World
    history: History
    ledger: Ledger
    rng: Random
    appetite: float
    """Probability that a reply is no plan."""
    asked: int = 0

    def reply(self, request: LLMRequest) -> str:
        """Write a plan, or what is none."""
        self.asked += 1
        items = _items(request)
        good = self._good(items)
        if self.rng.random() >= self.appetite:
            return good
        wrong = self._wrong(items, good)
        kind = self.ledger.rarest(list(wrong))
        rungs = FIRST if self.asked == 1 else SECOND
        self.ledger.add(kind, ShownByPlanRefusal(rungs=rungs), since=len(self.history.moments))
        return wrong[kind]

    def _good(self, items: Sequence[Sequence[str]]) -> str:
        count = self.rng.randint(1, max(1, min(MOST_ITEMS, len(items))))
        plan = [self.rng.choice(place) for place in items[:count]]
        return json.dumps({"plan": plan or [NONE], "why": "as it was asked"})

    def _wrong(self, items: Sequence[Sequence[str]], good: str) -> Mapping[PlannerKind, str]:
        """Write a plan that must be refused, in each way that there is here."""
        first = items[0][0] if items else ASK
        tool = first.split("<")[0]
        wrong: dict[PlannerKind, list[str] | str] = {
            "plan_garbage": self.rng.choice((*GARBAGE, good[:-3], good + good)),
            "plan_unknown_tool": [first, "admin.delete_all"],
            "plan_unknown_agent": [f"root_agent/{tool.rsplit('/', 1)[-1]}"],
            "plan_cycle": [f"{tool}<2", f"{tool}<1"],
            "plan_oversize": [tool] * 40,
        }
        denied = sorted(
            set(self.world.tools) - {tool for own in self.world.held for tool in self.world.may(own)}
        )
        if denied:
            wrong["plan_denied_tool"] = [self.rng.choice(denied)]
        return {
            kind: said if isinstance(said, str) else json.dumps({"plan": said, "why": "so it is"})
            for kind, said in wrong.items()
        }


def _items(request: LLMRequest) -> list[list[str]]:
    """Read what may stand at each place of a plan, as the request's schema says."""
    schema = cast("dict[str, Any]", request.output_schema or {})
    places = cast("dict[str, dict[str, list[str]]]", schema.get("$defs") or {})
    return [place["enum"] for place in places.values()]
