"""Digits and signs of every script as ASCII, one for one; which letters stand without spaces. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_SIGNS = str.maketrans({
    "\N{MINUS SIGN}": "-", "\N{FULLWIDTH HYPHEN-MINUS}": "-", "\N{SMALL HYPHEN-MINUS}": "-",
    "\N{EN DASH}": "-", "\N{NON-BREAKING HYPHEN}": "-", "\N{HYPHEN}": "-",
    "\N{FULLWIDTH FULL STOP}": ".", "\N{FULLWIDTH COMMA}": ",", "\N{FULLWIDTH SOLIDUS}": "/",
    "\N{FULLWIDTH COLON}": ":", "\N{FULLWIDTH PERCENT SIGN}": "%", "\N{ARABIC PERCENT SIGN}": "%",
    "\N{ARABIC THOUSANDS SEPARATOR}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{MODIFIER LETTER APOSTROPHE}": "'", "\N{FULLWIDTH APOSTROPHE}": "'",
    "\N{NARROW NO-BREAK SPACE}": "\N{NO-BREAK SPACE}", "\N{THIN SPACE}": "\N{NO-BREAK SPACE}",
    "\N{FIGURE SPACE}": "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}": " ",
})  # fmt: skip
_UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\u0e00-\u0e7f\uac00-\ud7af]+"
)


def plain_signs(text: str) -> str:
    """Write digits of all scripts, and the signs around numbers, as ASCII; every character keeps its place.

    The Arabic decimal separator stays, since it says more than a comma would.
    """
    return _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text).translate(_SIGNS)


def bigrams(text: str) -> Iterator[str]:
    """Give each pair of neighbouring letters of scripts that are written without spaces (or glue endings on).

    Chinese, Japanese, Thai, and Korean, whose words end in particles. A letter alone is given as it is.
    """
    for run in _UNSPACED.findall(text):
        if len(run) == 1:
            yield run
        for at in range(len(run) - 1):
            yield run[at : at + 2]


def without_unspaced(text: str) -> str:
    """Give a text without what `bigrams` reads."""
    return _UNSPACED.sub(" ", text)
