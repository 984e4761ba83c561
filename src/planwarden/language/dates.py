"""Dates and times of day as they are written in sixteen languages. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_MONTHS: tuple[str, ...] = (
    (
        "january jan januar jänner janvier janv enero ene gennaio gen janeiro januari stycznia "
        "styczeń sty ocak oca января январь янв січня січень يناير जनवरी"
    ),
    (
        "february feb februar février févr fevr febrero febbraio febbr fevereiro fev februari lutego "
        "luty lut şubat şub февраля февраль фев лютого лютий فبراير फरवरी फ़रवरी"
    ),
    (
        "march mar märz maerz mrz mars marzo março marco maart mrt marca marzec mart марта март мар "
        "березня березень مارس मार्च"
    ),
    (
        "april apr avril avr abril abr aprile kwietnia kwiecień kwi nisan nis апреля апрель апр "
        "квітня квітень أبريل ابريل अप्रैल"
    ),
    ("may mai mayo maggio mag maio mei maja maj mayıs мая май травня травень مايو मई"),
    (
        "june jun juni juin junio giugno giu junho czerwca czerwiec cze haziran haz июня июнь июн "
        "червня червень يونيو जून"
    ),
    (
        "july jul juli juillet juil julio luglio lug julho lipca lipiec lip temmuz tem июля июль июл "
        "липня липень يوليو जुलाई"
    ),
    (
        "august aug août aout agosto ago augustus sierpnia sierpień sie ağustos ağu августа август "
        "авг серпня серпень أغسطس اغسطس अगस्त"
    ),
    (
        "september sep sept septembre septiembre settembre set setembro września wrzesień wrz eylül "
        "eyl сентября сентябрь сен вересня вересень سبتمبر सितंबर सितम्बर"
    ),
    (
        "october oct oktober okt octobre octubre ottobre ott outubro out października październik paź "
        "ekim eki октября октябрь окт жовтня жовтень أكتوبر اكتوبر अक्टूबर अक्तूबर"
    ),
    (
        "november nov novembre noviembre novembro listopada listopad lis kasım kas ноября ноябрь ноя "
        "листопада نوفمبر नवंबर नवम्बर"
    ),
    (
        "december dec dezember dez décembre déc decembre diciembre dic dicembre dezembro grudnia "
        "grudzień gru aralık ara декабря декабрь дек грудня грудень ديسمبر दिसंबर दिसम्बर"
    ),
)
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
"""Name or abbreviation of a month, in small letters → its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of the calendar; without a year where the text names none."""

    year: int | None
    month: int
    day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOfDay:
    """Minutes since midnight or noon: whether it is morning is often not said."""

    minutes: int


def day(year: int | None, month: int, of_month: int) -> Day | None:
    """Give the day, if there can be one of these numbers."""
    if not (1 <= month <= 12 and 1 <= of_month <= 31):
        return None
    return Day(year=year, month=month, day=of_month)


def whole_years(written: str) -> tuple[int, ...]:
    """Give the years that two or four digits can mean."""
    return (int(written),) if len(written) == 4 else (1900 + int(written), 2000 + int(written))


def days_written(first: str, second: str, year: str) -> tuple[Day, ...]:
    """Give the days that `first.second.year` can mean: day first, or month first."""
    orders = ((int(second), int(first)), (int(first), int(second)))
    found = (day(each, month, of_month) for each in whole_years(year) for month, of_month in orders)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def time_of_day(hours: str, minutes: str) -> TimeOfDay | None:
    """Give the time, if there can be one of these numbers."""
    if int(hours) > 24 or int(minutes) > 59:
        return None
    return TimeOfDay(minutes=int(hours) % 12 * 60 + int(minutes))
