"""`data.query` and `data.aggregate`: read-only SQL over the tables, and the same without SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

import duckdb
from pydantic import Field, JsonValue

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract, Json
from planwarden.errors import ToolFailed
from planwarden.tools.function import FunctionTool, tool
from planwarden.tools.signature import Choices
from planwarden.tools.tables import MAX_SECONDS, Column, Table, Tables, quoted, table_categories, table_topics

MAX_ROWS = 200
MAX_CHOICES = 60
MAX_GROUPS = 100
_SHOWN_ROWS = 12

Operation = Literal["count", "sum", "average", "minimum", "maximum", "median"]
_FUNCTIONS: dict[Operation, str] = {
    "count": "count",
    "sum": "sum",
    "average": "avg",
    "minimum": "min",
    "maximum": "max",
    "median": "median",
}


class QueryResult(Contract):
    """Rows of a query, each in the order of `columns`."""

    text: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Json, ...], ...]
    truncated: bool
    """Whether there were more than 200 rows."""


class GroupValue(Contract):
    """The figure of one group."""

    group: str | None
    value: float | str | None


class Aggregate(Contract):
    """A figure over a column, or one for each group."""

    text: str
    operation: Operation
    column: str
    value: float | str | None
    """None when there are groups."""
    at: str | None
    """Date of the minimum or maximum, where the table has dates."""
    groups: tuple[GroupValue, ...]
    truncated: bool


def data_tools(tables: Tables, *, seconds: float = MAX_SECONDS) -> tuple[FunctionTool, ...]:
    """Make the table tools; none when there are no tables. `seconds` limits one query."""
    if not tables.all:
        return ()
    return (_query_tool(tables, seconds), _aggregate_tool(tables, seconds))


def _query_tool(tables: Tables, seconds: float) -> FunctionTool:
    @tool(
        name="data.query",
        effect="read",
        description="Answer a question about the user's tables with one SQL SELECT (DuckDB)."
        f" Tables: {_listed(tables.all)}.",
        alternatives=("data.aggregate",),
        topics=table_topics(tables),
        examples=(
            "List the ten largest orders by amount",
            "How many rows per category, sorted?",
            "Join customers and invoices and show the totals",
            "Which rows have a temperature above 30 and no rain?",
            "Show me the distinct regions in the spreadsheet",
            ToolExample(
                request=f"Write a query that counts the rows of {tables.all[0].name[:64]}",
                arguments={"sql": f"SELECT count(*) AS counted FROM {quoted(tables.all[0].name)}"},  # noqa: S608 - quoted identifier
                returns={"columns": ["counted"], "rows": [[tables.all[0].rows]], "truncated": False},
            ),
        ),
    )
    async def query(
        sql: Annotated[
            str,
            Field(
                description="One SELECT statement",
                min_length=1,
                max_length=4_000,
                pattern=r"^(?:[Ss][Ee][Ll][Ee][Cc][Tt]|[Ww][Ii][Tt][Hh])[\s\S]*$",
            ),
        ],
    ) -> QueryResult:
        _check_statement(sql)
        found = await tables.query(sql, limit=MAX_ROWS, seconds=seconds)
        return QueryResult(
            text=_table_text(found.columns, found.rows, truncated=found.truncated),
            columns=found.columns,
            rows=found.rows,
            truncated=found.truncated,
        )

    return query


def _check_statement(sql: str) -> None:
    """Take nothing but one SELECT (or WITH ... SELECT), by DuckDB's own parser.

    Raises:
        ToolFailed: the text is something else.
    """
    try:
        statements = duckdb.extract_statements(sql)
    except (duckdb.Error, UnicodeError) as error:
        message = str(error).split("\n\nLINE ", maxsplit=1)[0][:300]
        raise ToolFailed(f"{message}.", remedy="Write one SELECT statement.") from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise ToolFailed(
            f"only one SELECT is allowed, this is {kinds}.", remedy="Write one SELECT statement."
        )


def _table_text(columns: Sequence[str], rows: Sequence[Sequence[Json]], *, truncated: bool) -> str:
    if not rows:
        return "The query gave no rows."
    lines = [
        ", ".join(f"{name} = {_short(value)}" for name, value in zip(columns, row, strict=True))
        for row in rows[:_SHOWN_ROWS]
    ]
    if len(rows) > _SHOWN_ROWS or truncated:
        lines.append(f"… ({'more than ' if truncated else ''}{len(rows)} rows in all)")
    return "\n".join(lines)


def _aggregate_tool(tables: Tables, seconds: float) -> FunctionTool:
    by_name = {table.name: table for table in tables.all}
    categories = {table.name: table_categories(tables, table) for table in tables.all}

    @tool(
        name="data.aggregate",
        effect="read",
        description="Calculate one figure (count, sum, average, minimum, maximum, median) over a column of"
        f" the user's tables, for all rows, for some, or for each group. Tables: {_listed(tables.all)}.",
        alternatives=("data.query",),
        topics=table_topics(tables),
        examples=(
            "What is the average temperature by weather type?",
            _counted(tables.all),
            "Total sales in 2014",
            "Highest wind speed ever measured",
            "Median price per region",
            "Count the rainy days",
            "Which category has the largest sum?",
        ),
        choices=_aggregate_choices(tables.all),
        known_values={"where_value": sorted({value for found in categories.values() for value in found})},
    )
    async def aggregate(
        table: Annotated[str, Field(description="The table")],
        column: Annotated[str, Field(description="The column to calculate over")],
        operation: Annotated[
            Operation, Field(description="What to calculate", json_schema_extra={"x-labels": _LABELS})
        ],
        group_by: Annotated[
            str | None, Field(description="One figure for each value of this, or null")
        ] = None,
        where_column: Annotated[str | None, Field(description="Only rows where this column, or null")] = None,
        where_value: Annotated[
            str | None,
            Field(description="has this value; a year or month for dates", max_length=200),
        ] = None,
    ) -> Aggregate:
        found = by_name.get(table)
        if found is None:
            raise ToolFailed(f"there is no table '{table[:80]}'.", remedy=f"Tables: {', '.join(by_name)}.")
        target = _column(found, column)
        figure = _figure(target, operation)
        if where_value is not None and where_column is None:
            where_column = categories[table].get(where_value)
            if where_column is None:
                raise ToolFailed(
                    f"no category of {table} is '{where_value[:80]}'.",
                    remedy="Name a column, or another table.",
                )
        where, parameters = _condition(found, where_column, where_value)
        words = f"{operation} of {column}" + (f" where {where_column} is {where_value}" if parameters else "")
        if group_by is None:
            return await _whole(
                tables, found, (figure, where, parameters), (operation, column, words), seconds
            )
        group = _group_expression(found, group_by)
        rows = await tables.query(
            f"SELECT {group} AS category, {figure} AS figure FROM {quoted(found.name)} WHERE {where}"  # noqa: S608 - quoted identifiers, bound values
            f" GROUP BY 1 ORDER BY {'1' if group.startswith('strftime') else '2 DESC NULLS LAST, 1'}",
            parameters,
            limit=MAX_GROUPS,
            seconds=seconds,
        )
        _some(rows.rows, words)
        groups = tuple(GroupValue(group=_name(row[0]), value=_value(row[1])) for row in rows.rows)
        listed = ", ".join(f"{one.group}: {_short(one.value)}" for one in groups[:24])
        more = (
            f", … ({'more than ' if rows.truncated else ''}{len(groups)} groups)" if len(groups) > 24 else ""
        )
        return Aggregate(
            text=f"{words.capitalize()} by {group_by} in {found.name}: {listed}{more}.",
            operation=operation,
            column=column,
            value=None,
            at=None,
            groups=groups,
            truncated=rows.truncated,
        )

    return aggregate


async def _whole(
    tables: Tables,
    table: Table,
    sql: tuple[str, str, list[str]],
    said: tuple[Operation, str, str],
    seconds: float,
) -> Aggregate:
    figure, where, parameters = sql
    operation, column, words = said
    day = next((one for one in table.columns if one.kind == "date" and one.name != column), None)
    place = "NULL"
    if day is not None and operation in ("minimum", "maximum"):
        place = f"arg_{_FUNCTIONS[operation]}({quoted(day.name)}, {quoted(column)})"
    rows = await tables.query(
        f"SELECT {figure}, {place}, count(*) FROM {quoted(table.name)} WHERE {where}",  # noqa: S608 - quoted identifiers, bound values
        parameters,
        seconds=seconds,
    )
    value, at, count = rows.rows[0]
    _some(() if count == 0 else rows.rows, words)
    on = f" (on {at})" if at else ""
    return Aggregate(
        text=f"{words.capitalize()} in {table.name}: {_short(value)}{on}, over {count} rows.",
        operation=operation,
        column=column,
        value=_value(value),
        at=_name(at),
        groups=(),
        truncated=False,
    )


def _counted(tables: Sequence[Table]) -> ToolExample:
    """Make the example of counting; one of words only where no table has a row to count."""
    request = "How many records are in the table?"
    for table in tables:
        measured = [column.name for column in table.columns if column.kind in ("number", "date")]
        if table.rows and measured:
            arguments: dict[str, Json] = {"table": table.name, "column": measured[0], "operation": "count"}
            returns: dict[str, Json] = {"operation": "count", "column": measured[0]}
            return ToolExample(request=request, arguments=arguments, returns=returns)
    return ToolExample(request=request)


_LABELS: dict[str, JsonValue] = {
    "count": "how many, number of",
    "sum": "total, altogether",
    "average": "mean",
    "minimum": "lowest, smallest, least, cheapest",
    "maximum": "highest, largest, biggest, most",
}
"""Other words for the operations, for models that are led by the request's own words."""


