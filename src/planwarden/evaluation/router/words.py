"""Words as the router compares them, and the clauses of a request. Pure."""

from __future__ import annotations

import re

from planwarden.language.scripts import bigrams, without_unspaced
from planwarden.tools.function_words import FUNCTION_WORDS

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CLAUSE = re.compile(r"[.;!?。！？\n]+(?:\s|$)|,\s|\b(?:and|then|also|plus)\b", re.IGNORECASE)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|that|this|them|those|these|result|results|then|there|afterwards)\b", re.IGNORECASE
)
LEAST_STEM = 3
MAX_CLAUSES = 8


def words_of(text: str) -> list[str]:
    """Give the words that say something, lower-cased and without common endings, in their order."""
    spaced = without_unspaced(_CAMEL.sub(" ", text))
    said = [word.lower() for word in _WORD.findall(spaced)]
    return [*(_stem(word) for word in said if word not in FUNCTION_WORDS), *bigrams(text)]


def clauses_of(text: str) -> tuple[str, ...]:
    """Cut a request into the clauses that say something; at least the whole is given."""
    parts = tuple(part.strip() for part in _CLAUSE.split(text))
    kept = tuple(part for part in parts if words_of(part))
    return kept[:MAX_CLAUSES] or (text,)


def points_back(text: str) -> bool:
    """Say whether a clause has a word that points at what was said before it."""
    return _POINTS_BACK.search(text) is not None


def _stem(word: str) -> str:
    """Take off plurals and the endings of verbs, so that prices, priced and pricing are one word."""
    if word.endswith("ies") and len(word) > LEAST_STEM + 1:
        return word.removesuffix("ies") + "y"
    if word.endswith("s") and not word.endswith("ss"):
        return _bare(word, "s")
    for ending in ("ing", "ed"):
        if word.endswith(ending):
            return _bare(word, ending)
    return _bare(word, "")


def _bare(word: str, ending: str) -> str:
    kept = word.removesuffix(ending).removesuffix("e")
    return kept if len(kept) >= LEAST_STEM else word
