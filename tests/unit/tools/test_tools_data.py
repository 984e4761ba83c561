"""Data tools: right figures, and nothing but the tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from fitting import argument_problems, output_problems

from planwarden.contracts.value import Json, canonical_json
from planwarden.errors import ToolFailed
from planwarden.tools.data_sources import open_sources
from planwarden.tools.domains.data import data_tools
from planwarden.tools.tables import load_tables
from planwarden.tools.tool import Tool, ToolContext

pytestmark = [pytest.mark.requirement("TOOL-7"), pytest.mark.anyio]

SALES = 'when,region,"amount, net",note\n2019-12-31,North,10,a\n2020-01-01,South,20,\n2020-02-01,north,5,b\n'


@pytest.fixture
def sales(tmp_path: Path) -> dict[str, Tool]:
    (tmp_path / "sales.csv").write_text(SALES)
    (tmp_path / "secret.txt").write_text("secret")
    tables = load_tables(open_sources([tmp_path / "sales.csv"], folder=tmp_path))
    return {tool.spec.name: tool for tool in data_tools(tables, seconds=5)}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def call(tool: Tool, context: ToolContext, **arguments: Json) -> dict[str, Any]:
    assert argument_problems(tool.spec.parameters, arguments) == ()
    value = await tool.invoke(arguments, context)
    assert output_problems(tool.spec, value) == ()
    return cast("dict[str, Any]", value)


async def test_a_select_gives_columns_rows_and_a_text(sales: dict[str, Tool], context: ToolContext) -> None:
    value = await call(
        sales["data.query"],
        context,
        sql='WITH s AS (FROM sales) SELECT region, "amount, net" AS n FROM s ORDER BY n; -- x',
    )
    assert value["columns"] == ["region", "n"]
    assert value["rows"] == [["north", 5], ["North", 10], ["South", 20]]
    assert value["text"].splitlines()[0] == "region = north, n = 5"
    assert "sales(when, region, amount, net, note)" in sales["data.query"].spec.description


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO sales SELECT * FROM sales",
        "WITH s AS (SELECT 1) INSERT INTO sales SELECT * FROM sales",
        "UPDATE sales SET region = 'x'",
        "DELETE FROM sales",
        "DROP TABLE sales",
        "CREATE TABLE other (a INT)",
        "SELECT 1; DROP TABLE sales",
        "SELECT 1; SELECT 2",
        "ATTACH '{folder}/new.db'",
        "COPY sales TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_external_access",
        "CALL pragma_version()",
        "CHECKPOINT",
        "PREPARE p AS SELECT 1",
        "",
        "-- nothing",
        "not sql",
        "SELECT '\ud800'",
    ],
)
async def test_anything_but_one_select_is_refused(
    sales: dict[str, Tool], context: ToolContext, tmp_path: Path, sql: str
) -> None:
    with pytest.raises(ToolFailed):
        await sales["data.query"].invoke({"sql": sql.replace("{folder}", str(tmp_path))}, context)
    assert names_in(tmp_path) == ["sales.csv", "secret.txt"]
    assert (await call(sales["data.query"], context, sql="SELECT count(*) FROM sales"))["rows"] == [[3]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM '{folder}/secret.txt'",
        "SELECT * FROM '{folder}/sales.csv'",
        "SELECT * FROM read_text('{folder}/secret.txt')",
        "SELECT * FROM read_csv('{folder}/sales.csv')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM sniff_csv('{folder}/sales.csv')",
        "SELECT * FROM parquet_metadata('{folder}/sales.csv')",
        "SELECT * FROM read_csv('https://example.invalid/x.csv')",
        "SELECT * FROM query('COPY sales TO ''{folder}/out.csv''')",
        "SELECT * FROM sqlite_scan('{folder}/x.db', 't')",
        "SELECT * FROM enable_logging()",
        "SELECT getenv('HOME')",
        "SELECT * FROM tables",
        "SELECT * FROM connection",
    ],
)
async def test_a_select_reaches_no_file_network_or_variable(
    sales: dict[str, Tool], context: ToolContext, tmp_path: Path, sql: str
) -> None:
    with pytest.raises(ToolFailed):
        await sales["data.query"].invoke({"sql": sql.replace("{folder}", str(tmp_path))}, context)
    assert names_in(tmp_path) == ["sales.csv", "secret.txt"]


async def test_rows_are_bounded(sales: dict[str, Tool], context: ToolContext) -> None:
    value = await call(sales["data.query"], context, sql="SELECT * FROM repeat('a', 10000000000)")
    assert len(value["rows"]) == 200
    assert value["truncated"]
    assert "more than 200 rows" in value["text"]


async def test_a_query_that_runs_too_long_is_stopped(
    sales: dict[str, Tool], context: ToolContext, tmp_path: Path
) -> None:
    tables = load_tables(open_sources([tmp_path / "sales.csv"], folder=tmp_path))
    query = data_tools(tables, seconds=0.05)[0]
    endless = "SELECT count(*) FROM range(10000000000) a, range(10000000000) b WHERE a.range > b.range"
    with pytest.raises(ToolFailed, match="took longer"):
        await query.invoke({"sql": endless}, context)
    assert (await tables.query("SELECT count(*) FROM sales")).rows == ((3,),)


async def test_every_kind_of_value_becomes_json(sales: dict[str, Tool], context: ToolContext) -> None:
    value = await call(
        sales["data.query"],
        context,
        sql="SELECT 'nan'::DOUBLE, 1.5::DECIMAL(4,2), INTERVAL 1 DAY, {'a': [1, NULL]}, '\\x01'::BLOB,"
        " 2 ** 100,"
        " 170141183460469231731687303715884105727::HUGEINT, TIME '10:00',"
        " DATE '2020-01-01', MAP {1: 2}, NULL",
    )
    canonical_json(value)
    assert value["rows"][0][:2] == [None, 1.5]
    assert value["rows"][0][3] == {"a": [1, None]}
    assert value["rows"][0][6] == "170141183460469231731687303715884105727"
    zoned = await call(sales["data.query"], context, sql="SELECT TIMESTAMPTZ '2020-01-01 00:00+00' -- t")
    assert zoned["rows"] == [["2020-01-01 00:00:00+00"]]


async def test_an_error_keeps_the_databases_words(sales: dict[str, Tool], context: ToolContext) -> None:
    with pytest.raises(ToolFailed, match=r'"regoin" not found.*region'):
        await sales["data.query"].invoke({"sql": "SELECT regoin FROM sales"}, context)


@pytest.mark.parametrize(
    ("arguments", "value", "text"),
    [
        ({"operation": "sum"}, 35.0, "Sum of amount, net in sales: 35, over 3 rows."),
        ({"operation": "average"}, 35 / 3, "11.6667"),
        ({"operation": "median"}, 10.0, "10"),
        ({"operation": "minimum"}, 5.0, "5 (on 2020-02-01)"),
        ({"operation": "maximum"}, 20.0, "20 (on 2020-01-01)"),
        ({"operation": "count"}, 3.0, "3"),
        ({"operation": "sum", "where_column": "when", "where_value": "2020"}, 25.0, "25"),
        ({"operation": "sum", "where_column": "region", "where_value": "NORTH "}, 15.0, "15"),
        ({"operation": "count", "where_column": "amount, net", "where_value": "5.0"}, 1.0, "1"),
    ],
)
async def test_an_aggregate_needs_no_sql(
    sales: dict[str, Tool], context: ToolContext, arguments: dict[str, Json], value: float, text: str
) -> None:
    result = await call(sales["data.aggregate"], context, table="sales", column="amount, net", **arguments)
    assert result["value"] == pytest.approx(value)
    assert text in result["text"]


async def test_groups_are_by_value_or_by_year(sales: dict[str, Tool], context: ToolContext) -> None:
    aggregate = sales["data.aggregate"]
    result = await call(
        aggregate, context, table="sales", column="amount, net", operation="sum", group_by="when (year)"
    )
    assert result["groups"] == [{"group": "2019", "value": 10.0}, {"group": "2020", "value": 25.0}]
    assert result["text"].endswith("by when (year) in sales: 2019: 10, 2020: 25.")
    result = await call(
        aggregate, context, table="sales", column="when", operation="maximum", group_by="note"
    )
    assert {one["group"]: one["value"] for one in result["groups"]} == {
        "a": "2019-12-31",
        "b": "2020-02-01",
        None: "2020-01-01",
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"column": "region", "operation": "sum"}, "needs numbers"),
        ({"column": "absent", "operation": "count"}, "no column 'absent'"),
        ({"table": "absent", "column": "note", "operation": "count"}, "no table 'absent'"),
        (
            {"column": "note", "operation": "count", "where_column": "note", "where_value": "' OR 1=1 --"},
            "no rows",
        ),
        ({"column": 'x" FROM sales; DROP TABLE sales; --', "operation": "count"}, "no column"),
        ({"column": "note", "operation": "count", "group_by": "x (year)"}, "no column"),
    ],
)
async def test_a_wrong_aggregate_fails_with_a_reason(
    sales: dict[str, Tool], context: ToolContext, arguments: dict[str, Json], says: str
) -> None:
    with pytest.raises(ToolFailed, match=says):
        await sales["data.aggregate"].invoke({"table": "sales", **arguments}, context)


async def test_choices_come_from_the_live_tables(sample_tools: Mapping[str, Tool]) -> None:
    properties = cast("dict[str, Any]", sample_tools["data.aggregate"].spec.parameters["properties"])
    assert properties["table"]["enum"] == ["seattle_weather", "stocks"]
    assert {"temp_max", "price", "date"} <= set(properties["column"]["enum"])
    assert "symbol" not in properties["column"]["enum"]  # texts are grouped by and chosen by, not calculated
    assert "date (year)" in properties["group_by"]["enum"]
    assert properties["group_by"]["enum"][-1] is None