def _aggregate_choices(tables: Sequence[Table]) -> Choices:
    columns = tuple(dict.fromkeys(column.name for table in tables for column in table.columns))
    measured = tuple(
        dict.fromkeys(
            column.name for table in tables for column in table.columns if column.kind in ("number", "date")
        )
    )
    groups = tuple(dict.fromkeys(name for table in tables for name in _group_names(table)))
    choices = {
        "table": tuple(table.name for table in tables),
        "column": measured or columns,
        "where_column": columns,
        "group_by": groups,
    }
    return {name: values for name, values in choices.items() if len(values) <= MAX_CHOICES}


def _group_names(table: Table) -> list[str]:
    names: list[str] = []
    for column in table.columns:
        names += (
            [f"{column.name} (year)", f"{column.name} (month)"] if column.kind == "date" else [column.name]
        )
    return names


def _group_expression(table: Table, group_by: str) -> str:
    dated = re.fullmatch(r"(.*) \((year|month)\)", group_by)
    if dated and (column := table.column(dated[1])) and column.kind == "date":
        return f"strftime({quoted(column.name)}, '{'%Y' if dated[2] == 'year' else '%Y-%m'}')"
    return f"CAST({quoted(_column(table, group_by).name)} AS VARCHAR)"


def _figure(column: Column, operation: Operation) -> str:
    if operation in ("sum", "average", "median") and column.kind != "number":
        raise ToolFailed(
            f"{operation} needs numbers, but {column.name} holds {column.kind}.",
            remedy="Choose a column of numbers.",
        )
    return f"{_FUNCTIONS[operation]}({quoted(column.name)})"


