"""From scores to a route: which tools in which order, what builds on what, or a way out. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from planwarden.contracts.plan import MAX_STEPS
from planwarden.evaluation.router.bm25 import Clause, Floats, Question, most_possible, scores
from planwarden.evaluation.router.settings import RouterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What the router says: tools in order with the links between them, or a way out."""

    tools: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    way_out: Literal["none", "ask"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    clause: Clause
    scores: Floats
    """Of the tools that may be used; the others have none."""

    @property
    def best(self) -> float:
        return float(self.scores.max(initial=0.0))

    def share(self, settings: RouterSettings) -> float:
        """Give the best tool's part of what a tool could score."""
        return self.best / max(most_possible(self.clause, settings), 1e-9)


def route(question: Question, usable: Collection[str], settings: RouterSettings, *, may_leave: bool) -> Route:
    """Route a request among the tools that may be used.

    Args:
        question: the request, held against the tools.
        usable: names of the tools that may be used.
        settings: what to decide by.
        may_leave: whether a way out may be taken; else it never is, and a route may stay empty.
    """
    if may_leave and question.whole.count < settings.ask_below:
        return Route(way_out="ask")
    parts = _parts(question, usable, settings)
    best = max((part.best for part in parts), default=0.0)
    if may_leave and (best <= 0 or max(part.share(settings) for part in parts) < settings.least):
        return Route(way_out="none")
    return _steps(parts, best, question.index.names, settings)


def _steps(parts: list[_Part], best: float, names: tuple[str, ...], settings: RouterSettings) -> Route:
    tools: list[str] = []
    edges: list[tuple[int, int]] = []
    for part in parts:
        if part.best < max(settings.heard * best, 1e-9):
            continue
        for tool in _near(part, names, settings):
            if len(tools) == MAX_STEPS or (tool in tools and not settings.repeats):
                continue
            if tools and _builds_on(part.clause, settings):
                edges.append((len(tools) - 1, len(tools)))
            tools.append(tool)
    return Route(tools=tuple(tools), edges=tuple(edges))


def _parts(question: Question, usable: Collection[str], settings: RouterSettings) -> list[_Part]:
    clauses = question.clauses if settings.by_clause else (question.whole,)
    allowed = np.array([name in usable for name in question.index.names], bool)
    return [
        _Part(clause=clause, scores=np.where(allowed, scores(clause, question.index, settings), 0.0))
        for clause in clauses
    ]


def _near(part: _Part, names: tuple[str, ...], settings: RouterSettings) -> list[str]:
    order = np.argsort(-part.scores, kind="stable")[: settings.most]
    return [names[row] for row in order if part.scores[row] >= settings.near * part.best]


def _builds_on(clause: Clause, settings: RouterSettings) -> bool:
    match settings.handoff:
        case "none":
            return False
        case "chain":
            return True
        case "words":
            return clause.points_back
