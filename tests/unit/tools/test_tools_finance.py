"""Finance tools: figures checked against hand calculation, over tables of many shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
from fitting import argument_problems, output_problems

from planwarden.contracts.value import Json
from planwarden.errors import DataRejected, ToolFailed
from planwarden.tools.data_sources import open_sources
from planwarden.tools.domains.finance import finance_tools
from planwarden.tools.tables import load_tables
from planwarden.tools.tool import Tool, ToolContext

pytestmark = [pytest.mark.requirement("TOOL-5"), pytest.mark.anyio]


def finance_over(folder: Path, **files: str) -> dict[str, Tool]:
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
    tables = load_tables(open_sources([folder], folder=folder))
    return {tool.spec.name: tool for tool in finance_tools(tables)}


def symbols_of(tool: Tool) -> list[str]:
    properties = cast("dict[str, Any]", tool.spec.parameters["properties"])
    return cast("list[str]", properties["symbol"]["enum"])


async def call(tool: Tool, context: ToolContext, **arguments: Json) -> dict[str, Any]:
    assert argument_problems(tool.spec.parameters, arguments) == ()
    value = await tool.invoke(arguments, context)
    assert output_problems(tool.spec, value) == ()
    return cast("dict[str, Any]", value)


PRICES = "day,ticker,close\n2020-01-01,X,100\n2020-07-01,X,50\n2021-01-01,X,75\n2021-01-01,Y,10\n"


async def test_the_snapshot_gives_latest_price_change_and_range(
    sample_tools: Mapping[str, Tool], context: ToolContext
) -> None:
    value = await call(sample_tools["finance.snapshot"], context, symbol="MSFT")
    assert (value["price"], value["date"]) == (28.8, "2010-03-01")
    assert (value["previous_price"], value["previous_date"]) == (28.67, "2010-02-01")
    assert value["change"] == pytest.approx(0.13)
    assert value["change_percent"] == pytest.approx(100 * 0.13 / 28.67, abs=1e-5)
    assert (value["high"], value["high_date"]) == (30.34, "2009-12-01")
    assert (value["low"], value["low_date"]) == (19.84, "2009-04-01")
    assert value["text"].startswith(
        "MSFT was at 28.80 on 2010-03-01, +0.13 (+0.45%) from 28.67 on 2010-02-01."
    )


@pytest.mark.parametrize(
    ("measure", "figure", "unit"),
    [
        ("total_return", -25.0, "percent"),
        ("annual_return", 100 * (0.75 ** (365.25 / 366) - 1), "percent_per_year"),
        ("max_drawdown", -50.0, "percent"),
        ("average", 75.0, "price"),
        ("best_period", 50.0, "percent"),
        ("worst_period", -50.0, "percent"),
        ("volatility", 5000**0.5 * (365.25 / 183) ** 0.5, "percent_per_year"),
    ],
)
async def test_each_measure_is_what_one_calculates_by_hand(
    tmp_path: Path, context: ToolContext, measure: str, figure: float, unit: str
) -> None:
    analytics = finance_over(tmp_path, quotes=PRICES)["finance.analytics"]
    value = await call(analytics, context, symbol="X", measure=measure)
    assert value["value"] == pytest.approx(figure, abs=1e-5)
    assert (value["unit"], value["observations"]) == (unit, 3)
    assert (value["start_date"], value["end_date"]) == ("2020-01-01", "2021-01-01")
    assert "X from 2020-01-01 to 2021-01-01" in value["text"]


async def test_the_trend_is_the_log_linear_growth_a_year(tmp_path: Path, context: ToolContext) -> None:
    doubling = "date,price\n" + "".join(f"{2000 + n}-01-01,{2**n}\n" for n in range(6))
    value = await call(
        finance_over(tmp_path, gold=doubling)["finance.analytics"], context, symbol="gold", measure="trend"
    )
    assert value["value"] == pytest.approx(100, abs=0.5)
    assert "upwards" in value["text"]
    assert "R² 1.00" in value["text"]


async def test_years_narrow_the_span(tmp_path: Path, context: ToolContext) -> None:
    analytics = finance_over(tmp_path, quotes=PRICES)["finance.analytics"]
    value = await call(analytics, context, symbol="X", measure="total_return", start_year=2020, end_year=2020)
    assert value["value"] == -50.0
    with pytest.raises(ToolFailed, match="too few"):
        await analytics.invoke({"symbol": "X", "measure": "trend", "start_year": 2021}, context)


@pytest.mark.parametrize(
    ("name", "content", "symbols"),
    [
        ("fund", "Date,NAV\nJan 1 2020,1.5\nFeb 1 2020,1.6\n", ["fund"]),
        ("odd", 'Trade Date,"Close/Last",Company Name\n12/31/2020,"$1,234.50",ACME\n', []),
        ("money", 'Date,"Close/Last",Company\n12/31/2020,"$1,234.50",ACME\n', ["ACME"]),
        ("adjusted", "date,open,adj close\n2020-01-02,1,2\n", ["adjusted"]),
        ("yearly", "year,price\n2019,5\n2020,6\n", ["yearly"]),
        ("quoted", 'date,symbol,price\n2020-01-02,"O\'Hara ""A""",2\n', ['O\'Hara "A"']),
        ("weather", "date,rain\n2020-01-02,2\n", []),
        ("undated", "symbol,price\nA,2\n", []),
        ("texts", "date,price\n2020-01-02,cheap\n", []),
    ],
)
async def test_price_tables_are_recognised_by_their_columns(
    tmp_path: Path, context: ToolContext, name: str, content: str, symbols: list[str]
) -> None:
    tools = finance_over(tmp_path, **{name: content})
    if name == "odd":
        symbols = [name]
    assert (symbols_of(tools["finance.snapshot"]) if tools else []) == symbols
    for symbol in symbols:
        value = await call(tools["finance.snapshot"], context, symbol=symbol)
        assert value["price"] == {"fund": 1.6, "odd": 1234.5, "money": 1234.5, "yearly": 6}.get(name, 2)


