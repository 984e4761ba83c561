"""The figures of `finance.analytics`: the SQL of each, and its statement in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from planwarden.errors import ToolFailed

Measure = Literal[
    "total_return",
    "annual_return",
    "volatility",
    "max_drawdown",
    "average",
    "best_period",
    "worst_period",
    "trend",
]
Unit = Literal["percent", "percent_per_year", "price"]

_CHANGE = "100 * (price / before - 1)"
_EXTREME = f" SELECT {_CHANGE} AS change, since, moment FROM series WHERE before > 0 ORDER BY change"  # noqa: S608 - constants
DETAIL_SQL: dict[Measure, str] = {
    "total_return": " SELECT 0",
    "annual_return": " SELECT 0",
    "volatility": f" SELECT stddev_samp({_CHANGE}) FROM series",  # noqa: S608 - constants
    "max_drawdown": """
        SELECT 100 * (price / peak - 1) AS fall, moment, (SELECT max(moment) FROM series AS earlier
            WHERE earlier.moment <= series.moment AND earlier.price = series.peak)
        FROM series ORDER BY fall LIMIT 1""",
    "average": " SELECT avg(price), min(price), max(price) FROM series",
    "best_period": f"{_EXTREME} DESC LIMIT 1",
    "worst_period": f"{_EXTREME} LIMIT 1",
    "trend": """
        SELECT 100 * (exp(regr_slope(ln(price), epoch(moment) / 86400 / 365.25)) - 1),
            regr_r2(ln(price), epoch(moment))
        FROM series""",
}
"""What each measure selects from `series(moment, price, before, since, peak)`; changes are in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureFacts:
    """What a statement is made of."""

    symbol: str
    start: str
    end: str
    first_price: float
    last_price: float
    years: float
    """Length of the span."""
    periods_per_year: float
    detail: tuple[object, ...]
    """The row that `DETAIL_SQL` gave."""

    @property
    def span(self) -> str:
        """Name symbol and dates."""
        return f"{self.symbol} from {self.start} to {self.end}"

    @property
    def moved(self) -> str:
        """Name first and last price."""
        return f"({self.first_price:,.2f} to {self.last_price:,.2f})"

    @property
    def number(self) -> float:
        """Give the first figure of the detail."""
        return float(str(self.detail[0]))


Statement = tuple[float, Unit, str]


def stated(measure: Measure, facts: MeasureFacts) -> Statement:
    """Give the figure, its unit, and a sentence that says it.

    Raises:
        ToolFailed: the span has too few prices for this measure.
    """
    if facts.detail[0] is None:
        raise ToolFailed(
            f"there are too few prices of {facts.span} for {measure}.", remedy="Ask for a longer span."
        )
    return _STATEMENTS[measure](facts)


def periods_per_year(gap_days: float) -> float:
    """Give how many observations a year has, from the median gap; daily prices come on 252 trading days."""
    if gap_days < 4:
        return 252.0 / max(gap_days, 1.0)
    return 365.25 / gap_days


def _total_return(facts: MeasureFacts) -> Statement:
    value = 100 * (facts.last_price / facts.first_price - 1)
    return value, "percent", f"The total return of {facts.span} was {value:+.1f}% {facts.moved}."


def _annual_return(facts: MeasureFacts) -> Statement:
    ratio = facts.last_price / facts.first_price
    value = 100 * (ratio ** (1 / facts.years) - 1) if facts.years > 0 else 0.0
    text = f"The annual return of {facts.span} was {value:+.1f}% a year, compounded {facts.moved}."
    return value, "percent_per_year", text


def _volatility(facts: MeasureFacts) -> Statement:
    value = facts.number * facts.periods_per_year**0.5
    return value, "percent_per_year", f"The annualised volatility of {facts.span} was {value:.1f}%."


def _max_drawdown(facts: MeasureFacts) -> Statement:
    where = f", from the peak on {facts.detail[2]} to {facts.detail[1]}" if facts.number < 0 else ""
    text = f"The largest drawdown of {facts.span} was {facts.number:.1f}%{where}."
    return facts.number, "percent", text


def _average(facts: MeasureFacts) -> Statement:
    low, high = (float(str(value)) for value in facts.detail[1:3])
    text = (
        f"The average price of {facts.span} was {facts.number:,.2f} (lowest {low:,.2f}, highest {high:,.2f})."
    )
    return facts.number, "price", text


def _extreme(name: str, facts: MeasureFacts) -> Statement:
    since, until = facts.detail[1:3]
    text = f"The {name} period of {facts.span} was {since} to {until}: {facts.number:+.1f}%."
    return facts.number, "percent", text


def _trend(facts: MeasureFacts) -> Statement:
    number, fit = facts.number, facts.detail[1]
    way = "upwards" if number > 1 else "downwards" if number < -1 else "sideways"
    how = f"log-linear fit, R² {float(str(fit)):.2f}" if fit is not None else "log-linear fit"
    text = f"The trend of {facts.span} was {way}: {number:+.1f}% a year ({how})."
    return number, "percent_per_year", text


_STATEMENTS: dict[Measure, Callable[[MeasureFacts], Statement]] = {
    "total_return": _total_return,
    "annual_return": _annual_return,
    "volatility": _volatility,
    "max_drawdown": _max_drawdown,
    "average": _average,
    "best_period": lambda facts: _extreme("best", facts),
    "worst_period": lambda facts: _extreme("worst", facts),
    "trend": _trend,
}
