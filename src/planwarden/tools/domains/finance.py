"""`finance.snapshot` and `finance.analytics`: what price tables say about one symbol."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract
from planwarden.errors import ToolFailed
from planwarden.tools.domains.measures import (
    DETAIL_SQL,
    Measure,
    MeasureFacts,
    Unit,
    periods_per_year,
    stated,
)
from planwarden.tools.domains.prices import PriceSeries, find_series
from planwarden.tools.function import FunctionTool, tool
from planwarden.tools.signature import Choices
from planwarden.tools.tables import Tables

MAX_CHOICES = 60
"""An enum of more values than this only burdens a small model; then any text is taken and looked up."""

Symbol = Annotated[str, Field(description="The symbol to look up")]


class Snapshot(Contract):
    """The latest price of a symbol. Prices are in the table's own unit, dates are ISO."""

    text: str
    symbol: str
    price: float
    date: str
    previous_price: float | None
    previous_date: str | None
    change: float | None
    change_percent: float | None
    high: float
    high_date: str
    low: float
    low_date: str


class Analytics(Contract):
    """One figure about a symbol's prices over a span of time."""

    text: str
    symbol: str
    measure: Measure
    value: float
    unit: Unit
    start_date: str
    end_date: str
    observations: int


_OVERALL = """
    SELECT count(*), min(moment), max(moment), arg_min(price, moment), arg_max(price, moment), min(price),
        epoch(max(moment) - min(moment)) / 86400 / 365.25, median(epoch(moment - since) / 86400)
    FROM series"""


def finance_tools(tables: Tables) -> tuple[FunctionTool, ...]:
    """Make the finance tools over the price tables; none when there is no price table."""
    series = find_series(tables)
    if not series:
        return ()
    return (_snapshot_tool(tables, series), _analytics_tool(tables, series))


def _snapshot_tool(tables: Tables, series: Mapping[str, PriceSeries]) -> FunctionTool:
    shown = next(iter(series))

    @tool(
        name="finance.snapshot",
        effect="read",
        description="Latest price of one stock or other symbol: price, date, change since the previous one,"
        f" and the high and low of the last year. Symbols: {_listed(series)}.",
        alternatives=("finance.analytics", "finance.quote"),
        examples=(
            "What is the current price of Microsoft stock?",
            ToolExample(
                request=f"Give me the latest quote for {shown[:64]}",
                arguments={"symbol": shown},
                returns={"symbol": shown, "text": shown},
            ),
            "How much is one Amazon share worth now?",
            "Did the stock go up or down since the previous close?",
            "Look up the 52-week high and low",
            "Is GOOG trading above or below last month's price?",
        ),
        choices=_symbol_choices(series),
    )
    async def snapshot(symbol: Symbol) -> Snapshot:
        found = _find(series, symbol)
        latest = await tables.query(
            f"SELECT moment, price FROM ({found.quoted_sql}) ORDER BY moment DESC LIMIT 2",  # noqa: S608 - our own SQL
            found.parameters,
        )
        extremes = await tables.query(
            f"WITH series AS ({found.quoted_sql})"  # noqa: S608 - our own SQL
            " SELECT max(price), arg_max(moment, price), min(price), arg_min(moment, price) FROM series"
            " WHERE moment > (SELECT max(moment) FROM series) - INTERVAL 1 YEAR",
            found.parameters,
        )
        if not latest.rows:
            raise ToolFailed(f"there are no prices for {symbol}.", remedy="Ask for another symbol.")
        high, high_date, low, low_date = extremes.rows[0]
        date, price = str(latest.rows[0][0]), _float(latest.rows[0][1])
        before = latest.rows[1] if len(latest.rows) > 1 else None
        previous = _float(before[1]) if before else None
        change = None if previous is None else price - previous
        percent = None if not previous or change is None else 100 * change / previous
        moved = ""
        if before and percent is not None and change is not None:
            moved = f", {change:+,.2f} ({percent:+.2f}%) from {previous:,.2f} on {before[0]}"
        return Snapshot(
            text=f"{symbol} was at {price:,.2f} on {date}{moved}. Over the year before, it ranged from"
            f" {_float(low):,.2f} ({low_date}) to {_float(high):,.2f} ({high_date}).",
            symbol=symbol,
            price=price,
            date=date,
            previous_price=previous,
            previous_date=str(before[0]) if before else None,
            change=_rounded(change),
            change_percent=_rounded(percent),
            high=_float(high),
            high_date=str(high_date),
            low=_float(low),
            low_date=str(low_date),
        )

    return snapshot


