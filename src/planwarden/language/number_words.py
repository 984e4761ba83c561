"""Numbers in words: eight European languages by text2num, and the numerals of Chinese and Japanese."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from planwarden.language.amounts import Amount
from planwarden.language.numbers import Mention

WORDED = ("da", "de", "en", "es", "fr", "it", "nl", "pt")
"""Languages whose number words are read."""
_HOMONYMS = {"fr": {"neuf"}, "it": {"sei"}, "de": set[str](), "en": set[str]()}
"""Words that are as often something else: French new, Italian you are."""
_TOKEN = re.compile(r"\w+|[^\w\s]+|\s+")
_HAN = re.compile(r"(百分之)?([〇零一二两三四五六七八九十百千万萬億亿兆]{2,24})")
_HAN_DIGITS = {
    letter: digit
    for digit, letters in enumerate(("〇零", "一", "二两", *"三四五六七八九"))
    for letter in letters
}
_SMALL = {"十": 10, "百": 100, "千": 1_000}
_LARGE = {"万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}


@dataclass(frozen=True, slots=True)
class _Token:
    """A word as text2num wants it."""

    said: str

    def text(self) -> str:
        return self.said

    def nt_separated(self, _previous: _Token) -> bool:
        return False

    def not_a_number_part(self) -> bool:
        return False


def worded_mentions(text: str, language: str) -> Iterator[Mention]:
    """Give the numbers from 2 up that a text writes in words of a language; ordinals are none."""
    if language in WORDED:
        yield from _by_text2num(text, language)
    yield from _han(text)


def _by_text2num(text: str, language: str) -> Iterator[Mention]:
    find: Any = importlib.import_module("text_to_num").find_numbers
    spans: list[tuple[int, int]] = [found.span() for found in _TOKEN.finditer(text)]
    tokens = [_Token(text[start:end]) for start, end in spans]
    for found in find(tokens, language, 0.0):
        first, behind = int(found.start), int(found.end)
        start, end = spans[first][0], spans[behind - 1][1]
        said = text[start:end]
        if found.is_ordinal or any(letter.isdigit() for letter in said) or _no_claim(said, language):
            continue
        amount = _amount(str(found.text))
        if amount is not None and amount.value >= 2:
            yield Mention(start=start, end=end, text=said, readings=((amount,),))


def _no_claim(said: str, language: str) -> bool:
    return said.lower() in _HOMONYMS.get(language, set[str]())


def _amount(digits: str) -> Amount | None:
    try:
        value = abs(Decimal(digits.replace(",", ".")))
    except InvalidOperation:
        return None
    return Amount(value=value, step=Decimal(1).scaleb(-len(digits.replace(",", ".").partition(".")[2])))


def _han(text: str) -> Iterator[Mention]:
    for found in _HAN.finditer(text):
        value = han_number(found[2])
        if value is None or value < 2:
            continue
        amount = Amount(value=Decimal(value), step=Decimal(1))
        share = Amount(value=Decimal(value).scaleb(-2), step=Decimal("0.01"))
        readings = ((amount,), (share,)) if found[1] else ((amount,),)
        yield Mention(start=found.start(), end=found.end(), text=found[0], readings=readings)


def han_number(letters: str) -> int | None:
    """Read 三百五十 or 二〇二四; None for letters that make no number, as in 万一 or 千万."""
    if all(letter in _HAN_DIGITS for letter in letters):
        return int("".join(str(_HAN_DIGITS[letter]) for letter in letters)) if len(letters) > 2 else None
    total = section = digit = 0
    if letters[0] not in _HAN_DIGITS and letters[0] != "十":
        return None
    for letter in letters:
        if letter in _HAN_DIGITS:
            digit = _HAN_DIGITS[letter]
        elif letter in _SMALL:
            section += (digit or 1) * _SMALL[letter]
            digit = 0
        else:
            total += (section + digit or 1) * _LARGE[letter]
            section = digit = 0
    return total + section + digit
