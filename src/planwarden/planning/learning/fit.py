"""Fitting the ranker's weights to labelled tasks.

Each task is shown twice: with the lessons of all other tasks, and with those of other sources only, so that
the ranker learns to use lessons where there are some and to do without where there are none. What the second
forest sees of the first is out of fold (stacking, Wolpert 1992). Deterministic, given a fresh encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.learning.growing import Growth, grow
from planwarden.planning.learning.logistic import fit_logistic
from planwarden.planning.learning.tasks import LabelledTask, lessons_of
from planwarden.planning.ranking.company import company
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.forest import Forest
from planwarden.planning.ranking.heard import Heard, hear
from planwarden.planning.ranking.lessons import Lesson, LessonBook, Recalled, own_lessons, reachable, recall
from planwarden.planning.ranking.lexicon import PLACES, Lexicon, counted_grams
from planwarden.planning.ranking.order import (
    BEFORE,
    LINKED,
    TOPICS,
    Looked,
    Steps,
    in_order,
    link_signals,
    pair_signals,
)
from planwarden.planning.ranking.ranker import fitting
from planwarden.planning.ranking.signals import Signals, signals
from planwarden.planning.ranking.tool_index import ToolIndex, described_words
from planwarden.planning.ranking.weights import RankerWeights
from planwarden.planning.ranking.words import name_words

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

INNER_FOLDS = 4
TOOL_GROWTH = Growth(trees=300, leaves=15, least_rows=40, seeds=(1, 2))
FOLD_GROWTH = Growth(trees=300, leaves=15, least_rows=40)
REPEAT_GROWTH = Growth(trees=120, leaves=7, least_rows=40)
PAIR_GROWTH = Growth(trees=200, leaves=8, least_rows=20)
NONE_RIDGE = 1.0
NONE_COUNTS = 4.0
"""How much a task for which nothing fits counts, beside one for which something does: they are few."""
TAKEN_AWAY_COUNTS = 0.1
"""How much a task counts whose right tools were taken away."""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """One task as it is shown to the fit."""

    task: LabelledTask
    heard: Heard
    tools: ToolIndex
    own: Signals
    recalled: Recalled

    @property
    def fold(self) -> int:
        return int(hashlib.sha256(self.task.id.encode()).hexdigest(), 16) % INNER_FOLDS

    @property
    def planned(self) -> Bools:
        return np.array([name in self.task.steps for name in self.tools.names])

    @property
    def repeated(self) -> Bools:
        return np.array([self.task.steps.count(name) > 1 for name in self.tools.names])


@dataclass(slots=True, kw_only=True)
class _Prepared:
    """What does not depend on the lessons."""

    lexicon: Lexicon
    heard: list[Heard] = field(default_factory=list[Heard])
    tools: list[ToolIndex] = field(default_factory=list[ToolIndex])
    topics: Floats
    centre: Floats


def fit_ranker(
    tasks: Sequence[LabelledTask],
    encoder: SentenceEncoder,
    *,
    lessons: Sequence[LabelledTask] = (),
    progress: Progress = lambda _: None,
) -> RankerWeights:
    """Fit the ranker.

    Args:
        tasks: what to learn from, each of a source with a name; those without steps teach when nothing fits.
        encoder: of sentences.
        lessons: more tasks, which are remembered but not learned from.
        progress: is told what is being done.
    """
    progress(f"reading {len(tasks)} tasks")
    prepared = _prepare(tasks, encoder)
    examples = _examples(tasks)
    book = LessonBook.of((*lessons_of([*tasks, *lessons]), *examples), encoder, prepared.lexicon)
    sources = [*(task.source for task in (*tasks, *lessons)), *("" for _ in examples)]
    views = list(_views(tasks, prepared, book, sources))
    fitted = [view for view in views if view.task.steps]
    progress(f"growing trees over {sum(len(view.tools.names) for view in fitted)} tools")
    alone_rows = np.vstack([view.own.columns for view in fitted])
    planned = np.concatenate([view.planned for view in fitted])
    alone = grow(alone_rows, planned, TOOL_GROWTH)
    others = _fold_forests(fitted, alone)
    rows = [_with_company(view, others[view.fold].probability(view.own.columns)) for view in fitted]
    together = grow(np.vstack(rows), planned, TOOL_GROWTH)
    repeated = np.concatenate([view.repeated for view in fitted])
    repeats = grow(np.vstack(rows)[planned], repeated[planned], REPEAT_GROWTH)
    progress("growing trees over pairs of steps")
    before, linked = _fit_order(fitted, prepared)
    progress("learning when nothing fits")
    return RankerWeights(
        lexicon=prepared.lexicon,
        alone=alone,
        company=together,
        repeats=repeats,
        before=before,
        linked=linked,
        topics=prepared.topics,
        centre=prepared.centre,
        none=_fit_none(views, others),
    )


def _prepare(tasks: Sequence[LabelledTask], encoder: SentenceEncoder) -> _Prepared:
    lexicon = _rarity(tasks)
    requests = encoder.encode([task.request for task in tasks])
    centre = requests.mean(0)
    _, _, directions = np.linalg.svd(requests - centre, full_matrices=False)
    topics = np.zeros((requests.shape[1], TOPICS), np.float32)
    topics[:, : min(TOPICS, len(directions))] = directions[:TOPICS].T
    prepared = _Prepared(lexicon=lexicon, topics=topics, centre=centre)
    for task in tasks:
        prepared.heard.append(hear(task.request, encoder, lexicon))
        prepared.tools.append(ToolIndex.build(task.tools, encoder, lexicon))
    return prepared


def _examples(tasks: Sequence[LabelledTask]) -> list[Lesson]:
    """Give what the tools' own examples teach; no task is without them, since no catalog is."""
    tools = {(tool.name, tool.description): tool for task in tasks for tool in task.tools}
    return [lesson for tool in tools.values() for lesson in own_lessons(tool)]


