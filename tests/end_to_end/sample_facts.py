"""What is true of the sample data, worked out from the files with the standard library alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from statistics import mean

SAMPLES = resources.files("planwarden.tools").joinpath("samples")


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(SAMPLES.joinpath(name).read_text("utf-8").splitlines()))


def _prices() -> list[tuple[str, datetime, float]]:
    return [
        (row["symbol"], datetime.strptime(row["date"], "%b %d %Y"), float(row["price"]))  # noqa: DTZ007 - days
        for row in _rows("stocks.csv")
    ]


def _weather() -> list[dict[str, str]]:
    return _rows("seattle-weather.csv")


def latest(symbol: str) -> str:
    """Give the last price, with two decimals."""
    _, price = max((day, price) for name, day, price in _prices() if name == symbol)
    return f"{price:,.2f}"


def average(symbol: str, year: int) -> str:
    """Give the mean of a year's prices, with two decimals."""
    return f"{mean(price for name, day, price in _prices() if name == symbol and day.year == year):,.2f}"


def highest(symbol: str) -> str:
    """Give the highest price."""
    return f"{max(price for name, _, price in _prices() if name == symbol):g}"


def worst_fall(symbol: str) -> str:
    """Give the largest fall from a peak, in per cent with one decimal, without its sign."""
    peak, worst = 0.0, 0.0
    for _, price in sorted((day, price) for name, day, price in _prices() if name == symbol):
        peak = max(peak, price)
        worst = max(worst, 1 - price / peak)
    return f"{100 * worst:.1f}"


def weather(column: str, pick: Callable[[list[float]], float], kind: str | None = None) -> str:
    """Give a figure of a weather column, as short as it can be written with four decimals."""
    values = [float(row[column]) for row in _weather() if kind in (None, row["weather"])]
    return f"{pick(values):.4f}".rstrip("0").rstrip(".")


def days_of(kind: str) -> str:
    """Give how many days had this weather."""
    return str(sum(row["weather"] == kind for row in _weather()))
