"""Which tools and agents are worth showing to the planner model.

Full-text retrieval (SQLite FTS5, BM25: Robertson & Zaragoza 2009) over what the catalog says of each tool:
its name, description and examples. Nothing about any particular tool or word is known here.
"""

from __future__ import annotations

import re
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.verdict import Denied
from planwarden.policy.rules import ToolPolicy

_WORD = re.compile(r"\w+")
_KEPT_INDEXES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortlist:
    """What the planner model may choose from: always a part of catalog ∩ policy."""

    agents: Mapping[str, tuple[str, ...]]
    """Agent → its tools, both best first. The only pairs that a plan may name."""
    tools: tuple[str, ...]
    """All tools shown, best first."""
    nearest_example: Mapping[str, str]
    """Tool → the one of its examples that is most like the task."""

    @property
    def empty(self) -> bool:
        """Say whether nothing is left to choose from."""
        return not self.agents

    def shortened(self) -> Shortlist:
        """Drop the worse half of the tools; at least one stays."""
        kept = self.tools[: max(1, len(self.tools) // 2)]
        agents = {
            agent: own
            for agent, tools in self.agents.items()
            if (own := tuple(tool for tool in tools if tool in kept))
        }
        return Shortlist(agents=agents, tools=kept, nearest_example=self.nearest_example)


def allowed_pairs(catalog: Catalog, policy: ToolPolicy) -> dict[str, tuple[str, ...]]:
    """Give catalog ∩ policy: agent → tools it has and policy does not deny. Pure."""
    pairs = {
        agent: tuple(tool for tool in spec.tools if not isinstance(policy.decide(agent, tool), Denied))
        for agent, spec in catalog.agents.items()
    }
    return {agent: tools for agent, tools in pairs.items() if tools}


class Retriever:
    """Ranks the tools of a catalog for a text; keeps the index of the last few catalogs."""

    def __init__(self) -> None:
        self._indexes: OrderedDict[str, _Index] = OrderedDict()

    def shortlist(self, text: str, catalog: Catalog, policy: ToolPolicy, *, size: int) -> Shortlist:
        """Choose at most `size` tools for a text from catalog ∩ policy, best first.

        Tools without any word in common with the text follow in catalog order, so that a task in a
        language the catalog does not speak still has something to choose from.
        """
        pairs = allowed_pairs(catalog, policy)
        usable = list(dict.fromkeys(tool for tools in pairs.values() for tool in tools))
        ranked = self._index(catalog).rank(text)
        best = [tool for tool in ranked.order if tool in set(usable)]
        rest = [tool for tool in usable if tool not in set(best)]
        kept = tuple((best + rest)[:size])
        order = {tool: position for position, tool in enumerate(kept)}
        agents = {
            agent: tuple(sorted((tool for tool in tools if tool in order), key=order.__getitem__))
            for agent, tools in pairs.items()
        }
        shown = {agent: tools for agent, tools in agents.items() if tools}
        best_first = dict(sorted(shown.items(), key=lambda item: order[item[1][0]]))
        return Shortlist(agents=best_first, tools=kept, nearest_example=ranked.examples)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    order: tuple[str, ...]
    examples: Mapping[str, str]


class _Index:
    def __init__(self, catalog: Catalog) -> None:
        self._examples = {tool.name: tool.examples[0] for tool in catalog.tools.values() if tool.examples}
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE said USING fts5(tool UNINDEXED, example UNINDEXED, words, "
            "tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        rows = [
            (tool.name, "", f"{' '.join(_WORD.findall(tool.name.replace('_', ' ')))} {tool.description}")
            for tool in catalog.tools.values()
        ]
        rows += [(tool.name, text, text) for tool in catalog.tools.values() for text in tool.examples]
        self._database.executemany("INSERT INTO said VALUES (?, ?, ?)", rows)

    def rank(self, text: str) -> _Ranking:
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))[:64]
        if not words:
            return _Ranking(order=(), examples=self._examples)
        query = " OR ".join(f'"{word}"' for word in words)
        found = self._database.execute(
            "SELECT tool, example, -bm25(said) FROM said WHERE said MATCH ? ORDER BY rank", (query,)
        ).fetchall()
        scores: dict[str, float] = {}
        examples = dict(self._examples)
        seen: set[tuple[str, bool]] = set()
        for tool, example, score in found:
            part = (tool, bool(example))
            if part in seen:
                continue
            seen.add(part)
            scores[tool] = scores.get(tool, 0.0) + score
            if example:
                examples[tool] = example
        order = tuple(sorted(scores, key=lambda tool: -scores[tool]))
        return _Ranking(order=order, examples=examples)

    def close(self) -> None:
        self._database.close()