def _rarity(tasks: Sequence[LabelledTask]) -> Lexicon:
    """Weigh letters by how few tools have them (inverse document frequency)."""
    tools = {(tool.name, tool.description): tool for task in tasks for tool in task.tools}
    having = np.zeros(PLACES)
    for tool in tools.values():
        having[list(counted_grams([*name_words(tool.name), *described_words(tool)]))] += 1
    return Lexicon(np.log((len(tools) + 1) / (having + 0.5)).clip(0.1).astype(np.float16).astype(np.float32))


def _views(
    tasks: Sequence[LabelledTask], prepared: _Prepared, book: LessonBook, sources: Sequence[str]
) -> Iterator[_View]:
    """Show each task with all other lessons, then with those of other sources only."""
    of_source = np.array(sources)
    for foreign in (False, True):
        for at, task in enumerate(tasks):
            usable = of_source != task.source if foreign else np.arange(len(sources)) != at
            heard = prepared.heard[at]
            tools = prepared.tools[at].only(prepared.tools[at].nearest(heard))
            recalled = recall(
                book, heard.embeddings[0], heard.letters[0], tools.names, usable=np.asarray(usable)
            )
            own = signals(heard, tools, recalled)
            yield _View(task=task, heard=heard, tools=tools, own=own, recalled=recalled)


def _fold_forests(views: Sequence[_View], whole: Forest) -> list[Forest]:
    """Grow for each fold a forest from the other folds; `whole` where there are no others."""
    forests: list[Forest] = []
    for fold in range(INNER_FOLDS):
        others = [view for view in views if view.fold != fold]
        if not others or len(others) == len(views):
            forests.append(whole)
            continue
        rows = np.vstack([view.own.columns for view in others])
        forests.append(grow(rows, np.concatenate([view.planned for view in others]), FOLD_GROWTH))
    return forests


def _with_company(view: _View, probability: NDArray[np.float64]) -> Floats:
    return np.hstack([view.own.columns, company(probability, view.own, view.tools, view.recalled)])


def _fit_order(views: Sequence[_View], prepared: _Prepared) -> tuple[Forest, Forest]:
    """Learn from the right plans which steps come before which, then which are linked in that order."""
    shown = [(view, steps) for view in views if len((steps := _steps(view, prepared)).rows) > 1]
    columns = [pair_signals(steps) for _, steps in shown]
    closed = [_relation(view, steps, closed=True) for view, steps in shown]
    none, nothing = np.zeros((0, len(BEFORE)), np.float32), np.zeros(0, bool)
    before_forest = grow(np.vstack([none, *columns]), np.concatenate([nothing, *closed]), PAIR_GROWTH)
    rows = [np.zeros((0, len(LINKED)), np.float32)]
    labels: list[bool] = []
    for (view, steps), own in zip(shown, columns, strict=True):
        judged = [float(p) for p in before_forest.probability(own)]
        before = dict(zip(steps.pairs, judged, strict=True))
        later, more = link_signals(own, steps.pairs, before, in_order(steps, before))
        direct = set(view.task.links)
        labels += [pair in direct for pair in later]
        rows.append(more)
    return before_forest, grow(np.vstack(rows), np.array(labels), PAIR_GROWTH)


def _steps(view: _View, prepared: _Prepared) -> Steps:
    places = {name: row for row, name in enumerate(view.tools.names)}
    known = all(name in places for name in view.task.steps)
    return Steps(
        heard=view.heard,
        signals=view.own,
        topics=(view.heard.embeddings[0] - prepared.centre) @ prepared.topics,
        rows=tuple(places[name] for name in view.task.steps) if known else (),
        looked=Looked.up(view.tools, view.recalled),
    )


def _relation(view: _View, steps: Steps, *, closed: bool) -> Bools:
    pairs = reachable(len(steps.rows), view.task.links) if closed else frozenset(view.task.links)
    return np.array([pair in pairs for pair in steps.pairs])


def _fit_none(views: Sequence[_View], others: Sequence[Forest]) -> Floats:
    """Learn when nothing fits: from tasks without steps, and from tasks whose right tools are taken away.

    Each task is judged by the forest of the other folds. What is taken away is seldom as near to what is left
    as in life, so such tasks count little.
    """
    rows: list[Floats] = []
    nothing: list[bool] = []
    counts: list[float] = []
    for view in views:
        everything = list(range(len(view.tools.names)))
        left = [row for row in everything if view.tools.names[row] not in view.task.steps]
        shown = [(everything, 1.0 if view.task.steps else NONE_COUNTS)]
        shown += [(left, TAKEN_AWAY_COUNTS)] if view.task.steps and len(left) > 1 else []
        for chosen, count in shown:
            rows.append(_fitting_of(view, chosen, others[view.fold]))
            nothing.append(chosen is left or not view.task.steps)
            counts.append(count)
    weights = np.array(counts, np.float32)
    return fit_logistic(np.stack(rows), np.array(nothing), ridge=NONE_RIDGE, weights=weights)


def _fitting_of(view: _View, chosen: Sequence[int], alone: Forest) -> Floats:
    tools = view.tools.only(chosen)
    book = view.recalled.book
    used = np.zeros(len(book.lessons), bool)
    used[view.recalled.far] = True
    recalled = recall(book, view.heard.embeddings[0], view.heard.letters[0], tools.names, usable=used)
    own = signals(view.heard, tools, recalled)
    return fitting(alone.probability(own.columns), own, recalled)
