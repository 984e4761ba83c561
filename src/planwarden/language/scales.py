"""Words and letters that multiply the number before them: million, Mrd., k, 億. Pure."""

from __future__ import annotations

import re

_WORDS: dict[int, str] = {
    2: ("hundred hundert"),
    3: (
        "thousand thousands tausend mille milliers mil mila duizend tysiąc tysiące tysięcy tys bin "
        "тысяча тысячи тысяч тыс тисяча тисячі тисяч тис ألف آلاف हज़ार हजार k tsd"
    ),
    5: ("lakh lakhs लाख"),
    6: (
        "million millions millionen mio million millón millones milione milioni milhão milhões "
        "miljoen mln mio milion miliony milionów milyon миллион миллиона миллионов млн мільйон "
        "мільйони мільйонів مليون ملايين mn mill"
    ),
    7: ("crore crores करोड़"),
    9: (
        "billion billions bn milliard milliards milliarde milliarden mrd md mds miliardo miliardi mld "
        "miljard miliard miliardy miliardów milyar миллиард миллиарда миллиардов млрд мільярд "
        "мільярди мільярдів مليار مليارات अरब bilhão bilhões bln bi"
    ),
    12: (
        "trillion trillions trn tn billionen bio billón billones bilione bilioni biljoen bilion "
        "biliony bilionów trilyon триллион триллиона триллионов трлн трильйон трильйонів تريليون "
        "trilhão trilhões billion billions bilião biliões"
    ),
}
_GLUED = {"K": 3, "M": 6, "B": 9, "T": 12}
_LETTERS = {"千": 3, "천": 3, "万": 4, "萬": 4, "만": 4, "億": 8, "亿": 8, "억": 8, "兆": 12, "조": 12}

MYRIADS = "".join(_LETTERS)
"""Letters of Chinese, Japanese and Korean that multiply."""

POWERS: dict[str, tuple[int, ...]] = {}
"""Word, in small letters → the powers of ten it can stand for (a billion is two things)."""
for _power, _words in _WORDS.items():
    for _word in _words.split():
        POWERS[_word] = tuple(dict.fromkeys((*POWERS.get(_word, ()), _power)))
_TWO_WORDS = {"mil millones": 9, "thousand million": 9, "lakh crore": 12, "mille milliards": 12}
_AFTER = re.compile(r"[ \u00a0]?([^\W\d_]{1,11})\b(?:\.(?=\s|$|\w))?")
_NEXT = re.compile(r"[ \u00a0]([^\W\d_]{1,11})\b")


def scale_after(text: str, at: int) -> tuple[tuple[int, ...], int]:
    """Give the powers of ten that the word at a place can stand for, and where it ends; (0,) for none."""
    found = _AFTER.match(text, at)
    if found is None:
        return (0,), at
    word, glued = found[1], found.start(1) == at
    if glued and word in _GLUED:
        return (_GLUED[word],), found.end(1)
    if glued and word in ("m", "b", "t"):
        return (0, {"m": 6, "b": 9, "t": 12}[word]), found.end(1)
    lowered = word.lower()
    pair = _NEXT.match(text, found.end(1))
    if pair is not None and (power := _TWO_WORDS.get(f"{lowered} {pair[1].lower()}")):
        return (power,), pair.end(1)
    if lowered in ("bi", "md", "mill", "k") and not glued:
        return (0,), at
    return (POWERS[lowered], found.end(1)) if lowered in POWERS else ((0,), at)


def myriad_power(letters: str) -> int:
    """Give the power of ten that letters like 万 or 천만 stand for together."""
    return sum(_LETTERS[letter] for letter in letters)