async def test_a_symbol_in_two_tables_is_told_apart(tmp_path: Path, context: ToolContext) -> None:
    tools = finance_over(
        tmp_path, a="date,symbol,price\n2020-01-01,X,1\n", b="date,symbol,price\n2020-01-01,X,2\n"
    )
    assert symbols_of(tools["finance.snapshot"]) == ["X", "X (b)"]
    assert (await call(tools["finance.snapshot"], context, symbol="X (b)"))["price"] == 2


async def test_many_symbols_are_not_an_enum_but_are_looked_up(tmp_path: Path, context: ToolContext) -> None:
    rows = "".join(f"2020-01-01,S{number:03},{number}\n" for number in range(70))
    snapshot = finance_over(tmp_path, many="date,symbol,price\n" + rows)["finance.snapshot"]
    assert "enum" not in cast("dict[str, Any]", snapshot.spec.parameters["properties"])["symbol"]
    assert (await call(snapshot, context, symbol=" s042 "))["price"] == 42
    with pytest.raises(ToolFailed, match=r"no prices for 'S999'.*Try"):
        await snapshot.invoke({"symbol": "S999"}, context)


async def test_prices_of_zero_or_less_have_no_return(tmp_path: Path, context: ToolContext) -> None:
    analytics = finance_over(tmp_path, oil="date,price\n2020-01-01,5\n2020-01-02,-3\n")["finance.analytics"]
    with pytest.raises(ToolFailed, match="no meaning"):
        await analytics.invoke({"symbol": "oil", "measure": "total_return"}, context)
    assert (await call(analytics, context, symbol="oil", measure="average"))["value"] == 1


async def test_returns_use_adjusted_prices_and_quotes_do_not(tmp_path: Path, context: ToolContext) -> None:
    split = "date,close,adj close\n2020-01-01,100,50\n2020-01-02,50,50\n"
    tools = finance_over(tmp_path, split=split)
    assert (await call(tools["finance.snapshot"], context, symbol="split"))["previous_price"] == 100
    value = await call(tools["finance.analytics"], context, symbol="split", measure="total_return")
    assert value["value"] == 0


@pytest.mark.parametrize("form", ["parquet", "json"])
async def test_parquet_and_json_tables_work_like_csv(tmp_path: Path, context: ToolContext, form: str) -> None:
    target = tmp_path / f"quotes.{form}"
    duckdb.connect().execute(
        "COPY (SELECT DATE '2020-01-01' + i::INT AS date, 'X' AS symbol, i + 1.5 AS price FROM range(3) t(i))"
        f" TO '{target}'"
    )
    tools = finance_over(tmp_path)
    assert (await call(tools["finance.snapshot"], context, symbol="X"))["price"] == 3.5


def test_a_table_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    for name, content in (("header.csv", b"a,b\n"), ("fake.parquet", b"not parquet"), ("broken.json", b"{]")):
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        (folder / name).write_bytes(content)
        with pytest.raises(DataRejected, match=name):
            load_tables(open_sources([folder], folder=folder))


async def test_a_csv_that_is_not_utf8_is_read(tmp_path: Path, context: ToolContext) -> None:
    (tmp_path / "prices.csv").write_bytes("date,symbol,price\n2020-01-01,Société,3\n".encode("latin-1"))
    tools = finance_over(tmp_path)
    assert symbols_of(tools["finance.snapshot"]) == ["Société"]
    assert (await call(tools["finance.snapshot"], context, symbol="Société"))["price"] == 3


def test_a_file_name_with_pattern_characters_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a[1]*?.csv").write_text("date,price\n2020-01-01,3\n")
    (tmp_path / "a1x.csv").write_text("date,price\n2020-01-01,4\n")
    assert symbols_of(finance_over(tmp_path)["finance.snapshot"]) == ["a1x", "a_1"]
