"""A plan benchmark: every task attempted and scored, the scores put together per source and overall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from planwarden.evaluation.contestants import Attempted, Contestant
from planwarden.evaluation.intervals import (
    Estimate,
    Spread,
    macro_estimate,
    mean_spread,
    paired_estimate,
    spread_of,
)
from planwarden.evaluation.plan_scores import MEASURES, PlanScore, score_plan
from planwarden.evaluation.plan_tasks import PlanTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One task, what came of it, and its scores."""

    task: PlanTask
    attempted: Attempted
    score: PlanScore


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a plan cost: medians and quartiles."""

    seconds: Spread
    """From the request to the plan; without building what is kept for the catalog."""
    index_seconds: Spread
    """Building what is kept for the catalog, once."""
    prompt_tokens: Spread
    cached_tokens: Spread
    """Of the prompt's, those that the model had read before."""
    output_tokens: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The scores of some tasks put together, and what a plan cost."""

    name: str
    tasks: int
    scores: Mapping[str, Estimate]
    """Measure → estimate; a measure that no task has is left out."""
    cost: Cost
    """Of `macro`: the unweighted means over sources of their medians and of their quartiles."""
    sources: Mapping[str, int]
    """How many plans came from where: `planner`, `repaired`, `fallback`, …"""


async def run_benchmark(
    tasks: Sequence[PlanTask], contestant: Contestant, progress: Callable[[Judged], None]
) -> tuple[Judged, ...]:
    """Have every task attempted, one after the other, and score it."""
    judged: list[Judged] = []
    for task in tasks:
        attempted = await contestant.attempt(task)
        judged.append(Judged(task=task, attempted=attempted, score=score_plan(task, attempted.prediction)))
        progress(judged[-1])
    return tuple(judged)


def summarise(judged: Sequence[Judged]) -> tuple[Summary, ...]:
    """Give each source, then `all` (every task alike), then `macro` (every source alike). Pure."""
    groups = _by_source(judged)
    summaries = [_summary(name, each) for name, each in groups.items()]
    if len(groups) == 1:
        return (*summaries, _summary("all", judged))
    macro = Summary(
        name="macro",
        tasks=len(judged),
        scores=_scores(groups),
        cost=_mean_cost([each.cost for each in summaries]),
        sources=_sources(judged),
    )
    return (*summaries, _summary("all", judged), macro)


def difference(
    first: Sequence[Judged], second: Sequence[Judged], measure: str, *, macro: bool = False
) -> Estimate | None:
    """Give how much `second` scores above `first` on the same tasks, paired; None where none has the measure.

    Args:
        first: what is compared with.
        second: the same tasks, in any order.
        measure: one of `MEASURES`.
        macro: weigh every source alike, else every task.

    Raises:
        KeyError: a task of `first` is not in `second`.
    """
    other = {each.task.id: each for each in second}
    groups: dict[str, list[tuple[float, float]]] = {}
    for each in first:
        pair = getattr(each.score, measure), getattr(other[each.task.id].score, measure)
        if pair[0] is not None:
            groups.setdefault(each.task.source if macro else "", []).append(pair)
    return paired_estimate(groups) if groups else None


def _by_source(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = {}
    for each in judged:
        groups.setdefault(each.task.source, []).append(each)
    return groups


def _summary(name: str, judged: Sequence[Judged]) -> Summary:
    return Summary(
        name=name,
        tasks=len(judged),
        scores=_scores({name: judged}),
        cost=_cost(judged),
        sources=_sources(judged),
    )


def _sources(judged: Sequence[Judged]) -> dict[str, int]:
    return dict(Counter(each.attempted.source for each in judged))


def _scores(groups: Mapping[str, Sequence[Judged]]) -> dict[str, Estimate]:
    """Give each measure's mean over groups of their means; one that no task has is left out."""
    found: dict[str, Estimate] = {}
    for measure in MEASURES:
        values = {name: _values(judged, measure) for name, judged in groups.items()}
        if any(values.values()):
            found[measure] = macro_estimate(values)
    return found


def _values(judged: Iterable[Judged], measure: str) -> list[float]:
    found: list[float | None] = [getattr(each.score, measure) for each in judged]
    return [value for value in found if value is not None]


def _cost(judged: Sequence[Judged]) -> Cost:
    attempted = [each.attempted for each in judged]
    return Cost(
        seconds=spread_of([each.seconds for each in attempted]),
        index_seconds=spread_of([each.index_seconds for each in attempted]),
        prompt_tokens=spread_of([each.usage.prompt_tokens for each in attempted]),
        cached_tokens=spread_of([each.usage.cached_tokens for each in attempted]),
        output_tokens=spread_of([each.usage.output_tokens for each in attempted]),
    )


def _mean_cost(costs: Sequence[Cost]) -> Cost:
    return Cost(
        seconds=mean_spread(each.seconds for each in costs),
        index_seconds=mean_spread(each.index_seconds for each in costs),
        prompt_tokens=mean_spread(each.prompt_tokens for each in costs),
        cached_tokens=mean_spread(each.cached_tokens for each in costs),
        output_tokens=mean_spread(each.output_tokens for each in costs),
    )
