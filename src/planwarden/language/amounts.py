"""Digits with separators between them, and the numbers that they can mean. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

_SEPARATOR = re.compile(r"\D")
_LONGEST = 400
"""Digits of a number; one that is longer is compared by its first ones only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number without its sign, and the step of its last digit: what it can be the rounding of."""

    value: Decimal
    step: Decimal


def scaled(amount: Amount, power: int) -> Amount:
    """Multiply by a power of ten."""
    if power == 0:
        return amount
    return Amount(value=amount.value.scaleb(power), step=amount.step.scaleb(power))


def amounts_of(token: str) -> tuple[Amount, ...]:
    """Give the numbers that a token of digits and separators can be; empty when it is none, but several.

    Thousands may be parted by `,` `.` `'` or a space, also the Indian way (12,34,567); decimals by `.` `,`
    or `٫`.
    """
    separators = _SEPARATOR.findall(token)
    groups = _SEPARATOR.split(token)
    if not separators:
        return (_amount(token, ""),)
    readings: list[Amount] = []
    if _thousands(groups, separators):
        readings.append(_amount("".join(groups), ""))
    *before, last = separators
    grouped = not before or (last not in before and _thousands(groups[:-1], before))
    if last in ".,٫" and grouped:
        readings.append(_amount("".join(groups[:-1]), groups[-1]))
    return tuple(readings)


def _thousands(groups: list[str], separators: list[str]) -> bool:
    """Say whether groups of digits with these between them are one whole number."""
    first, *middle = groups
    if len(set(separators)) != 1 or separators[0] == "٫" or not middle or not 1 <= len(first) <= 3:
        return False
    if first.startswith("0"):
        return False
    western = all(len(group) == 3 for group in middle)
    indian = (
        separators[0] == ","
        and len(first) <= 2
        and len(middle[-1]) == 3
        and all(len(group) == 2 for group in middle[:-1])
    )
    return western or indian


def _amount(whole: str, decimals: str) -> Amount:
    digits = f"{whole[:_LONGEST]}.{decimals[:_LONGEST]}" if decimals else whole[:_LONGEST]
    return Amount(value=Decimal(digits), step=Decimal(1).scaleb(-len(decimals[:_LONGEST])))


def fraction_amount(token: str) -> Amount | None:
    """Read ½ or 2½; None for a token without such a character."""
    *whole, last = token
    if last.isascii() or not last.isnumeric():
        return None
    part = Decimal(str(round(unicodedata.numeric(last), 4)))
    return Amount(value=Decimal("".join(whole) or "0") + part, step=Decimal("0.01"))
