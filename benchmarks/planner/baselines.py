"""What a planner has to beat: plain retrieval, and copying the plan of the most similar request.

No model, nothing learned. Words are weighed by BM25 (Robertson & Zaragoza 2009, k1 1.2, b 0.75).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import ModelUsage
from planwarden.evaluation.contestants import Attempted, Contestant
from planwarden.evaluation.plan_tasks import GoldStep, OfferedTool, PlanTask, Prediction

K1, B = 1.2, 0.75
_WORD = re.compile(r"[a-z]+|\d+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words(text: str) -> list[str]:
    """Cut a text, or a tool's name in any style, into words."""
    return _WORD.findall(_HUMP.sub(" ", text).casefold())


@dataclass(frozen=True, slots=True)
class Ranked:
    """Texts that can be ranked for a query."""

    texts: tuple[Counter[str], ...]
    rarity: Mapping[str, float]
    mean_length: float

    @classmethod
    def of(cls, texts: Sequence[str]) -> Ranked:
        """Count the words of at least one text."""
        counted = tuple(Counter(words(text)) for text in texts)
        seen = Counter(word for each in counted for word in each)
        rarity = {word: math.log(1 + (len(counted) - n + 0.5) / (n + 0.5)) for word, n in seen.items()}
        return cls(counted, rarity, max(1.0, sum(each.total() for each in counted) / len(counted)))

    def scores(self, query: str) -> list[float]:
        """Give the score of every text; 0 for one that shares no word."""
        asked = dict.fromkeys(words(query))
        return [self._score(text, asked) for text in self.texts]

    def _score(self, text: Counter[str], asked: Mapping[str, None]) -> float:
        length = K1 * (1 - B + B * text.total() / self.mean_length)
        return sum(
            self.rarity[word] * text[word] * (K1 + 1) / (text[word] + length)
            for word in asked
            if word in text
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRetrieval:
    """The tools that share most words with the request, best first, none building on another."""

    clock: Clock
    top: int = 2

    async def attempt(self, task: PlanTask) -> Attempted:
        """Rank and take the first."""
        began = self.clock.monotonic()
        index = Ranked.of([_said(tool) for tool in task.tools])
        indexed = self.clock.monotonic()
        best = _best(task, index.scores(task.request), self.top)
        return _attempted(task, best, (), self.clock.monotonic() - indexed, indexed - began)


class NearestPlan:
    """The plan of the known request that shares most words, where its tools are offered; else retrieval."""

    def __init__(self, known: Sequence[PlanTask], clock: Clock) -> None:
        self._known = tuple(known)
        self._index = Ranked.of([task.request for task in known]) if known else None
        self._else = PlainRetrieval(clock=clock)
        self._clock = clock

    async def attempt(self, task: PlanTask) -> Attempted:
        """Copy the nearest plan."""
        began = self._clock.monotonic()
        offered = {tool.name for tool in task.tools}
        scores = self._index.scores(task.request) if self._index else []
        fits = [
            place
            for place, score in enumerate(scores)
            if score > 0 and offered.issuperset(step.tool for step in self._known[place].gold.steps)
        ]
        if not fits:
            return await self._else.attempt(task)
        gold = self._known[max(fits, key=lambda place: scores[place])].gold
        tools = [step.tool for step in gold.steps]
        return _attempted(task, tools, gold.edges, self._clock.monotonic() - began, 0.0)


def _said(tool: OfferedTool) -> str:
    return f"{tool.name} {tool.description}"


def _best(task: PlanTask, scores: Sequence[float], top: int) -> list[str]:
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    return [task.tools[place].name for place in order[:top]]


def _attempted(
    task: PlanTask, tools: Sequence[str], edges: Sequence[tuple[int, int]], seconds: float, indexing: float
) -> Attempted:
    return Attempted(
        prediction=Prediction(
            id=task.id, steps=tuple(GoldStep(tool=tool) for tool in tools), edges=tuple(edges)
        ),
        usage=ModelUsage(),
        seconds=seconds,
        index_seconds=indexing,
        source="retrieval",
    )


def baselines(clock: Clock) -> Mapping[str, Callable[[Sequence[PlanTask]], Contestant]]:
    """Name what is measured beside the planner; each is made from the tasks that may be known."""
    return {
        "top 1 (router)": lambda _: PlainRetrieval(clock=clock, top=1),
        "top 2": lambda _: PlainRetrieval(clock=clock),
        "nearest plan": lambda known: NearestPlan(known, clock),
    }
