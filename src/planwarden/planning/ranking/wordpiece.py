"""WordPiece tokens of a text, as uncased BERT cuts it (Devlin et al. 2019; Wu et al. 2016). Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

UNKNOWN, START, END = "[UNK]", "[CLS]", "[SEP]"
MAX_WORD_CHARS = 100
"""A longer word is one unknown token, as in BERT."""
_CHINESE = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2CEAF), (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)  # fmt: skip
_ASCII_SIGNS = frozenset((*range(33, 48), *range(58, 65), *range(91, 97), *range(123, 127)))


class WordPiece:
    """Cuts texts into the ids of one vocabulary."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """Take token → id; `[UNK]`, `[CLS]` and `[SEP]` must be there."""
        self._ids = vocabulary
        self._unknown, self._start, self._end = (vocabulary[mark] for mark in (UNKNOWN, START, END))
        self._pieces = lru_cache(maxsize=20_000)(self._cut)

    def ids(self, text: str, *, limit: int) -> list[int]:
        """Give at most `limit` ids, the marks at both ends included; what is beyond is not read."""
        found: list[int] = []
        for word in _words(text):
            found += self._pieces(word)
            if len(found) >= limit - 2:
                break
        return [self._start, *found[: limit - 2], self._end]

    def _cut(self, word: str) -> tuple[int, ...]:
        """Cut one word greedily into the longest pieces known."""
        if len(word) > MAX_WORD_CHARS:
            return (self._unknown,)
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            end = next((e for e in range(len(word), start, -1) if mark + word[start:e] in self._ids), None)
            if end is None:
                return (self._unknown,)
            pieces.append(self._ids[mark + word[start:end]])
            start = end
        return tuple(pieces)


def _words(text: str) -> Iterator[str]:
    """Give words and signs, in lower case and without accents; Chinese characters stand alone."""
    word: list[str] = []
    for char in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(char)
        if kind == "Mn" or char == "\ufffd" or (kind in ("Cc", "Cf", "Co") and char not in "\t\n\r"):
            continue
        alone = _is_sign(char, kind) or _is_chinese(ord(char))
        if alone or char.isspace():
            if word:
                yield "".join(word)
                word = []
            if alone:
                yield char
        else:
            word.append(char)
    if word:
        yield "".join(word)


def _is_sign(char: str, kind: str) -> bool:
    return ord(char) in _ASCII_SIGNS or kind.startswith("P")


def _is_chinese(code: int) -> bool:
    return any(first <= code <= last for first, last in _CHINESE)
