"""Which numbers of a text its sources contain, whatever the notation. Pure, and linear in the sources."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from planwarden.language.amounts import Amount
from planwarden.language.dates import Day, TimeOfDay, day
from planwarden.language.number_words import worded_mentions
from planwarden.language.numbers import Mention, Reading, mentions


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The numbers, days and times of some sources, in every plausible reading."""

    values: frozenset[Decimal]
    ordered: Sequence[Decimal]
    days: frozenset[Day]
    times: frozenset[TimeOfDay]

    def supports(self, reading: Reading) -> bool:
        """Say whether all that a reading claims is known; a rounded number is known by what it rounds."""
        return all(self._supports(part) for part in reading)

    def _supports(self, part: Amount | Day | TimeOfDay) -> bool:
        match part:
            case Amount(value=value, step=step):
                return value in self.values or self._rounds(value, step / 2)
            case Day():
                return part in self.days
            case TimeOfDay():
                return part in self.times
            case _:
                assert_never(part)

    def _rounds(self, value: Decimal, half: Decimal) -> bool:
        at = bisect_left(self.ordered, value - half)
        return at < len(self.ordered) and self.ordered[at] <= value + half


def known_numbers(found: Iterable[Mention]) -> Known:
    """Gather what some mentions can mean; a day makes its year, month and day of month known as well."""
    values: set[Decimal] = set()
    days: set[Day] = set()
    times: set[TimeOfDay] = set()
    for mention in found:
        for part in (part for reading in mention.readings for part in reading):
            match part:
                case Amount(value=value):
                    values.add(value)
                    days.update(_compact_day(value))
                case Day(year=year, month=month, day=of_month):
                    days |= {part, Day(year=None, month=month, day=of_month)}
                    values |= {Decimal(each) for each in (year, month, of_month) if each is not None}
                case TimeOfDay(minutes=minutes):
                    times.add(part)
                    values |= {Decimal(each) for each in (minutes // 60, minutes // 60 + 12, minutes % 60)}
                case _:
                    assert_never(part)
    return Known(
        values=frozenset(values), ordered=sorted(values), days=frozenset(days), times=frozenset(times)
    )


def _compact_day(value: Decimal) -> Iterable[Day]:
    """Read 20240501 as a day too."""
    if 19_000_101 <= value <= 21_001_231 and value == value.to_integral_value():
        whole = int(value)
        one = day(whole // 10_000, whole // 100 % 100, whole % 100)
        if one is not None:
            yield one
            yield Day(year=None, month=one.month, day=one.day)


def unsupported_mentions(text: str, sources: Sequence[str], language: str) -> tuple[Mention, ...]:
    """Give the numbers, days and times of a text that no source contains, in the text's order.

    A sign is not compared; rounding is allowed for. What was computed from the sources is not in them.

    Args:
        text: whose numbers are to be supported.
        sources: the evidence, and the task.
        language: of the text, whose number words are read; sources are read in it and in English.
    """
    in_digits = list(mentions(text))
    taken = [(mention.start, mention.end) for mention in in_digits]
    in_words = [each for each in worded_mentions(text, language) if not _overlaps(each, taken)]
    claims = [*in_digits, *in_words]
    if not claims:
        return ()
    written = [mention for source in sources for mention in mentions(source)]
    left = _left(claims, known_numbers(written))
    if left:  # words are read only where digits do not settle it
        said = [
            mention
            for source in sources
            for each in dict.fromkeys((language, "en"))
            for mention in worded_mentions(source, each)
        ]
        left = _left(left, known_numbers(said))
    return tuple(sorted(left, key=lambda mention: mention.start))


def _left(claims: Iterable[Mention], known: Known) -> list[Mention]:
    return [claim for claim in claims if not any(known.supports(reading) for reading in claim.readings)]


def _overlaps(mention: Mention, taken: Sequence[tuple[int, int]]) -> bool:
    return any(start < mention.end and mention.start < end for start, end in taken)
