"""Having the labelled tasks planned over the shipped catalog and policy, and putting the scores together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from planwarden.catalog.catalog import Catalog
from planwarden.configuration.catalog_file import AssembledCatalog, assemble, load_catalog_file
from planwarden.contracts.clock import Clock
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.task import Task
from planwarden.evaluation.contestants import Plans
from planwarden.evaluation.intervals import Estimate, estimate, spread_of
from planwarden.evaluation.own_scores import OWN_MEASURES, OwnScore, score_own
from planwarden.evaluation.own_tasks import OwnTask
from planwarden.evaluation.plan_benchmark import Cost, Summary
from planwarden.policy.rules import ToolPolicy
from planwarden.tools.builtin import open_builtins
from planwarden.tools.data_sources import open_sources

Item = TypeVar("Item")

GROUPS: Mapping[str, Callable[[OwnTask], bool]] = {
    "all": lambda _: True,
    "english": lambda task: task.language == "en",
    "other languages": lambda task: task.language != "en",
    "one step": lambda task: len(task.gold.steps) == 1,
    "several steps": lambda task: len(task.gold.steps) > 1,
    "nothing fits": lambda task: task.gold.way_out is not None,
}
"""What scores are put together for; a group without tasks is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAttempt:
    """What came of one task, its scores, and what it cost."""

    task: OwnTask
    plan: PlannerPlan | None
    score: OwnScore
    seconds: float
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    """Of the prompt's, those that the model had read before."""
    index_seconds: float = 0.0
    """Indexing the catalog, which is done once; not part of `seconds`."""
    error: str = ""
    """Why the plan was refused or is missing, as far as it was."""

    @property
    def source(self) -> str:
        """Give the plan's own `source`, or `none` where there is no plan."""
        return self.plan.metadata.source if self.plan else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnContestant:
    """The product's planner over one catalog and policy."""

    planner: Plans
    catalog: Catalog
    policy: ToolPolicy
    clock: Clock

    async def attempt(self, task: OwnTask) -> OwnAttempt:
        """Plan as the product does, and score it."""
        started = self.clock.monotonic()
        self.planner.prepare(self.catalog)
        began = self.clock.monotonic()
        planning = await self.planner.plan(Task(prompt=task.request), self.catalog, self.policy)
        seconds = self.clock.monotonic() - began
        refused = planning.decision.refusals
        return OwnAttempt(
            task=task,
            plan=planning.decision.plan,
            score=score_own(task, planning.decision.plan),
            seconds=seconds,
            prompt_tokens=sum(exchange.usage.prompt_tokens for exchange in planning.exchanges),
            output_tokens=sum(exchange.usage.output_tokens for exchange in planning.exchanges),
            cached_tokens=sum(exchange.usage.cached_tokens for exchange in planning.exchanges),
            index_seconds=began - started,
            error=f"{refused[-1].rung}: {refused[-1].message}" if refused else "",
        )


def shipped_world(state: Path) -> AssembledCatalog:
    """Make the catalog and policy that ship, over the samples that ship, whatever is configured here. Blocks.

    Args:
        state: a folder that the tools may keep state in; planning puts nothing there.
    """
    builtins = open_builtins(open_sources((), folder=state), state / "workspace", state / "tools")
    return assemble(load_catalog_file(None), builtins.tools, {}, builtins.unavailable)


def spread(tasks: Sequence[Item], limit: int | None) -> tuple[Item, ...]:
    """Give at most `limit` tasks, as far apart as the count allows, in their order. Pure."""
    count = len(tasks) if limit is None else min(limit, len(tasks))
    return tuple(tasks[place * len(tasks) // count] for place in range(count))


async def run_own(
    tasks: Sequence[OwnTask], contestant: OwnContestant, progress: Callable[[OwnAttempt], None]
) -> tuple[OwnAttempt, ...]:
    """Have every task planned, one after the other; `progress` hears of each as it is done."""
    attempts: list[OwnAttempt] = []
    for task in tasks:
        attempts.append(await contestant.attempt(task))
        progress(attempts[-1])
    return tuple(attempts)


def summarise_own(attempts: Sequence[OwnAttempt]) -> tuple[Summary, ...]:
    """Put the scores together for each group that has tasks, `all` first. Pure."""
    groups = {name: [each for each in attempts if holds(each.task)] for name, holds in GROUPS.items()}
    return tuple(_summary(name, group) for name, group in groups.items() if group)


def _summary(name: str, attempts: Sequence[OwnAttempt]) -> Summary:
    found = {measure: _estimate(attempts, measure) for measure in OWN_MEASURES}
    return Summary(
        name=name,
        tasks=len(attempts),
        scores={measure: value for measure, value in found.items() if value is not None},
        cost=Cost(
            seconds=spread_of([each.seconds for each in attempts]),
            index_seconds=spread_of([each.index_seconds for each in attempts]),
            prompt_tokens=spread_of([each.prompt_tokens for each in attempts]),
            cached_tokens=spread_of([each.cached_tokens for each in attempts]),
            output_tokens=spread_of([each.output_tokens for each in attempts]),
        ),
        sources=dict(Counter(each.source for each in attempts)),
    )


def _estimate(attempts: Sequence[OwnAttempt], measure: str) -> Estimate | None:
    found: list[float | None] = [getattr(each.score, measure) for each in attempts]
    values = [value for value in found if value is not None]
    return estimate(values) if values else None
