"""Which tables hold prices, and of what: found by the names and types of their columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

from planwarden.tools.tables import Column, Table, Tables, quoted

_PRICES = (
    "close",
    "closing price",
    "close price",
    "close last",
    "price",
    "last",
    "last price",
    "value",
    "nav",
    "quote",
)
_ADJUSTED = ("adj close", "adjusted close", "adj close price", "adjclose")
_SYMBOLS = (
    "symbol", "ticker", "stock", "company", "asset", "instrument", "security", "fund", "coin", "currency",
    "commodity", "name", "code", "series", "index", "product", "item",
)  # fmt: skip
_MONEY = r"^\s*[$€£]?\s*-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?\s*$"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSeries:
    """One series of prices: SQL over the loaded tables that gives rows of (`moment`, `price`)."""

    symbol: str
    quoted_sql: str
    """Prices as quoted."""
    adjusted_sql: str
    """Prices adjusted for splits and dividends where the table has them, else as quoted."""
    parameters: tuple[str, ...]
    years: tuple[int, int]


def find_series(tables: Tables) -> dict[str, PriceSeries]:
    """Give every price series by its symbol, in alphabetical order.

    A price table has a date, a price and perhaps a symbol column; without the last, its name is the symbol.
    A symbol found in two tables is followed by the table's name in the second.
    """
    found: dict[str, PriceSeries] = {}
    for table in tables.all:
        for series in _series_of(tables, table):
            label = series.symbol if series.symbol not in found else f"{series.symbol} ({table.name})"
            found.setdefault(label, series)
    return dict(sorted(found.items()))


def _series_of(tables: Tables, table: Table) -> list[PriceSeries]:
    at = _date_expression(table)
    price = _named(table, _PRICES, tables) or _loosely_named(table)
    adjusted = _named(table, _ADJUSTED, tables) or price
    price = price or adjusted
    if at is None or price is None or adjusted is None:
        return []
    symbol = next(
        (c for name in _SYMBOLS for c in table.columns if _plain(c.name) == name and c.kind == "text"), None
    )
    label = (
        "'" + table.name.replace("'", "''") + "'"
        if symbol is None
        else f"CAST({quoted(symbol.name)} AS VARCHAR)"
    )
    source = quoted(table.name)
    spans = tables.now(
        f"SELECT {label} AS symbol, min(year({at})), max(year({at})) FROM {source}"  # noqa: S608 - quoted identifiers
        f" WHERE {at} IS NOT NULL AND {_number(price)} IS NOT NULL AND length({label}) > 0"
        " GROUP BY 1 ORDER BY 1"
    )
    return [
        PriceSeries(
            symbol=str(name),
            quoted_sql=_select(at, price, source, label),
            adjusted_sql=_select(at, adjusted, source, label),
            parameters=(str(name),),
            years=(int(str(first)), int(str(last))),
        )
        for name, first, last in spans.rows
    ]


def _select(at: str, price: Column, source: str, label: str) -> str:
    number = _number(price)
    return (
        f"SELECT CAST({at} AS TIMESTAMP) AS moment, {number} AS price FROM {source}"  # noqa: S608 - quoted identifiers
        f" WHERE {label} = ? AND {at} IS NOT NULL AND {number} IS NOT NULL AND isfinite({number})"
    )


def _date_expression(table: Table) -> str | None:
    dates = [column for column in table.columns if column.kind == "date"]
    if dates:
        return quoted(dates[0].name)
    for column in table.columns:
        if _plain(column.name) == "year" and column.kind == "number":
            return f"try_cast(format('{{}}-01-01', CAST({quoted(column.name)} AS VARCHAR)) AS DATE)"
    return None


def _named(table: Table, names: tuple[str, ...], tables: Tables) -> Column | None:
    for name in names:
        for column in table.columns:
            if _plain(column.name) == name and (column.kind == "number" or _is_money(table, column, tables)):
                return column
    return None


def _loosely_named(table: Table) -> Column | None:
    for column in table.columns:
        if column.kind == "number" and {"price", "close"} & set(_plain(column.name).split()):
            return column
    return None


def _is_money(table: Table, column: Column, tables: Tables) -> bool:
    """Whether a text column holds nothing but amounts such as `$1,234.50`."""
    if column.kind != "text":
        return False
    text = f"CAST({quoted(column.name)} AS VARCHAR)"
    answer = tables.now(
        f"SELECT coalesce(bool_and(regexp_matches({text}, ?)), false) FROM {quoted(table.name)}"  # noqa: S608 - quoted identifiers
        f" WHERE trim({text}) <> ''",
        [_MONEY],
    )
    return bool(answer.rows[0][0])


def _number(column: Column) -> str:
    name = quoted(column.name)
    if column.kind == "number":
        return f"CAST({name} AS DOUBLE)"
    return f"try_cast(regexp_replace(CAST({name} AS VARCHAR), '[$€£, ]', '', 'g') AS DOUBLE)"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.lower()).strip().rstrip("*")
