"""How good plans are: cross-validated, and with each source left out of memory and training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Final

from benchmarks.planner.baselines import baselines
from benchmarks.planner.bench import MODES, Bench, Crossed, crossed
from benchmarks.planner.results import Cell, Figure, Measured, Section, Table, reached_figure, table
from benchmarks.planner.splits import folds, without_each_source

from planwarden.evaluation.intervals import Estimate
from planwarden.evaluation.plan_benchmark import Judged, difference, summarise
from planwarden.evaluation.plan_scores import MEASURES
from planwarden.evaluation.plan_tasks import PlanTask, evenly
from planwarden.tuning.held_out import is_held_out

TARGETS: Final = (
    ("node_f1", "all", 0.85),
    ("node_f1", "macro", 0.76),
    ("edge_f1", "all", 0.60),
    ("exact_set", "all", 0.50),
    ("order", "all", 0.75),
    ("valid", "all", 1.0),
)
LEFT_OUT_MACRO: Final = 0.60


async def cross_validated(bench: Bench) -> tuple[Section, Crossed]:
    """Judge every task by planners that know the other folds only; beside them, plain retrieval."""
    tasks = evenly(bench.tasks, bench.sizes.tasks)
    sampled = unseen_by_the_adapter(tasks, bench.sizes.model_tasks)
    ids = frozenset(task.id for task in sampled)
    splits = folds(tasks)
    found = await crossed(bench, splits, ids)
    plain: dict[str, tuple[Judged, ...]] = {}
    for name, make in baselines(bench.clock).items():
        judged = [
            each
            for split in splits
            for each in await bench.judge(f"{split.name}, {name}", split.judged, make(split.known))
        ]
        plain[name] = tuple(judged)
    section = Section(
        name="cross-validation",
        notes=(
            f"{len(tasks)} tasks in {len(splits)} folds; remembered and learned from: the other folds.",
            f"With a model: {len(sampled)}, a fifth of each source; no shipped adapter was trained on them.",
        ),
        tables=(
            _overall("cross_validation", "All tasks alike, and all sources alike (macro)", found, plain, ids),
            _by_source("by_source", found, plain, ids),
            _decided("decided", found),
            _paired("paired", "What the model adds: fused minus prior, the same tasks", found, ids),
        ),
        figures=(
            *_targets("fused", found.judged["fused"]),
            *_targets("prior", found.judged["prior"]),
            *_never_lowers(found, ids),
        ),
    )
    return section, found


async def left_out(bench: Bench) -> Section:
    """Judge each source by planners that know only the others."""
    tasks = evenly(bench.tasks, bench.sizes.tasks)
    sampled = unseen_by_the_adapter(tasks, bench.sizes.model_tasks)
    ids = frozenset(task.id for task in sampled)
    found = await crossed(bench, without_each_source(tasks), ids)
    macro = _score(found.judged["fused"], "macro", "node_f1")
    return Section(
        name="source left out",
        notes=(
            f"{len(tasks)} tasks; nothing of a task's own source was remembered or learned from.",
            f"With a model: {len(sampled)} that no adapter that ships was trained on.",
            "It was trained on other tasks of every source but ultratool: only that is new to it altogether.",
        ),
        tables=(
            _overall("left_out", "Each source left out in turn", found, {}, ids),
            _by_source("left_out_by_source", found, {}, ids),
            _decided("left_out_decided", found),
            _paired("left_out_paired", "What the model adds: fused minus prior, the same tasks", found, ids),
        ),
        figures=(
            reached_figure("source left out: node f1, macro, fused", macro, LEFT_OUT_MACRO),
            reached_figure(
                "source left out: node f1, macro, prior",
                _score(found.judged["prior"], "macro", "node_f1"),
                LEFT_OUT_MACRO,
            ),
        ),
    )


def unseen_by_the_adapter(tasks: Sequence[PlanTask], limit: int) -> tuple[PlanTask, ...]:
    """Give the tasks that are always held out from training, in the mix of the whole set where all fit."""
    return evenly([task for task in tasks if is_held_out(task.id)], limit)


def _targets(planner: str, judged: Sequence[Judged]) -> list[Figure]:
    return [
        reached_figure(
            f"{_said(measure)}{', macro' if name == 'macro' else ''}, {planner}, {len(judged)} tasks",
            _score(judged, name, measure),
            target,
        )
        for measure, name, target in TARGETS
    ]


def _never_lowers(found: Crossed, ids: frozenset[str]) -> tuple[Figure, Figure]:
    """Say whether the paired interval of fused minus prior reaches below 0, and whether it is above."""
    prior, fused = _only(found.judged["prior"], ids), found.judged["fused"]
    above = difference(prior, fused, "node_f1") if fused else None
    low, high = (above.low, above.high) if above else (None, None)
    around = "" if above is None else f"{above.mean:+.3f}, 95 % {above.low:+.3f} to {above.high:+.3f}"
    return (
        Figure(name="the model never lowers node f1 (upper end)", value=high, target=0.0, note=around),
        Figure(name="the model raises node f1 (lower end)", value=low, target=0.000001, note=around),
    )


def _decided(name: str, found: Crossed) -> Table:
    """Say where the plans came from, and how much of each the model decided."""
    rows: list[dict[str, Cell]] = []
    for mode, judged in found.judged.items():
        if not judged:
            continue
        counted = Counter(each.attempted.source for each in judged)
        shares = [
            (each.attempted.plan and each.attempted.plan.metadata.model_share) or 0.0 for each in judged
        ]
        rows.append(
            {
                "planner": mode,
                "plans": len(judged),
                "model was asked": fmean(each.attempted.usage.output_tokens > 0 for each in judged),
                "model's share": fmean(shares),
                "plans by source": ", ".join(f"{source} {count}" for source, count in counted.most_common()),
            }
        )
    return table(name, "Who decided", rows)


def _overall(
    name: str, title: str, found: Crossed, plain: Mapping[str, Sequence[Judged]], ids: frozenset[str]
) -> Table:
    rows: list[dict[str, Cell]] = []
    for label, judged in (*_contestants(found, ids), *plain.items()):
        rows += [
            {
                "planner": label,
                "over": summary.name,
                "tasks": summary.tasks,
                **{_said(measure): _cell(summary.scores.get(measure)) for measure in MEASURES},
            }
            for summary in summarise(judged)
            if summary.name in ("all", "macro")
        ]
    return table(name, title, rows)


def _by_source(
    name: str, found: Crossed, plain: Mapping[str, Sequence[Judged]], ids: frozenset[str]
) -> Table:
    """Put the node F1 of every contestant side by side, on the tasks that all of them planned."""
    columns: dict[str, dict[str, Estimate]] = {}
    counts: dict[str, int] = {}
    shown = ids or frozenset(each.task.id for each in found.judged["prior"])
    every = [*((mode, _only(found.judged[mode], shown)) for mode in MODES)]
    every += [(label, _only(judged, shown)) for label, judged in plain.items()]
    for label, judged in every:
        if not judged:
            continue
        for summary in summarise(judged):
            counts[summary.name] = summary.tasks
            columns.setdefault(summary.name, {})[label] = summary.scores["node_f1"]
    rows: list[dict[str, Cell]] = [
        {
            "source": source,
            "tasks": counts[source],
            **{label: _cell(value) for label, value in columns[source].items()},
        }
        for source in columns
    ]
    return table(name, "Node F1 by source, on the tasks that were planned with the model too", rows)


def _paired(name: str, title: str, found: Crossed, ids: frozenset[str]) -> Table:
    prior = _only(found.judged["prior"], ids)
    rows: list[dict[str, Cell]] = []
    for other in ("fused", "model"):
        for measure in MEASURES:
            judged = found.judged[other]
            if not judged:
                continue
            rows.append(
                {
                    "difference": f"{other} − prior",
                    "measure": _said(measure),
                    "over all tasks": _cell(difference(prior, judged, measure)),
                    "macro": _cell(difference(prior, judged, measure, macro=True)),
                }
            )
    return table(name, title, rows)


def _contestants(found: Crossed, ids: frozenset[str]) -> list[tuple[str, Sequence[Judged]]]:
    prior = found.judged["prior"]
    shown: list[tuple[str, Sequence[Judged]]] = [("prior", prior)]
    if 0 < len(ids) < len(prior):
        shown.append(("prior, sample", _only(prior, ids)))
    shown += [(mode, found.judged[mode]) for mode in MODES if mode != "prior"]
    return [(label, judged) for label, judged in shown if judged]


def _only(judged: Sequence[Judged], ids: frozenset[str]) -> tuple[Judged, ...]:
    return tuple(each for each in judged if each.task.id in ids)


def _score(judged: Sequence[Judged], name: str, measure: str) -> Estimate | None:
    summaries = {each.name: each for each in summarise(judged)} if judged else {}
    found = summaries.get(name) or summaries.get("all")
    return found.scores.get(measure) if found else None


def _said(measure: str) -> str:
    return measure.replace("_", " ")


def _cell(value: Estimate | None) -> Cell:
    return Measured.of(value) if value else None
