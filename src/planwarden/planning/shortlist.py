"""Which tools and agents are worth showing to the planner model.

Full-text retrieval (SQLite FTS5, BM25: Robertson & Zaragoza 2009) over what the catalog says of each tool:
its name, description, examples and topics. Nothing about any particular tool or word is known here.
"""

from __future__ import annotations

import re
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from planwarden.catalog.catalog import Catalog
from planwarden.language.scripts import bigrams, without_unspaced
from planwarden.planning.follow_up import Scores, in_conversation
from planwarden.planning.permitted import Places, permitted
from planwarden.policy.rules import ToolPolicy
from planwarden.tools.function_words import FUNCTION_WORDS

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_CLAUSE = re.compile(
    r"[.;!?。！？\n]+\s|\b(?:and|then|also|und|dann|et|puis|y|luego)\b|[,:]\s", re.IGNORECASE
)
_A_NUMBER = "0number"
"""Stands for every number."""
_QUOTED = re.compile(r'"[^"\n]*"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|「[^」\n]*」')
_KEPT_INDEXES = 8
_TOPICS = "\x00topics"
"""Marks the row of a tool's topics, where its examples have their text."""
HEARD = 0.35
"""A clause counts when its best tool scores at least this share of the best clause's."""
MAX_CLAUSES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortlist:
    """What the planner model may choose from: always a part of catalog ∩ policy."""

    agents: Mapping[str, tuple[str, ...]]
    """Agent → its tools, both best first. The only pairs that a plan may name."""
    stand_ins: Mapping[str, tuple[str, ...]]
    """Agent → what it may fall back to: its tools shown, and the alternatives that those declare."""
    tools: tuple[str, ...]
    """All tools shown, best first."""
    nearest_example: Mapping[str, str]
    """Tool → the one of its examples that is most like the task."""
    parts: tuple[tuple[str, ...], ...] = ()
    """For each part of the task that asks for a tool of its own: the tools near it, best first."""
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    """Tool → its score as a share of the best one's for the same clause, the highest of its clauses."""

    @property
    def empty(self) -> bool:
        """Say whether nothing is left to choose from."""
        return not self.agents

    def only(self, keep: Callable[[str], bool]) -> Shortlist:
        """Leave out tools, except where nothing would be left of a part, or of the whole."""
        parts = tuple(tuple(filter(keep, part)) or part for part in self.parts)
        needed = {tool for part in parts for tool in part}
        kept = tuple(tool for tool in self.tools if keep(tool) or tool in needed) or self.tools
        agents = {a: own for a, tools in self.agents.items() if (own := tuple(t for t in tools if t in kept))}
        stand_ins = {
            agent: tuple(tool for tool in self.stand_ins[agent] if keep(tool) or tool in kept)
            for agent in agents
        }
        return replace(self, agents=agents, stand_ins=stand_ins, tools=kept, parts=parts)

    def shortened(self) -> Shortlist:
        """Drop the worse half of the tools; at least one stays."""
        kept = self.tools[: max(1, len(self.tools) // 2)]
        agents = {
            agent: own
            for agent, tools in self.agents.items()
            if (own := tuple(tool for tool in tools if tool in kept))
        }
        parts = tuple(own for part in self.parts if (own := tuple(tool for tool in part if tool in kept)))
        return replace(self, agents=agents, tools=kept, parts=parts)


class Retriever:
    """Ranks the tools of a catalog for a text; keeps the index of the last few catalogs."""

    def __init__(self) -> None:
        self._indexes: OrderedDict[str, _Index] = OrderedDict()

    def shortlist(
        self,
        text: str,
        catalog: Catalog,
        policy: ToolPolicy,
        *,
        size: int,
        near: float,
        earlier: Sequence[str] = (),
        fill: bool = False,
    ) -> Shortlist:
        """Choose at most `size` tools for a text from catalog ∩ policy, best first.

        Each clause of the text asks for itself, in the light of the earlier requests where it leans on them
        (see `follow_up`). A text without any word that the catalog knows (another
        language, say) is shown the catalog's first tools.

        Args:
            text: what was asked.
            catalog: as it is now.
            policy: as it is now.
            size: how many tools at most.
            near: a tool is shown when it scores at least this share of the best one for the same clause.
            earlier: requests of the same conversation, oldest first.
            fill: places left over go to the next best tools, then to the catalog's first: for models that
                choose better than retrieval, and for requests in words that the catalog does not have.
        """
        allowed = permitted(catalog, policy)
        pairs, usable = allowed.pairs, allowed.usable
        index = self._index(catalog)

        def scored(words: str) -> Scores:
            return index.rank(words).only(usable).scores

        def rank(words: str) -> _Ranking:
            heard = in_conversation(words, earlier, catalog, scored)
            return _Ranking(scores=heard.scores, examples=index.rank(heard.text).examples)

        whole = rank(text)
        clauses = [rank(clause) for clause in _clauses(text)]
        best = max((ranking.best for ranking in clauses), default=0.0)
        heard = [ranking for ranking in clauses if ranking.best >= HEARD * best and ranking.best > 0]
        found = dict.fromkeys(tool for ranking in (heard or [whole]) for tool in ranking.near(near))
        more = (*whole.order, *usable) if fill else ()
        kept = tuple(dict.fromkeys((*found, *more)) or usable)[:size]
        order = {tool: position for position, tool in enumerate(kept)}
        agents = {
            agent: tuple(sorted((tool for tool in tools if tool in order), key=order.__getitem__))
            for agent, tools in pairs.items()
        }
        shown = {agent: tools for agent, tools in agents.items() if tools}
        best_first = dict(sorted(shown.items(), key=lambda item: order[item[1][0]]))
        parts = {ranking.order[0]: ranking.near(near) for ranking in heard}
        stand_ins = {
            agent: _stand_ins(tools, allowed.own[agent], catalog) for agent, tools in best_first.items()
        }
        return Shortlist(
            agents=best_first,
            stand_ins=stand_ins,
            tools=kept,
            nearest_example=whole.examples,
            parts=tuple(own for tools in parts.values() if (own := tuple(t for t in tools if t in order))),
            shares=_shares(heard or [whole]),
        )

    def in_context(self, text: str, catalog: Catalog, policy: ToolPolicy, earlier: Sequence[str]) -> str:
        """Give a request together with the earlier ones that it leans on; alone where it leans on none."""
        usable = permitted(catalog, policy).usable
        index = self._index(catalog)
        return in_conversation(
            text, earlier, catalog, lambda words: index.rank(words).only(usable).scores
        ).text

    def prepare(self, catalog: Catalog) -> None:
        """Make the index of a catalog, which is kept, before it is asked for."""
        self._index(catalog)

    def _index(self, catalog: Catalog) -> _Index:
        key = catalog.digest
        if key not in self._indexes:
            self._indexes[key] = _Index(catalog)
            while len(self._indexes) > _KEPT_INDEXES:
                self._indexes.popitem(last=False)[1].close()
        self._indexes.move_to_end(key)
        return self._indexes[key]

    def close(self) -> None:
        """Drop all indexes."""
        while self._indexes:
            self._indexes.popitem()[1].close()


def _shares(heard: Iterable[_Ranking]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for ranking in heard:
        for tool, score in ranking.scores.items():
            shares[tool] = max(shares.get(tool, 0.0), score / ranking.best)
    return shares


def _stand_ins(shown: tuple[str, ...], allowed: Places, catalog: Catalog) -> tuple[str, ...]:
    declared = (name for tool in shown for name in catalog.tools[tool].alternatives if name in allowed)
    return tuple(dict.fromkeys((*shown, *declared)))


def _clauses(text: str) -> list[str]:
    quoted = _QUOTED.findall(text)
    marks = iter(f"\x00{place}\x00" for place in range(len(quoted)))
    parts = [part.strip() for part in _CLAUSE.split(_QUOTED.sub(lambda _: next(marks), text)) if part]
    parts = [re.sub("\x00(\\d+)\x00", lambda mark: quoted[int(mark[1])], part) for part in parts if part]
    return parts[:MAX_CLAUSES] or [text]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    scores: Mapping[str, float]
    examples: Mapping[str, str]

    @property
    def best(self) -> float:
        return max(self.scores.values(), default=0.0)

    @property
    def order(self) -> tuple[str, ...]:
        return tuple(sorted(self.scores, key=lambda tool: -self.scores[tool]))

    def only(self, usable: Places) -> _Ranking:
        """Leave out all other tools, and take those in their order."""
        found = sorted(filter(usable.__contains__, self.scores), key=usable.__getitem__)
        return replace(self, scores={tool: self.scores[tool] for tool in found})

    def near(self, share: float) -> tuple[str, ...]:
        return tuple(tool for tool in self.order if self.scores[tool] >= share * self.best)


def _shaped(text: str) -> str:
    """Put one word in place of every number: that there is one says more than which one.

    Scripts written without spaces are cut into pairs of neighbouring letters, which find parts of words.
    """
    spaced = without_unspaced(text)
    pairs = "" if spaced == text else " ".join(bigrams(text))
    return f"{_NUMBER.sub(f' {_A_NUMBER} ', spaced)} {pairs}"


class _Index:
    def __init__(self, catalog: Catalog) -> None:
        self._examples = {
            tool.name: tool.examples[0].request for tool in catalog.tools.values() if tool.examples
        }
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        for table in (
            "said",
            "abroad",
        ):  # apart, so that how rare a word is in one does not weigh in the other
            self._database.execute(
                f"CREATE VIRTUAL TABLE {table} USING fts5(tool UNINDEXED, example UNINDEXED, words, "
                "tokenize = 'porter unicode61 remove_diacritics 2')"
            )
        rows = [
            (tool.name, "", f"{' '.join(_WORD.findall(tool.name.replace('_', ' ')))} {tool.description}")
            for tool in catalog.tools.values()
        ]
        rows += [
            (tool.name, example.request, example.request)
            for tool in catalog.tools.values()
            for example in tool.examples
        ]
        rows += [
            (tool.name, _TOPICS, " ".join(tool.topics)) for tool in catalog.tools.values() if tool.topics
        ]
        abroad = [
            (tool.name, text, text) for tool in catalog.tools.values() for text in tool.foreign_examples
        ]
        for table, entries in (("said", rows), ("abroad", abroad)):
            shaped = [(tool, kind, _shaped(words)) for tool, kind, words in entries]
            self._database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", shaped)  # noqa: S608 - of ours

    def rank(self, text: str) -> _Ranking:
        words = dict.fromkeys(word.lower() for word in _WORD.findall(_shaped(text)))
        said = [word for word in words if word not in FUNCTION_WORDS][:64]
        examples = dict(self._examples)
        if not said:
            return _Ranking(scores={}, examples=examples)
        scores: dict[str, float] = {}
        by_example: dict[str, float] = {}
        seen: set[tuple[str, str]] = set()
        for tool, example, score in self._matches("said", said):
            kind = example if example in ("", _TOPICS) else "example"
            if (tool, kind) in seen:
                continue
            seen.add((tool, kind))
            scores[tool] = scores.get(tool, 0.0) + score
            if kind == "example":
                examples[tool], by_example[tool] = example, score
        for tool, example, score in self._matches("abroad", [word for word in said if word != _A_NUMBER]):
            gain = score - by_example.get(tool, 0.0)
            if gain > 0:  # the nearest example counts, in whatever language it is
                scores[tool] = scores.get(tool, 0.0) + gain
                examples[tool], by_example[tool] = example, score
        return _Ranking(scores=scores, examples=examples)

    def _matches(self, table: str, words: list[str]) -> list[tuple[str, str, float]]:
        """Give tool, example and score of each row that holds any of the words, best first."""
        if not words:
            return []
        query = " OR ".join(f'"{word}"' for word in words)
        select = f"SELECT tool, example, -bm25({table}) FROM {table}"  # noqa: S608 - one of our two tables
        return self._database.execute(f"{select} WHERE {table} MATCH ? ORDER BY rank", (query,)).fetchall()

    def close(self) -> None:
        self._database.close()
