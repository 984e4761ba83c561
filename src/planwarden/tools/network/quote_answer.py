"""What a quote service answered, CSV or JSON, as price, time and currency. Pure."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from planwarden.contracts.value import Json

PRICE_NAMES = ("price", "last", "last price", "regularmarketprice", "close", "c", "value")
TIME_NAMES = ("timestamp", "datetime", "time", "date", "t", "regularmarkettime")
CURRENCY_NAMES = ("currency",)
MAX_ROWS = 10_000
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteFields:
    """Where a quote's parts stand: JSON Pointers (RFC 6901) or CSV columns; None looks for usual names."""

    price: str | None = None
    time: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteAnswer:
    """A price, and what stood beside it."""

    price: float
    time: str | None
    currency: str | None


def read_quote(text: str, symbol: str, fields: QuoteFields) -> QuoteAnswer | None:
    """Read a quote; None when the answer holds no price (other than zero) for the symbol.

    Raises:
        ValueError: it is neither JSON nor CSV with a header row, or has no such field; the message says what.
    """
    start = text.lstrip()[:1]
    if start == "<":
        msg = "it is a web page"
        raise ValueError(msg)
    return _from_json(text, fields) if start in ("{", "[") else _from_csv(text, symbol, fields)


def _from_json(text: str, fields: QuoteFields) -> QuoteAnswer | None:
    try:
        value: Json = json.loads(text)
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error
    if isinstance(value, list):
        items = cast("Sequence[Json]", value)
        if not items:
            return None
        value = items if fields.price else items[0]
    price, found = _part(value, fields.price, PRICE_NAMES)
    if not found:
        msg = f"it has no {fields.price or 'field named ' + ', '.join(PRICE_NAMES)}"
        raise ValueError(msg)
    return _answer(
        price, _part(value, fields.time, TIME_NAMES)[0], _part(value, fields.currency, CURRENCY_NAMES)[0]
    )


def _part(value: Json, pointer: str | None, usual: Sequence[str]) -> tuple[Json, bool]:
    """Find a field by its pointer or by a usual name; say whether it is there."""
    if pointer is not None:
        return _pointed(value, pointer)
    if not isinstance(value, Mapping):
        return None, False
    fields = {str(key).casefold(): each for key, each in cast("Mapping[str, Json]", value).items()}
    return next(((fields[name], True) for name in usual if name in fields), (None, False))


def _pointed(value: Json, pointer: str) -> tuple[Json, bool]:
    """Follow a JSON Pointer."""
    for part in pointer.removeprefix("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and key in value:
            value = cast("Mapping[str, Json]", value)[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(cast("list[Json]", value)):
            value = cast("list[Json]", value)[int(key)]
        else:
            return None, False
    return value, True


def _from_csv(text: str, symbol: str, fields: QuoteFields) -> QuoteAnswer | None:
    try:
        rows = list(_rows(text))
    except csv.Error as error:
        msg = f"it is no CSV: {error}"
        raise ValueError(msg) from error
    names = [name.strip().casefold() for name in rows[0]] if rows else []
    price = _column(names, fields.price, PRICE_NAMES)
    if price is None:
        wanted = fields.price or " or ".join(PRICE_NAMES)
        msg = f"its first row names no column {wanted}"
        raise ValueError(msg)
    about = _column(names, None, ("symbol", "ticker"))
    body = [row for row in rows[1:] if len(row) == len(names)]
    if about is not None:
        body = [row for row in body if row[about].strip().casefold() == symbol.casefold()]
    if not body:
        return None
    times = [at for at, name in enumerate(names) if name in TIME_NAMES]
    wanted_time = _column(names, fields.time, ())
    times = times if wanted_time is None else [wanted_time]
    row = _newest(body, times)
    currency = _column(names, fields.currency, CURRENCY_NAMES)
    time = " ".join(row[at].strip() for at in times)
    return _answer(row[price], time or None, None if currency is None else row[currency])


def _rows(text: str) -> Iterator[list[str]]:
    for count, row in enumerate(csv.reader(io.StringIO(text), strict=True)):
        if count > MAX_ROWS:
            return
        if row:
            yield row


def _column(names: Sequence[str], wanted: str | None, usual: Sequence[str]) -> int | None:
    looked_for = (wanted.strip().casefold(),) if wanted is not None else usual
    return next((names.index(name) for name in looked_for if name in names), None)


def _newest(rows: Sequence[list[str]], times: Sequence[int]) -> list[str]:
    """Give the row of the latest day where every day is written as ISO 8601, else the first."""
    dated = [(" ".join(row[at].strip() for at in times), row) for row in rows]
    if all(_ISO_DAY.match(day) for day, _ in dated):
        return max(dated, key=lambda pair: pair[0])[1]
    return rows[0]


def _answer(price: Json, time: Json, currency: Json) -> QuoteAnswer | None:
    try:
        number = float(price.strip() if isinstance(price, str) else cast("float", price))
    except (TypeError, ValueError):
        return None
    if isinstance(price, bool) or not math.isfinite(number) or number == 0:
        return None
    return QuoteAnswer(price=number, time=_time(time), currency=_word(currency))


def _time(time: Json) -> str | None:
    """Give a time as text; a number is seconds since 1970, or milliseconds when it is too large for those."""
    if isinstance(time, int | float) and not isinstance(time, bool) and math.isfinite(time):
        seconds = time / 1000 if time > 100_000_000_000 else time
        try:
            return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
        except (OverflowError, OSError, ValueError):
            return None
    return _word(time)


def _word(value: Json) -> str | None:
    return " ".join(value.split())[:64] or None if isinstance(value, str) and value.isprintable() else None
