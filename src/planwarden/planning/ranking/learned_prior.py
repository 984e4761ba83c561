"""Priors from the learned ranker: a `PriorSource` over a catalog's tools and what earlier plans teach."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.language.detection import UNKNOWN, language_of
from planwarden.planning.memory.weight import weight
from planwarden.planning.permitted import Permitted, permitted
from planwarden.planning.prior import PlanItem, Prior, PriorExample, PriorRequest, ToolPrior
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.heard import Heard, hear
from planwarden.planning.ranking.kept import KeptEmbeddings
from planwarden.planning.ranking.lessons import Lesson, LessonBook, own_lessons
from planwarden.planning.ranking.ranker import Ranking, rank
from planwarden.planning.ranking.threads import one_blas_thread
from planwarden.planning.ranking.tool_index import ToolIndex, embedded_text
from planwarden.planning.ranking.weights import SHIPPED, RankerWeights, read_weights
from planwarden.planning.retrieval_prior import RetrievalPrior
from planwarden.tools.function_words import FUNCTION_WORDS
from planwarden.tools.grounding import groundable

KEPT_CATALOGS = 8
SPOKEN_OF = 24
"""Tools that a prior speaks of."""
EXAMPLES = 4
"""Remembered requests that a prior offers to show."""
UNGROUNDED = 0.3
"""Factor for a tool for which the request names no value where arguments are taken from the request alone."""
DEFAULT_LINK = 0.05
ASK = 0.02
PLAIN_WORDS, PLAIN_SHARE = 3, 0.35
"""A text of so many words in ASCII, so many of them English function words, is English."""
_AGENT_SHARPNESS = 6.0
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is kept of a catalog."""

    tools: ToolIndex
    own_examples: tuple[Lesson, ...]


class LearnedPrior:
    """The learned ranker; requests in a language that its embeddings do not know go to plain retrieval."""

    def __init__(
        self,
        *,
        weights: RankerWeights | Path | None = None,
        encoder: SentenceEncoder | None = None,
        kept: KeptEmbeddings | None = None,
    ) -> None:
        """Take what was learned, or its file (what ships, when None), and where large indexes are kept."""
        self._weights = weights if isinstance(weights, RankerWeights) else None
        self._file = weights if isinstance(weights, Path) else SHIPPED
        self.encoder = encoder or SentenceEncoder()
        """Embeds catalog, lessons and requests; may be given embeddings that were made before."""
        self._kept = kept
        self._retrieval = RetrievalPrior()
        self._catalogs: OrderedDict[str, _Known] = OrderedDict()
        self._usable: OrderedDict[tuple[str, str], ToolIndex] = OrderedDict()
        self._lessons: tuple[tuple[RememberedPlan, ...], tuple[Lesson, ...]] = ((), ())
        """What was remembered last, and what it teaches: thousands of plans are read once."""
        self._books: OrderedDict[tuple[str, tuple[Lesson, ...]], LessonBook] = OrderedDict()

    @property
    def weights(self) -> RankerWeights:
        """Give what was learned, reading it at first use."""
        if self._weights is None:
            self._weights = read_weights(self._file)
        return self._weights

    def prepare(self, catalog: Catalog) -> None:
        """Make the index of a catalog ahead of the first request."""
        self._known(catalog)

    def close(self) -> None:
        """Drop the indexes."""
        self._retrieval.close()
        self._catalogs.clear()
        self._usable.clear()
        self._books.clear()
        self._lessons = ((), ())

    def prior(self, request: PriorRequest) -> Prior:
        """Give what is known of a request."""
        if not _in_english(request.text):
            return self._retrieval.prior(request)
        allowed = permitted(request.catalog, request.policy)
        if not allowed.usable:
            return Prior(tools=(), agents={}, none=1.0, ask=ASK)
        with one_blas_thread():
            return self._judged(request, allowed)

    def _judged(self, request: PriorRequest, allowed: Permitted) -> Prior:
        known = self._known(request.catalog)
        tools = self._usable_of(known, request, allowed)
        text = self._retrieval.in_context(request)
        heard = hear(text, self.encoder, self.weights.lexicon)
        book = self._book(request.catalog, known, self._taught(request.remembered))
        ranking = rank(heard, tools, book, self.weights)
        return self._prior(request, heard, ranking, allowed)

    def _prior(self, request: PriorRequest, heard: Heard, ranking: Ranking, allowed: Permitted) -> Prior:
        probability = _narrowed(ranking, request)
        order: list[int] = np.argsort(-probability, kind="stable")[:SPOKEN_OF].tolist()
        tools = tuple(
            ToolPrior(
                name=ranking.names[row],
                probability=float(probability[row]),
                place=float(ranking.place[row]),
                repeats=float(ranking.repeats[row]),
            )
            for row in order
        )
        names = [tool.name for tool in tools]
        likely = {tool.name: tool.probability for tool in tools}
        catalog = request.catalog
        return Prior(
            tools=tools,
            agents=self._agents(likely, heard, catalog, allowed),
            links=ranking.links,
            default_link=DEFAULT_LINK,
            fallbacks={name: tuple(filter(allowed.has, catalog.tools[name].alternatives)) for name in names},
            none=ranking.none,
            ask=ASK,
            examples=_examples(ranking, frozenset(names)),
        )

    def _agents(
        self, likely: Mapping[str, float], heard: Heard, catalog: Catalog, allowed: Permitted
    ) -> dict[str, tuple[tuple[str, float], ...]]:
        """Say which agents may call each tool; where several may, the likelier by what they are for."""
        texts = [f"{agent.description} {' '.join(agent.capabilities)}" for agent in catalog.agents.values()]
        alike = self.encoder.encode(texts) @ heard.embeddings[0]
        pull: dict[str, float] = {}
        for agent, near in zip(catalog.agents, alike, strict=True):
            if own := allowed.own.get(agent):
                its = sorted(filter(own.__contains__, likely), key=own.__getitem__)
                pull[agent] = float(np.exp(_AGENT_SHARPNESS * near)) * (0.05 + sum(likely[t] for t in its))
        found: dict[str, tuple[tuple[str, float], ...]] = {}
        for name in likely:
            may = {agent: pull[agent] for agent, tools in allowed.own.items() if name in tools}
            total = sum(may.values())
            shares = [(agent, share / total) for agent, share in may.items()]
            found[name] = tuple(sorted(shares, key=_falling))
        return found

    def _usable_of(self, known: _Known, request: PriorRequest, allowed: Permitted) -> ToolIndex:
        """Give the index of the tools that may be planned, which is kept."""
        key = (request.catalog.digest, request.policy.digest)
        if key not in self._usable:
            rows = [row for row, name in enumerate(known.tools.names) if allowed.has(name)]
            self._usable[key] = known.tools.only(rows)
            while len(self._usable) > KEPT_CATALOGS:
                self._usable.popitem(last=False)
        self._usable.move_to_end(key)
        return self._usable[key]

    def _taught(self, remembered: tuple[RememberedPlan, ...]) -> tuple[Lesson, ...]:
        """Give what remembered plans teach; a memory with nothing new hands over the very same plans."""
        last = self._lessons
        if last[0] is not remembered:
            last = self._lessons = (remembered, lessons_from(remembered))
        return last[1]  # not what another thread may have put there since: it may be another tenant's

    def _known(self, catalog: Catalog) -> _Known:
        key = catalog.digest
        if key not in self._catalogs:
            tools = tuple(catalog.tools.values())
            if self._kept is not None:
                self._kept.prepare([embedded_text(tool) for tool in tools], self.encoder)
            self._catalogs[key] = _Known(
                tools=ToolIndex.build(tools, self.encoder, self.weights.lexicon),
                own_examples=tuple(lesson for tool in tools for lesson in own_lessons(tool)),
            )
            while len(self._catalogs) > KEPT_CATALOGS:
                self._catalogs.popitem(last=False)
        self._catalogs.move_to_end(key)
        return self._catalogs[key]

    def _book(self, catalog: Catalog, known: _Known, lessons: tuple[Lesson, ...]) -> LessonBook:
        key = (catalog.digest if known.own_examples else "", lessons)
        if key not in self._books:
            self._books[key] = LessonBook.of(
                (*known.own_examples, *lessons), self.encoder, self.weights.lexicon
            )
            while len(self._books) > KEPT_CATALOGS:
                self._books.popitem(last=False)
        self._books.move_to_end(key)
        return self._books[key]


