"""Which language a text is in, by the n-gram detector `eld`; loaded when first needed, about 0.15 s.

`eld` was chosen by measurement over py3langid (docs/decisions/0013): as right on short requests, eight times
faster to load, and without NumPy.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

LANGUAGES = (
    "ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "uk", "zh",
)  # fmt: skip
"""Languages that our own texts are written in."""
UNKNOWN = "en"
"""What a text counts as whose language cannot be told, or is none of these."""
CLEARLY = 1.5
"""Another language counts only when it scores this much better than ours: short texts look alike."""
MIN_LETTERS = 4
"""A shorter text in ASCII says nothing about its language."""
MAX_CHARS = 1_000
_NOT_WORDS = re.compile(r"https?://\S+|[A-Za-z_.,%'-]*\d[\dA-Za-z_.,%'-]*|\b[A-Z]{2,}\b|[a-z]+[_.]\w+")
_LETTERS = re.compile(r"[^\W\d_]")


def language_of(text: str) -> str:
    """Give the ISO 639-1 code of a text's language, among `LANGUAGES`; English when it cannot be told."""
    words = _NOT_WORDS.sub(" ", text[:MAX_CHARS])
    letters = "".join(_LETTERS.findall(words))
    if len(letters) < (MIN_LETTERS if letters.isascii() else 2):
        return UNKNOWN
    scores = _scores()(words)
    ours = {name: scores[name] for name in LANGUAGES if name in scores}
    if not ours:
        return UNKNOWN
    best = max(ours, key=ours.__getitem__)
    return UNKNOWN if max(scores.values()) > CLEARLY * ours[best] else best


@cache
def _scores() -> Callable[[str], Mapping[str, float]]:
    detector: Any = importlib.import_module("eld").LanguageDetector()

    def scores(text: str) -> Mapping[str, float]:
        found = detector.detect(text).scores()
        return cast("Mapping[str, float]", found or {})

    return scores
