"""Personal data that can be told by its form: addresses, numbers with check digits. Pure.

Names of people, postal addresses and whatever has no form of its own are not found: whoever hands a dossier
on has to read it, or to redact all content. Every expression here runs in time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

_EMAIL = re.compile(r"[\w.%+'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?!\w)")
_IBAN = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?!\w)")
_CARD = re.compile(
    r"(?<!\w)(?:\d{13,19}|\d{4}(?P<a>[ -])\d{4}(?P=a)\d{4}(?P=a)\d{1,7}"
    r"|\d{4}(?P<b>[ -])\d{6}(?P=b)\d{5})(?!\w)"
)
_ADDRESS = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
    r"|(?<![\w.:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])"
)
_PHONE = re.compile(
    r"(?<![\w.,-])(?:(?:\+|00)[1-9][\d ()/.-]{5,20}\d|\(?0[1-9]\d{1,4}\)?(?:[ /-]?\d){4,10}"
    r"|(?:\([2-9]\d\d\) ?|[2-9]\d\d[-.])\d{3}[-.]\d{4})(?![\w-])"
)
MIN_PHONE, MAX_PHONE = 7, 15
"""Digits of a phone number (E.164)."""


def without_personal(text: str) -> str:
    """Replace what looks like personal data, each by its kind in brackets."""
    for expression, replaced in _FINDERS:
        text = expression.sub(replaced, text)
    return text


def is_card_number(digits: str) -> bool:
    """Say whether digits are a payment card's: by length, first digit and Luhn's check (ISO/IEC 7812)."""
    if not 13 <= len(digits) <= 19 or digits[0] not in "23456" or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _iban(found: re.Match[str]) -> str:
    """Replace the longest beginning that is one: words may follow without anything between."""
    written = found[0]
    for end in range(len(written), 14, -1):
        if (end == len(written) or written[end] == " ") and _is_iban(written[:end]):
            return f"[IBAN]{written[end:]}"
    return written


def _is_iban(written: str) -> bool:
    """Check as ISO 13616 says: the country moved to the end, letters as numbers, remainder 1 by 97."""
    bare = written.replace(" ", "").upper()
    if not 15 <= len(bare) <= 34:
        return False
    turned = bare[4:] + bare[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _card(found: re.Match[str]) -> str:
    return "[card number]" if is_card_number(re.sub(r"\D", "", found[0])) else found[0]


def _address(found: re.Match[str]) -> str:
    try:
        ip_address(found[0])
    except ValueError:
        return found[0]
    return "[IP address]" if found[0] != "::" else found[0]


def _phone(found: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in found[0])
    return "[phone]" if MIN_PHONE <= digits <= MAX_PHONE else found[0]


_FINDERS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_EMAIL, "[e-mail]"),
    (_IBAN, _iban),
    (_CARD, _card),
    (_ADDRESS, _address),
    (_PHONE, _phone),
)
