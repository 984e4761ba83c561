"""A plan benchmark: every task attempted and scored, the scores put together per source and overall."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from planwarden.evaluation.contestants import Attempted, Contestant
from planwarden.evaluation.intervals import Estimate, estimate, macro_estimate
from planwarden.evaluation.plan_scores import MEASURES, PlanScore, score_plan
from planwarden.evaluation.plan_tasks import PlanTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One task, what came of it, and its scores."""

    task: PlanTask
    attempted: Attempted
    score: PlanScore


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The scores of some tasks put together, and what a plan cost (medians)."""

    name: str
    tasks: int
    scores: Mapping[str, Estimate]
    """Measure → estimate; a measure that no task has is left out."""
    seconds: float
    prompt_tokens: float
    output_tokens: float
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
    sources = dict.fromkeys(each.task.source for each in judged)
    groups = {source: [each for each in judged if each.task.source == source] for source in sources}
    summaries = [_summary(name, each, _pooled) for name, each in groups.items()]
    summaries.append(_summary("all", judged, _pooled))
    if len(groups) > 1:
        summaries.append(_summary("macro", judged, _by_source))
    return tuple(summaries)


def _summary(
    name: str, judged: Sequence[Judged], combine: Callable[[Sequence[Judged], str], Estimate | None]
) -> Summary:
    found = {measure: combine(judged, measure) for measure in MEASURES}
    counted: dict[str, int] = {}
    for each in judged:
        counted[each.attempted.source] = counted.get(each.attempted.source, 0) + 1
    return Summary(
        name=name,
        tasks=len(judged),
        scores={measure: value for measure, value in found.items() if value is not None},
        seconds=median(each.attempted.seconds for each in judged),
        prompt_tokens=median(each.attempted.usage.prompt_tokens for each in judged),
        output_tokens=median(each.attempted.usage.output_tokens for each in judged),
        sources=counted,
    )


def _values(judged: Iterable[Judged], measure: str) -> list[float]:
    found: list[float | None] = [getattr(each.score, measure) for each in judged]
    return [value for value in found if value is not None]


def _pooled(judged: Sequence[Judged], measure: str) -> Estimate | None:
    values = _values(judged, measure)
    return estimate(values) if values else None


def _by_source(judged: Sequence[Judged], measure: str) -> Estimate | None:
    sources = dict.fromkeys(each.task.source for each in judged)
    groups = {
        source: _values((each for each in judged if each.task.source == source), measure)
        for source in sources
    }
    return macro_estimate(groups) if any(groups.values()) else None
