"""The numbers, dates and times that a text mentions, with every plausible reading of each. Pure.

One pass over the text. `1.234` is read as 1.234 and as 1234; `12 %` as 12 and as 0.12; a name with digits in
it (`H2O`, `Q3`, `GPT-4`) is a name, not a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from re import Match

from planwarden.language.amounts import Amount, amounts_of, fraction_amount, scaled
from planwarden.language.dates import MONTHS, Day, TimeOfDay, day, days_written, time_of_day
from planwarden.language.scales import MYRIADS, myriad_power, scale_after
from planwarden.language.scripts import plain_signs

Reading = tuple[Amount | Day | TimeOfDay, ...]
"""What has to be true together for a mention to be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One number, date or time in a text, as written, and the readings it can have."""

    start: int
    end: int
    text: str
    readings: tuple[Reading, ...]
    """Of a percentage, the number before the sign first, then as many with the share that it is."""
    percent: bool = False


_L = "A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
"""Letters of scripts whose words stand apart: a digit right after one is part of a name."""
_CURRENCY = "(?:USD|EUR|GBP|CHF|JPY|CNY|INR|RUB|UAH|TRY|PLN|BRL|CAD|AUD|SEK|NOK|DKK|Rs|US|R|kr|Fr|zł)"
_PLAIN = r"\d++(?:(?:[.,'٫\u00a0]|[ ](?=\d{3}(?!\d)))\d++)*+"
_VULGAR = "\u00bc-\u00be\u2150-\u215e"
_SCAN = re.compile(
    rf"""
    (?P<address>(?:https?://|www\.)\S++)
    | (?P<name>(?<![{_L}\d_])(?!{_CURRENCY}\d)[{_L}][{_L}_]*+(?:\d|(?<=[A-Z])-\d)
        [{_L}\d_]*+(?:\.\d[{_L}\d_]*+)*+)
    | (?P<month_first>(?<![{_L}\d_])(?P<mf_m>[^\W\d_]{{3,12}}+)\.?[ \u00a0]{{1,2}}
        (?P<mf_d>\d{{1,2}}+)(?:st|nd|rd|th)?
        (?:,?[ \u00a0]{{1,2}}(?P<mf_y>\d{{4}}))?(?![\d{_L}])(?![.,:/%]\d))
    | (?P<year_first>(?<![\d.,])(?P<yf_y>\d{{4}})(?:[-/.]|[ ]?[年년][ ]?)
        (?P<yf_m>\d{{1,2}})(?:[-/.]|[ ]?[月월][ ]?)
        (?P<yf_d>\d{{1,2}})(?:[ ]?[日일]|(?!\d)(?![.,-]\d)))
    | (?P<year_last>(?<![\d.,])(?P<yl_a>\d{{1,2}})(?P<yl_s>[-/.])[ ]?(?P<yl_b>\d{{1,2}})(?P=yl_s)
        [ ]?(?P<yl_y>\d{{4}}|\d{{2}})
        (?!\d)(?![./]\d))
    | (?P<no_year>(?<![\d.,])(?P<no_m>\d{{1,2}})[ ]?[月월][ ]?(?P<no_d>\d{{1,2}})[ ]?[日일])
    | (?P<day_first>(?<![\d.,])(?P<df_d>\d{{1,2}}+)(?:st|nd|rd|th|er|º|ª|\.)?[ \u00a0]{{1,2}}
        (?:de[ ]|of[ ]|d'|di[ ])?(?P<df_m>[^\W\d_]{{3,12}})\b\.?,?
        (?:[ \u00a0]{{1,2}}(?:de[ ]|del[ ]|of[ ])?(?P<df_y>\d{{4}})(?![\d{_L}]))?)
    | (?P<time>(?<![\d.,:])(?P<t_h>\d{{1,2}}):(?P<t_m>\d{{2}})(?::\d{{2}}(?:[.,]\d+)?)?(?![\d:]))
    | (?P<myriads>(?:{_PLAIN}[{MYRIADS}]++[ ]?)++(?:{_PLAIN})?+)
    | (?P<ratio>(?<![\d/])\d{{1,4}}/\d{{1,4}}(?![\d/]))
    | (?P<number>{_PLAIN}[{_VULGAR}]?+|(?<![\w.])\.\d++|[{_VULGAR}])
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(_PLAIN)
_DIGITS = re.compile(r"\d+")
_MYRIAD = re.compile(rf"({_PLAIN})([{MYRIADS}]*)")
_PERCENT = re.compile(
    r"[ \u00a0]?(?:%|percent\b|per cent\b|prozent\b|pour cent\b|por ciento\b|por cento\b|per cento\b|"
    r"procent\b|"
    r"percentage points?\b|процент|відсотк|प्रतिशत|퍼센트|パーセント|بالمئة|بالمائة|في المئة|في المائة)",
    re.IGNORECASE,
)
_PERCENT_BEFORE = re.compile(r"(?:%|yüzde |百分之)$", re.IGNORECASE)
_EXPONENT = re.compile(
    r"[eE]([+-]?\d{1,4})(?!\w)|[ \u00a0]?[×x*·][ \u00a0]?10(?:\^([+-]?\d{1,4})|([⁻⁰¹²³⁴-⁹]{1,5}))"
)
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def mentions(text: str) -> Iterator[Mention]:
    """Give the numbers, dates and times that a text writes in digits of any script, in its order."""
    plain = plain_signs(text)
    at = 0
    while (found := _SCAN.search(plain, at)) is not None:
        kind = str(found.lastgroup)
        at = found.end()
        if kind in ("address", "name"):
            continue
        read = list(_READERS[kind](plain, found))
        if not read and kind == "month_first":  # no month after all: what follows the word is read by itself
            at = found.start("mf_d")
            continue
        for mention in read or list(_numbers_at(plain, found.start())):
            yield replace(mention, text=text[mention.start : mention.end].strip())
            at = mention.end


def _mention(start: int, end: int, *readings: Reading) -> Mention:
    return Mention(start=start, end=end, text="", readings=readings)


def _month_first(_: str, found: Match[str]) -> Iterator[Mention]:
    yield from _by_name(found, found["mf_m"], found["mf_d"], found["mf_y"], found.end())


def _day_first(_: str, found: Match[str]) -> Iterator[Mention]:
    yield from _by_name(found, found["df_m"], found["df_d"], found["df_y"], found.end())


def _by_name(found: Match[str], name: str, of_month: str, year: str | None, end: int) -> Iterator[Mention]:
    month = MONTHS.get(name.lower())
    one = day(int(year) if year else None, month, int(of_month)) if month else None
    if one is not None:  # without a year the word may be no month: "may 5 people", "3 out of 5"
        number: tuple[Reading, ...] = () if year else ((_whole(of_month),),)
        yield _mention(found.start(), end, (one,), *number)


def _year_first(_: str, found: Match[str]) -> Iterator[Mention]:
    one = day(int(found["yf_y"]), int(found["yf_m"]), int(found["yf_d"]))
    if one is not None:
        yield _mention(found.start(), found.end(), (one,))


def _year_last(_: str, found: Match[str]) -> Iterator[Mention]:
    days = days_written(found["yl_a"], found["yl_b"], found["yl_y"])
    if days:
        yield _mention(found.start(), found.end(), *((each,) for each in days))


def _no_year(_: str, found: Match[str]) -> Iterator[Mention]:
    one = day(None, int(found["no_m"]), int(found["no_d"]))
    if one is not None:
        yield _mention(found.start(), found.end(), (one,))


def _time(_: str, found: Match[str]) -> Iterator[Mention]:
    one = time_of_day(found["t_h"], found["t_m"])
    if one is not None:
        yield _mention(found.start(), found.end(), (one,))


def _myriads(plain: str, found: Match[str]) -> Iterator[Mention]:
    """Read 3億5,000万 as one number: each part with its own power, added up."""
    total, step = Decimal(0), Decimal(1)
    for digits, letters in _MYRIAD.findall(found[0]):
        amounts = amounts_of(digits)
        if not amounts:
            return
        part = scaled(amounts[0], myriad_power(letters))
        total, step = total + part.value, part.step
    written = len(found[0].rstrip())
    yield from _with_percent(
        plain, found.start(), found.start() + written, (Amount(value=total, step=max(step, Decimal(1))),)
    )


def _ratio(_: str, found: Match[str]) -> Iterator[Mention]:
    upper, lower = (Decimal(part) for part in found[0].split("/"))
    parts = (Amount(value=upper, step=Decimal(1)), Amount(value=lower, step=Decimal(1)))
    share: tuple[Reading, ...] = ((Amount(value=upper / lower, step=Decimal("0.01")),),) if lower else ()
    yield _mention(found.start(), found.end(), *share, parts)


def _number(plain: str, found: Match[str]) -> Iterator[Mention]:
    token = found[0]
    fraction = fraction_amount(token)
    if fraction is not None:
        yield from _with_percent(plain, found.start(), found.end(), (fraction,))
    elif token.startswith("."):
        value = Amount(value=Decimal(token), step=Decimal(1).scaleb(1 - len(token)))
        yield from _with_percent(plain, found.start(), found.end(), (value,))
    else:
        yield from _numbers_at(plain, found.start())


def _numbers_at(plain: str, start: int) -> Iterator[Mention]:
    """Read the digits at a place, as one number where their separators make one, else each by itself."""
    found = _NUMBER.match(plain, start)
    if found is None:
        return
    amounts = amounts_of(found[0])
    if not amounts:
        for part in _DIGITS.finditer(found[0]):
            yield _mention(start + part.start(), start + part.end(), (_whole(part[0]),))
        return
    end = found.end()
    exponent = _EXPONENT.match(plain, end)
    if exponent is not None:
        power = int(exponent[1] or exponent[2] or exponent[3].translate(_SUPERSCRIPTS))
        amounts, end = tuple(scaled(each, power) for each in amounts), exponent.end()
    powers, end = scale_after(plain, end)
    yield from _with_percent(
        plain, start, end, tuple(scaled(each, power) for each in amounts for power in powers)
    )


def _with_percent(plain: str, start: int, end: int, amounts: tuple[Amount, ...]) -> Iterator[Mention]:
    sign = _PERCENT.match(plain, end)
    before = _PERCENT_BEFORE.search(plain, max(0, start - 6), start)
    shares = tuple(scaled(each, -2) for each in amounts) if sign or before else ()
    readings: list[Reading] = [(each,) for each in (*amounts, *shares)]
    said = _mention(start, sign.end() if sign else end, *readings)
    yield replace(said, percent=bool(shares))


def _whole(digits: str) -> Amount:
    return Amount(value=Decimal(digits[:400]), step=Decimal(1))


_READERS: dict[str, Callable[[str, Match[str]], Iterator[Mention]]] = {
    "month_first": _month_first,
    "day_first": _day_first,
    "year_first": _year_first,
    "year_last": _year_last,
    "no_year": _no_year,
    "time": _time,
    "myriads": _myriads,
    "ratio": _ratio,
    "number": _number,
}
