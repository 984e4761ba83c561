"""Fitting the router: coordinate descent over its settings, judged in cross-validation. Pure.

Each knob is tried at each of its values with the others as they are, and the best is kept, until a round
changes nothing; from more than one start. The figures are of five folds, each routed by settings for which
the others alone were looked at. What ships is then fitted on all tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from statistics import fmean

from planwarden.catalog.catalog import Catalog
from planwarden.evaluation.calibration.tasks import CalibrationTask, Wanted, judge, tasks_digest
from planwarden.evaluation.intervals import estimate
from planwarden.evaluation.router.bm25 import Question, RouterIndex, index_of, question_of
from planwarden.evaluation.router.route import route
from planwarden.evaluation.router.router import Pairs, agents_of, may_answer
from planwarden.evaluation.router.settings import RouterRecord, RouterSettings, Scored
from planwarden.planning.permitted import allowed_pairs

FOLDS = 5
ROUNDS = 6
GRID: Mapping[str, tuple[object, ...]] = {
    "k1": (0.4, 0.8, 1.2, 1.6, 2.0, 3.0),
    "b": (0.0, 0.25, 0.5, 0.75, 1.0),
    "keyword_boost": (0.0, 0.25, 0.5, 1.0, 2.0, 4.0),
    "example_weight": (0.0, 0.25, 0.5, 1.0, 2.0, 4.0),
    "topic_weight": (0.0, 0.25, 0.5, 1.0, 2.0),
    "by_clause": (False, True),
    "heard": (0.0, 0.2, 0.35, 0.5, 0.65, 0.8),
    "near": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "most": (1, 2, 3, 4, 6),
    "repeats": (False, True),
    "least": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5),
    "ask_below": (0, 1, 2, 3),
    "handoff": ("none", "chain", "words"),
    "agent_rule": ("specialised", "described"),
}
"""Every knob, with the values that are tried."""
STARTS = (
    RouterSettings(),
    RouterSettings(by_clause=False, most=3, near=0.7, handoff="chain"),
)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A task, held against its tools once."""

    task: CalibrationTask
    question: Question
    pairs: Pairs
    usable: frozenset[str]
    may_leave: bool
    weight: float

    @property
    def fold(self) -> int:
        return int(sha256(self.task.id.encode()).hexdigest(), 16) % FOLDS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """How right one route is."""

    node_f1: float
    exact: float
    agents: float | None

    @property
    def worth(self) -> float:
        """Give what is fitted for: all that is judged, alike."""
        known = [self.node_f1, self.exact, *([] if self.agents is None else [self.agents])]
        return fmean(known)


@dataclass(slots=True)
class _Bench:
    """Routes every task under settings once, and remembers the results."""

    tasks: tuple[_Prepared, ...]
    known: dict[RouterSettings, tuple[_Result, ...]] = field(
        default_factory=dict[RouterSettings, tuple[_Result, ...]]
    )

    def results(self, settings: RouterSettings) -> tuple[_Result, ...]:
        if settings not in self.known:
            self.known[settings] = tuple(_routed(each, settings) for each in self.tasks)
        return self.known[settings]

    def worth(self, settings: RouterSettings, fold: int | None) -> float:
        """Give the mean worth over the tasks outside a fold."""
        kept = [
            (each.weight, result.worth)
            for each, result in zip(self.tasks, self.results(settings), strict=True)
            if each.fold != fold
        ]
        return sum(weight * worth for weight, worth in kept) / sum(weight for weight, _ in kept)