def _in_english(text: str) -> bool:
    """Say whether the embeddings know a text's language; the detector is loaded only where words do not tell.

    It takes 36 MB and 0.15 s. Of 434 texts in other languages none has so large a share of English function
    words; of 1,053 public requests in English 918 have.
    """
    words = [word.lower() for word in _LETTERS.findall(text)] if text.isascii() else []
    if len(words) >= PLAIN_WORDS and sum(map(FUNCTION_WORDS.__contains__, words)) >= PLAIN_SHARE * len(words):
        return True
    return language_of(text) == UNKNOWN


def _falling(share: tuple[str, float]) -> float:
    return -share[1]


def lessons_from(remembered: Sequence[RememberedPlan]) -> tuple[Lesson, ...]:
    """Give what remembered plans teach; ages count from the newest of them."""
    newest = max(
        (plan.at for plan in remembered if plan.at is not None), default=datetime.min.replace(tzinfo=UTC)
    )
    return tuple(_lesson(plan, newest) for plan in remembered)


def _lesson(plan: RememberedPlan, newest: datetime) -> Lesson:
    places = [(at, tool) for at, step in enumerate(plan.steps) for tool in step.tools]
    links = tuple(
        (a, b)
        for b, (step, _) in enumerate(places)
        for a, (before, _) in enumerate(places)
        if before in plan.steps[step].depends_on
    )
    tools = tuple(tool for _, tool in places)
    return Lesson(request=plan.request, tools=tools, links=links, weight=weight(plan, newest))


def _narrowed(ranking: Ranking, request: PriorRequest) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Lower what could not be called with values of the request, where arguments are taken from it alone."""
    if not request.groundable_only:
        return ranking.probability
    earlier, tools = request.earlier[::-1], request.catalog.tools
    fits = [groundable(tools[name], request.text, earlier) for name in ranking.names]
    return ranking.probability * np.where(fits, 1.0, UNGROUNDED)


def _examples(ranking: Ranking, names: frozenset[str]) -> tuple[PriorExample, ...]:
    """Give the nearest lessons that these tools did, the nearest last."""
    lessons = [ranking.recalled.book.lessons[int(at)] for at in ranking.recalled.near[: 4 * EXAMPLES]]
    shown = [lesson for lesson in lessons if names.issuperset(lesson.tools)][:EXAMPLES]
    return tuple(_example(lesson) for lesson in reversed(shown))


def _example(lesson: Lesson) -> PriorExample:
    items = tuple(
        PlanItem(tool=tool, uses=tuple(a + 1 for a, b in lesson.links if b == at))
        for at, tool in enumerate(lesson.tools)
    )
    return PriorExample(request=lesson.request, items=items)