def _analytics_tool(tables: Tables, series: Mapping[str, PriceSeries]) -> FunctionTool:
    shown = next(iter(series))
    year = series[shown].years[1]
    first = min(found.years[0] for found in series.values())
    last = max(found.years[1] for found in series.values())
    years = tuple(range(first, last + 1))
    year_choices: Choices = {"start_year": years, "end_year": years} if len(years) <= MAX_CHOICES else {}

    @tool(
        name="finance.analytics",
        effect="read",
        description="Calculate one figure from a symbol's price history: return, volatility, drawdown,"
        f" average, best or worst period, trend. Prices from {first} to {last}. Symbols: {_listed(series)}.",
        alternatives=("finance.snapshot",),
        examples=(
            "How volatile was IBM stock?",
            "What was the total return of Apple shares between 2004 and 2009?",
            "What is the worst drawdown an investor in Amazon suffered?",
            ToolExample(
                request=f"Average price of {shown[:64]} in {year}",
                arguments={"symbol": shown, "measure": "average", "start_year": year, "end_year": year},
                returns={"symbol": shown, "measure": "average", "start_date": str(year), "text": shown},
            ),
            "Was the share price trending upwards?",
            "Best month for Microsoft stock",
            "Annualised performance of the stock since 2005",
            "How risky is this investment?",
        ),
        choices={**_symbol_choices(series), **year_choices},
    )
    async def analytics(
        symbol: Symbol,
        measure: Annotated[Measure, Field(description="The figure to calculate")],
        start_year: Annotated[int | None, Field(description="First year, or null for all")] = None,
        end_year: Annotated[int | None, Field(description="Last year, or null for all")] = None,
    ) -> Analytics:
        found = _find(series, symbol)
        rows = f"""
            WITH series AS (
                SELECT moment, price, lag(price) OVER (ORDER BY moment) AS before,
                    lag(moment) OVER (ORDER BY moment) AS since,
                    max(price) OVER (ORDER BY moment ROWS UNBOUNDED PRECEDING) AS peak
                FROM ({found.adjusted_sql}) WHERE year(moment) BETWEEN ? AND ?
            )"""  # noqa: S608 - our own SQL
        span = [*found.parameters, start_year or first, end_year or last]
        overall = await tables.query(
            rows + _OVERALL,
            span,
        )
        count, start, end, price_then, price_now, lowest, length, gap = overall.rows[0]
        observations = int(_float(count))
        if observations < (1 if measure == "average" else 2):
            raise ToolFailed(
                f"there are {observations} prices for {symbol} in that span, too few for {measure}.",
                remedy=f"Ask for a span within {found.years[0]} to {found.years[1]}.",
            )
        if measure != "average" and _float(lowest) <= 0:
            raise ToolFailed(
                f"{symbol} has prices of zero or less; a {measure} has no meaning.",
                remedy="Ask for the average.",
            )
        detail = (await tables.query(rows + DETAIL_SQL[measure], span)).rows[0]
        facts = MeasureFacts(
            symbol=symbol,
            start=str(start),
            end=str(end),
            first_price=_float(price_then),
            last_price=_float(price_now),
            years=_float(length) if length is not None else 0.0,
            periods_per_year=periods_per_year(_float(gap) if gap else 1.0),
            detail=detail,
        )
        value, unit, text = stated(measure, facts)
        return Analytics(
            text=text,
            symbol=symbol,
            measure=measure,
            value=round(value, 6),
            unit=unit,
            start_date=facts.start,
            end_date=facts.end,
            observations=observations,
        )

    return analytics


def _find(series: Mapping[str, PriceSeries], symbol: str) -> PriceSeries:
    if symbol in series:
        return series[symbol]
    by_fold = {name.casefold(): name for name in series}
    if symbol.strip().casefold() in by_fold:
        return series[by_fold[symbol.strip().casefold()]]
    near = difflib.get_close_matches(symbol.casefold(), by_fold, n=3) or sorted(by_fold)[:3]
    raise ToolFailed(
        f"there are no prices for '{symbol[:80]}'.",
        remedy=f"Try {', '.join(by_fold[name] for name in near)}.",
    )


def _symbol_choices(series: Mapping[str, PriceSeries]) -> Choices:
    return {"symbol": tuple(series)} if len(series) <= MAX_CHOICES else {}


def _listed(series: Mapping[str, PriceSeries]) -> str:
    names = [name[:32] for name in list(series)[:12]]
    return ", ".join(names) + (f" and {len(series) - len(names)} more" if len(series) > len(names) else "")


def _float(value: object) -> float:
    return float(str(value))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
