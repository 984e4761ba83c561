"""The tools of a catalog, made ready to be compared with requests. Built once for a catalog and kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from planwarden.contracts.specs import ToolSpec
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.heard import Heard
from planwarden.planning.ranking.lexicon import GramRows, Lexicon
from planwarden.planning.ranking.words import name_words, text_words

Floats = NDArray[np.float32]

MAX_DESCRIPTION = 300
"""Characters of a description that are read."""
MAX_COMPARED = 64
"""Tools that are compared with a request in full; of a larger catalog, those nearest to it."""
NEAR_A_CLAUSE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolIndex:
    """Some tools; all arrays have one row for each, in this order."""

    names: tuple[str, ...]
    embeddings: Floats
    name_letters: GramRows
    text_letters: GramRows
    parameter_letters: GramRows
    counts: Floats
    """Columns: required parameters, parameters, words of the description."""

    @staticmethod
    def build(tools: Sequence[ToolSpec], encoder: SentenceEncoder, lexicon: Lexicon) -> ToolIndex:
        """Make the index of some tools."""
        return ToolIndex(
            names=tuple(tool.name for tool in tools),
            embeddings=encoder.encode([embedded_text(tool) for tool in tools]),
            name_letters=GramRows.of([lexicon.grams(name_words(tool.name)) for tool in tools]),
            text_letters=GramRows.of([lexicon.grams(described_words(tool)) for tool in tools]),
            parameter_letters=GramRows.of([lexicon.grams(parameter_words(tool)) for tool in tools]),
            counts=np.array([_counts(tool) for tool in tools], np.float32).reshape(len(tools), 3),
        )

    def only(self, rows: Sequence[int]) -> ToolIndex:
        """Give the index of some of the tools, in that order."""
        if len(rows) == len(self.names) and list(rows) == list(range(len(self.names))):
            return self
        return ToolIndex(
            names=tuple(self.names[row] for row in rows),
            embeddings=self.embeddings[list(rows)],
            name_letters=self.name_letters.chosen(rows),
            text_letters=self.text_letters.chosen(rows),
            parameter_letters=self.parameter_letters.chosen(rows),
            counts=self.counts[list(rows)],
        )

    def nearest(self, heard: Heard) -> list[int]:
        """Give the rows worth comparing in full: all of a small catalog, else the MAX_COMPARED nearest."""
        if len(self.names) <= MAX_COMPARED:
            return list(range(len(self.names)))
        meant: Floats = self.embeddings @ heard.embeddings.T
        said = self.name_letters.likeness(heard.letters[0])
        whole: Floats = (meant[:, 0] + said / 2).astype(np.float32)
        by_clause = [_best(meant[:, at], NEAR_A_CLAUSE) for at in range(1, meant.shape[1])]
        wanted = dict.fromkeys(row for rank in zip(*by_clause, strict=True) for row in rank)
        found = dict.fromkeys([*_best(whole, MAX_COMPARED // 2), *list(wanted)[: MAX_COMPARED // 2]])
        found |= dict.fromkeys(_best(whole, MAX_COMPARED))
        return sorted(list(found)[:MAX_COMPARED])


def _best(scores: Floats, count: int) -> list[int]:
    count = min(count, len(scores))
    top = np.argpartition(-scores, count - 1)[:count]
    return [int(row) for row in top[np.argsort(-scores[top], kind="stable")]]


def embedded_text(tool: ToolSpec) -> str:
    """Give the text by which a tool is embedded."""
    return f"{' '.join(name_words(tool.name))}: {tool.description[:MAX_DESCRIPTION]}"


def described_words(tool: ToolSpec) -> list[str]:
    """Give the words of what a tool says of itself and of its data."""
    return [*text_words(tool.description[:MAX_DESCRIPTION]), *text_words(" ".join(tool.topics))]


def parameter_words(tool: ToolSpec) -> list[str]:
    """Give the words of a tool's parameters and their descriptions."""
    return [word for text in _parameter_texts(tool) for word in text]


def _parameter_texts(tool: ToolSpec) -> Iterator[list[str]]:
    for name, schema in _properties(tool).items():
        said = cast("dict[str, Any]", schema).get("description") if isinstance(schema, dict) else None
        yield name_words(name)
        yield text_words(said[:80]) if isinstance(said, str) else []


def _properties(tool: ToolSpec) -> dict[str, Any]:
    found = tool.parameters.get("properties")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _counts(tool: ToolSpec) -> tuple[float, float, float]:
    required = tool.parameters.get("required")
    needed = len(cast("list[Any]", required)) if isinstance(required, list) else 0
    return float(needed), float(len(_properties(tool))), float(len(tool.description.split()))