def _condition(table: Table, where_column: str | None, where_value: str | None) -> tuple[str, list[str]]:
    if where_column is None or where_value is None:
        return "TRUE", []
    column = _column(table, where_column)
    text = f"CAST({quoted(column.name)} AS VARCHAR)"
    value = where_value.strip()
    match column.kind:
        case "date":
            return f"starts_with({text}, ?)", [value]
        case "number":
            return f"{quoted(column.name)} = try_cast(? AS DOUBLE)", [value]
        case _:
            return f"lower(trim({text})) = lower(?)", [value]


def _column(table: Table, name: str) -> Column:
    column = table.column(name)
    if column is None:
        names = ", ".join(one.name for one in table.columns[:30])
        raise ToolFailed(f"{table.name} has no column '{name[:80]}'.", remedy=f"Its columns: {names}.")
    return column


def _some(rows: Sequence[object], words: str) -> None:
    if not rows:
        raise ToolFailed(f"no rows for the {words}.", remedy="Try another value, or no condition.")


def _value(value: Json) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    return float(f"{value:.12g}") if isinstance(value, int | float) else str(value)


def _name(value: Json) -> str | None:
    return None if value is None else str(value)


def _short(value: Json) -> str:
    """Write a figure as a person would: at most four decimals, texts cut at 200 characters."""
    match value:
        case bool() | None:
            return "none" if value is None else str(value).lower()
        case int():
            return f"{value}"
        case float():
            return (
                f"{value:.4f}".rstrip("0").rstrip(".")
                if 1e-3 <= abs(value) < 1e15 or not value
                else f"{value:g}"
            )
        case _:
            text = str(value)
            return text if len(text) <= 200 else text[:199] + "…"


def _listed(tables: Sequence[Table]) -> str:
    """Name tables and columns, bounded to what a small prompt can hold."""
    parts: list[str] = []
    for table in tables[:8]:
        shown = ", ".join(column.name[:40] for column in table.columns[:16])
        more = ", …" if len(table.columns) > 16 else ""
        parts.append(f"{table.name}({shown}{more})")
    if len(tables) > len(parts):
        parts.append(f"and {len(tables) - len(parts)} more")
    listed = "; ".join(parts)
    return listed if len(listed) <= 700 else listed[:699] + "…"