def fit_router(
    tasks: Sequence[CalibrationTask], *, at: str, progress: Progress = lambda _: None
) -> RouterRecord:
    """Fit the router, and measure it on tasks that it was not fitted on.

    Tasks over one catalog and tasks that bring their own tools count half each, where there are both: the
    router has to do for either. Blocks for minutes.

    Args:
        tasks: a hundred at least, to be of use; with agents where it is known who is right.
        at: the day, for the record.
        progress: is told what is being done.
    """
    progress(f"reading {len(tasks)} tasks")
    bench = _Bench(_prepared(tasks))
    held_out: list[_Result] = []
    for fold in range(FOLDS):
        progress(f"fold {fold + 1} of {FOLDS}")
        if all(each.fold == fold for each in bench.tasks):
            continue
        results = bench.results(_descended(bench, fold))
        held_out += [r for each, r in zip(bench.tasks, results, strict=True) if each.fold == fold]
    progress("all tasks")
    settings = _descended(bench, None)
    agents = [result.agents for result in held_out if result.agents is not None]
    return RouterRecord(
        settings=settings,
        fitted_on=dict(Counter(task.source for task in tasks)),
        tasks_digest=tasks_digest(tasks),
        tried=len(bench.known),
        node_f1=_scored([result.node_f1 for result in held_out]),
        exact=_scored([result.exact for result in held_out]),
        agents=_scored(agents) if agents else None,
        at=at,
    )


def _scored(values: Sequence[float]) -> Scored:
    found = estimate(values)
    return Scored(
        mean=round(found.mean, 4), low=round(found.low, 4), high=round(found.high, 4), count=found.count
    )


def _descended(bench: _Bench, fold: int | None) -> RouterSettings:
    """Give the best settings found for the tasks outside a fold."""
    found = [_descent(bench, start, fold) for start in STARTS]
    return max(found, key=lambda settings: bench.worth(settings, fold))


def _descent(bench: _Bench, settings: RouterSettings, fold: int | None) -> RouterSettings:
    best = bench.worth(settings, fold)
    for _ in range(ROUNDS):
        before = settings
        for knob, values in GRID.items():
            for value in values:
                tried = settings.model_copy(update={knob: value})
                if (worth := bench.worth(tried, fold)) > best + 1e-9:
                    settings, best = tried, worth
        if settings == before:
            break
    return settings


def _prepared(tasks: Sequence[CalibrationTask]) -> tuple[_Prepared, ...]:
    shared = Counter(id(task.catalog) for task in tasks)
    kinds = Counter(shared[id(task.catalog)] > 1 for task in tasks)
    indexes: dict[int, RouterIndex] = {}
    return tuple(_prepare(task, indexes, 1.0 / kinds[shared[id(task.catalog)] > 1]) for task in tasks)


def _prepare(task: CalibrationTask, indexes: dict[int, RouterIndex], weight: float) -> _Prepared:
    pairs = allowed_pairs(task.catalog, task.policy)
    return _Prepared(
        task=task,
        question=question_of(task.request, _index(task.catalog, indexes)),
        pairs=pairs,
        usable=frozenset(tool for tools in pairs.values() for tool in tools),
        may_leave=may_answer(task.catalog, task.policy),
        weight=weight,
    )


def _index(catalog: Catalog, indexes: dict[int, RouterIndex]) -> RouterIndex:
    if id(catalog) not in indexes:
        indexes[id(catalog)] = index_of(tuple(catalog.tools.values()))
    return indexes[id(catalog)]


def _routed(each: _Prepared, settings: RouterSettings) -> _Result:
    routed = route(each.question, each.usable, settings, may_leave=each.may_leave)
    agents = agents_of(routed.tools, each.task.request, each.task.catalog, each.pairs, settings.agent_rule)
    own = tuple(agents[tool] for tool in routed.tools)
    said = Wanted(tools=routed.tools, agents=own, edges=routed.edges, way_out=routed.way_out)
    verdict = judge(each.task, said)
    return _Result(node_f1=verdict.node_f1, exact=float(verdict.exact), agents=_agents_right(each.task, said))


def _agents_right(task: CalibrationTask, said: Wanted) -> float | None:
    known = [each for each in task.wanted if each.agents or each.way_out]
    if not any(each.agents for each in known) and not any(each.way_out for each in known):
        return None
    return float(any(Counter(said.agents) == Counter(each.agents) for each in known))
