"""Extractive summaries by TextRank (Mihalcea and Tarau, EMNLP 2004): similar sentences vote."""

from __future__ import annotations

import math
from collections.abc import Sequence

from planwarden.tools.domains.corpus import sentences, words

MAX_SENTENCES = 400
"""Sentences of a document that are read; the work grows with their square."""
_DAMPING = 0.85
_ROUNDS = 40
_WORDS_OF_A_SENTENCE = range(4, 80)


def summary_sentences(paragraphs: Sequence[str], count: int) -> tuple[tuple[str, ...], int]:
    """Give the `count` most central sentences in their original order, and how many sentences were read."""
    every = list(dict.fromkeys(sentence for paragraph in paragraphs for sentence in sentences(paragraph)))
    read = [sentence for sentence in every if len(words(sentence)) in _WORDS_OF_A_SENTENCE][:MAX_SENTENCES]
    read = read or every[:MAX_SENTENCES]
    scores = _ranks([frozenset(word for word in words(sentence) if len(word) > 3) for sentence in read])
    best = sorted(range(len(read)), key=lambda place: (-scores[place], place))[:count]
    return tuple(read[place] for place in sorted(best)), len(read)


def _ranks(bags: Sequence[frozenset[str]]) -> list[float]:
    weights: list[dict[int, float]] = [{} for _ in bags]
    for left in range(len(bags)):
        for right in range(left):
            if similarity := _similarity(bags[left], bags[right]):
                weights[left][right] = weights[right][left] = similarity
    totals = [sum(row.values()) for row in weights]
    scores = [1.0] * len(bags)
    for _ in range(_ROUNDS):
        scores = [
            1
            - _DAMPING
            + _DAMPING * sum(weight / totals[other] * scores[other] for other, weight in row.items())
            for row in weights
        ]
    return scores


def _similarity(left: frozenset[str], right: frozenset[str]) -> float:
    """Common words over the logarithms of the lengths, as the paper defines it (plus one: log 1 is 0)."""
    common = len(left & right)
    return common / (math.log(len(left) + 1) + math.log(len(right) + 1)) if common else 0.0
