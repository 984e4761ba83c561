"""`creative.tonecheck`: how a text reads, measured."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from planwarden.contracts.value import Contract
from planwarden.errors import ToolFailed
from planwarden.tools.domains.corpus import sentences, words
from planwarden.tools.function import FunctionTool, tool


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HEDGES = _word_set(
    """
    almost apparently appears arguably basically fairly generally hopefully kind kinda likely maybe might
    mostly often partly perhaps possibly presumably probably quite rather relatively roughly seem seems
    somewhat sort usually
    """
)
_POSITIVE = _word_set(
    """
    amazing appreciate awesome beautiful benefit best better brilliant clear confident delight delighted
    easy enjoy excellent excited fantastic glad good grateful great happy helpful hope improve improved kind
    love lovely nice outstanding perfect pleased pleasure positive proud recommend reliable safe smooth
    strong succeed success successful support thank thanks thrilled trust useful valuable welcome win
    wonderful
    """
)
_NEGATIVE = _word_set(
    """
    angry annoyed annoying awful bad blame broken complain confusing crisis damage delay delayed difficult
    disappoint disappointed disappointing error fail failed failure fault frustrated frustrating hard hate
    horrible hurt late lose loss mess mistake negative never nightmare poor problem problems refuse regret
    reject risk sad severe sorry stupid terrible threat trouble ugly unacceptable unfortunately unhappy
    upset useless weak worse worst wrong
    """
)
_BE = r"(?:am|is|are|was|were|be|been|being|gets?|got)"
_PARTICIPLE = (
    r"(?:\w{2,}ed|done|made|given|taken|seen|known|shown|written|built|sent|held|kept|lost|paid|sold|told|found"
    r"|chosen|broken|driven)"
)
_PASSIVE = re.compile(rf"\b{_BE}\s+(?:\w+ly\s+)?{_PARTICIPLE}\b", re.IGNORECASE)


class ToneCheck(Contract):
    """Measures of a text. Reading ease is Flesch's: 60 to 70 is plain English, below 30 very hard."""

    text: str
    tone: str
    sentences: int
    words: int
    words_per_sentence: float
    reading_ease: float
    passive: int
    hedges: int
    shouting: int
    """Words in capitals and runs of exclamation marks."""
    positive_words: int
    negative_words: int


def creative_tools() -> tuple[FunctionTool, ...]:
    """Make the creative tools."""
    return (tonecheck,)


@tool(
    name="creative.tonecheck",
    effect="read",
    description="Check the tone and readability of a text: friendly or negative, hedging, shouting, passive,"
    " how hard to read.",
    examples=(
        "Does this email sound too harsh?",
        "Check the tone of my announcement",
        "How readable is this paragraph?",
        "Is the following customer reply friendly enough?",
        "Review this draft for hedging and passive voice",
        "Am I shouting in this message?",
    ),
    untrusted_output=False,
)
def tonecheck(
    text: Annotated[
        str,
        Field(
            description="The text to check, word for word",
            min_length=1,
            max_length=20_000,
            json_schema_extra={"x-verbatim": True},
        ),
    ],
) -> ToneCheck:
    """Measure tone and readability (R. Flesch, A new readability yardstick, 1948; English syllables)."""
    found = words(text)
    if not found:
        raise ToolFailed("the text has no words.", remedy="Give a text of at least one word.")
    count = max(1, len(sentences(text)))
    length = len(found) / count
    ease = 206.835 - 1.015 * length - 84.6 * sum(map(_syllables, found)) / len(found)
    positive = sum(word in _POSITIVE for word in found)
    negative = sum(word in _NEGATIVE for word in found)
    hedges = sum(word in _HEDGES for word in found)
    passive = len(_PASSIVE.findall(text))
    shouting = len(re.findall(r"\b[A-Z]{4,}\b", text)) + len(re.findall(r"!{2,}", text))
    tone = _tone(positive, negative)
    remarks = _remarks(length, hedges / len(found), passive / count, shouting)
    return ToneCheck(
        text=f"The tone is {tone} ({positive} positive, {negative} negative words) and the text is"
        f" {_level(ease)} (Flesch reading ease {ease:.0f}, {length:.1f} words a sentence). {remarks}",
        tone=tone,
        sentences=count,
        words=len(found),
        words_per_sentence=round(length, 2),
        reading_ease=round(ease, 2),
        passive=passive,
        hedges=hedges,
        shouting=shouting,
        positive_words=positive,
        negative_words=negative,
    )


def _syllables(word: str) -> int:
    """Count groups of vowels, less a silent e; about right for English."""
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)


def _tone(positive: int, negative: int) -> str:
    if positive and negative and max(positive, negative) < 2 * min(positive, negative):
        return "mixed"
    if positive > negative:
        return "positive"
    return "negative" if negative else "neutral"


def _level(ease: float) -> str:
    if ease >= 70:
        return "easy to read"
    if ease >= 50:
        return "fairly plain"
    return "hard to read" if ease >= 30 else "very hard to read"


def _remarks(length: float, hedged: float, passive: float, shouting: int) -> str:
    remarks: list[str] = []
    if length > 25:
        remarks.append("the sentences are long")
    if hedged > 0.03:
        remarks.append("it hedges a lot")
    if passive > 0.3:
        remarks.append("much of it is passive")
    if shouting:
        remarks.append(f"it shouts {shouting} {'time' if shouting == 1 else 'times'}")
    return f"Note: {', '.join(remarks)}." if remarks else "Nothing stands out."
