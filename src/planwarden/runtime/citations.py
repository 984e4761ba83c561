"""Which calls each sentence of an answer rests on: as the model cited them, else matched. Pure.

A sentence without a citation is matched to a call when it says a number or quotes a text that the task does
not hold, and all its numbers and quotes are in that call and in no other. The id is added, and marked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from planwarden.contracts.calls import Citation
from planwarden.language.numbers import mentions
from planwarden.language.sentences import sentence_spans
from planwarden.language.support import Known, known_numbers

_ID = r"[a-z][a-z0-9_]*\.\d+"
_ONE = re.compile(_ID)
_BRACKETS = re.compile(rf"[\[【]\s*(?:{_ID}|\d{{1,3}})(?:\s*[,;、]\s*(?:{_ID}|\d{{1,3}}))*\s*[\]】]")
_QUOTED = re.compile(
    r"\"([^\"\n]{3,})\"|“([^”\n]{3,})”|„([^“”\n]{3,})[“”]|«\s*([^»\n]{3,}?)\s*»|「([^」\n]{2,})」"
)
_LETTER = re.compile(r"[^\W\d_]")
_END = " \t.!?。！？؟।…\"'”»」)|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A text with its citations sorted out."""

    text: str
    """With the ids that were matched added."""
    citations: tuple[Citation, ...]
    unknown: tuple[str, ...]
    uncited: tuple[str, ...]


def without_citations(text: str) -> str:
    """Blank out citations, every other character in its place."""
    return _BRACKETS.sub(lambda found: " " * len(found[0]), text)


def cited(text: str, known: Sequence[str], contents: Mapping[str, Sequence[str]], task: str) -> Cited:
    """Sort out the citations of a model's text; add those that can be matched.

    Args:
        text: as the model wrote it.
        known: ids that it may cite.
        contents: of the calls among them whose results are at hand, id → its texts.
        task: the prompt; what it says needs no evidence.
    """
    calls = {name: _Content("\n".join(said)) for name, said in contents.items()}
    asked = _Content(task)
    parts: list[str] = []
    citations: dict[str, Citation] = {}
    unknown: list[str] = []
    uncited: list[str] = []
    at = 0
    for start, end in sentence_spans(text):
        sentence = text[start:end]
        named = [name for group in _BRACKETS.findall(sentence) for name in _names(group)]
        unknown += [name for name in named if name not in known]
        own = [name for name in named if name in known]
        for name in own:
            citations[name] = Citation(call=name, by="model")
        matched = "" if own else _match(without_citations(sentence), calls, asked)
        if matched:
            citations.setdefault(matched, Citation(call=matched, by="matched"))
            body = sentence.rstrip(_END)
            sentence = f"{body} [{matched}]{sentence[len(body) :]}"
        elif not own and _LETTER.search(without_citations(sentence)):
            uncited.append(sentence.strip())
        parts += [text[at:start], sentence]
        at = end
    return Cited(
        text="".join([*parts, text[at:]]),
        citations=tuple(citations.values()),
        unknown=tuple(dict.fromkeys(unknown)),
        uncited=tuple(uncited),
    )


def _names(group: str) -> list[str]:
    return _ONE.findall(group) or re.findall(r"\d+", group)


class _Content:
    """What one text says, read once, when it is first asked."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def numbers(self) -> Known:
        return known_numbers(mentions(self._text))

    @cached_property
    def words(self) -> str:
        return " ".join(self._text.casefold().split())


def _match(sentence: str, calls: Mapping[str, _Content], asked: _Content) -> str:
    """Name the one call that holds every number and quote of a sentence; empty where there is not one."""
    said = list(mentions(sentence))
    quotes = [" ".join("".join(found).casefold().split()) for found in _QUOTED.findall(sentence)]
    said = [one for one in said if not any(asked.numbers.supports(reading) for reading in one.readings)]
    quotes = [quote for quote in quotes if quote not in asked.words]
    if not said and not quotes:
        return ""
    holding = [
        name
        for name, content in calls.items()
        if all(any(content.numbers.supports(reading) for reading in one.readings) for one in said)
        and all(quote in content.words for quote in quotes)
    ]
    return holding[0] if len(holding) == 1 else ""
