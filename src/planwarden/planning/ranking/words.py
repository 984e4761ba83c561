"""The words of names and texts, and the parts of a request. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from planwarden.language.scripts import bigrams, without_unspaced
from planwarden.tools.function_words import FUNCTION_WORDS

MAX_CLAUSES = 12
MIN_CLAUSE_WORDS = 3
"""A shorter part belongs to the one before it."""
A_NUMBER = "0number"
"""Stands for every number: that there is one says more than which."""

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CLAUSE = re.compile(
    r"(?<=[.;!?])\s+|[。！？；]|\n+|[,:]\s+|、|，"
    r"|\b(?:and|then|also|after that|finally|next|before|after|while|as well as|additionally|lastly"
    r"|und|dann|danach|sowie|et|puis|ensuite|y|luego|después|e|poi|depois|en|daarna)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'"[^"\n]*"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|「[^」\n]*」')


def name_words(name: str) -> list[str]:
    """Give the words of a name: cut at signs and where small letters meet capitals."""
    return [word.lower() for word in _WORD.findall(_HUMP.sub(" ", name))]


def text_words(text: str) -> list[str]:
    """Give the words of a text that say what it is about; numbers are all one word.

    Scripts written without spaces give pairs of neighbouring letters.
    """
    found = [
        A_NUMBER if word[0].isdigit() else word.lower()
        for word in _WORD.findall(_HUMP.sub(" ", without_unspaced(text)))
    ]
    return [*(word for word in found if word not in FUNCTION_WORDS), *bigrams(text)]


def clauses(text: str) -> tuple[str, ...]:
    """Cut a request into the parts that may ask for a tool each; what is quoted stays in one."""
    quoted: list[str] = []
    text = text.replace("\x00", " ")  # stands for what is quoted, below

    def mark(found: re.Match[str]) -> str:
        if len(found[0]) > len(text) / 2:  # a request put in quotation marks as a whole
            return found[0]
        quoted.append(found[0])
        return f"\x00{len(quoted) - 1}\x00"

    cut = _CLAUSE.split(_QUOTED.sub(mark, text))
    parts = [re.sub("\x00(\\d+)\x00", lambda mark: quoted[int(mark[1])], part) for part in cut if part]
    return tuple(_joined(part.strip(' ,.;:"') for part in parts))[:MAX_CLAUSES] or (text,)


def _joined(parts: Iterator[str]) -> Iterator[str]:
    """Join parts that are too short to stand alone to the one before."""
    whole = ""
    for part in parts:
        short = len(part) < 12 and len(part.split()) < MIN_CLAUSE_WORDS
        if whole and not short:
            yield whole
            whole = part
        else:
            whole = f"{whole} {part}".strip()
    if whole:
        yield whole
