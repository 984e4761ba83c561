"""The user's tables in one in-memory DuckDB that can read no file and no network once they are loaded."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal, cast

import anyio
import anyio.to_thread
import duckdb

from planwarden.contracts.value import Json
from planwarden.errors import DataRejected, ToolFailed
from planwarden.tools.data_sources import DataSources, TableFile

ColumnKind = Literal["number", "text", "date", "other"]
MAX_SECONDS = 20.0
"""Longest time one query may take, in seconds."""

_LIMITS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "1GB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # else a query could name a Python variable of ours
}
_LOCK = (
    "SET TimeZone = 'UTC'",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
_DATE_WORDS = ("date", "day", "month", "time", "period", "quarter")
_DATE_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y",
    "%d-%b-%Y", "%d-%b-%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d.%m.%Y", "%Y%m%d",
    "%Y-%m", "%b %Y", "%B %Y",
)  # fmt: skip


MAX_CATEGORIES = 60
"""A text column of more distinct values than this is free text, not a category."""
MAX_TOPICS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column and what can be done with it."""

    name: str
    kind: ColumnKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A loaded table."""

    name: str
    columns: tuple[Column, ...]
    rows: int

    def column(self, name: str) -> Column | None:
        """Give the column of that name, if the table has it."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a query gave, as JSON values."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Json, ...], ...]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All loaded tables. Each query has a cursor of its own, so queries may run at once."""

    all: tuple[Table, ...]
    connection: duckdb.DuckDBPyConnection

    async def query(
        self,
        sql: str,
        parameters: Sequence[object] = (),
        *,
        limit: int = 10_000,
        seconds: float = MAX_SECONDS,
    ) -> Rows:
        """Run one statement and give at most `limit` rows; stopped after `seconds` and on cancellation.

        Raises:
            ToolFailed: with DuckDB's own words, or that it took too long.
        """
        cursor = self.connection.cursor()
        try:
            with anyio.fail_after(seconds):
                return await anyio.to_thread.run_sync(
                    partial(_fetch, cursor, sql, parameters, limit), abandon_on_cancel=True
                )
        except TimeoutError as error:
            raise ToolFailed(
                f"the query took longer than {seconds:g} s and was stopped.",
                remedy="Ask for less: fewer rows, a smaller join, an aggregate.",
            ) from error
        except duckdb.Error as error:
            raise ToolFailed(
                _short(error), remedy="Mend the query: names and types are in the tool's description."
            ) from error
        finally:
            cursor.interrupt()

    def now(self, sql: str, parameters: Sequence[object] = ()) -> Rows:
        """Run one trusted statement at once, while tools are being made.

        Raises:
            DataRejected: the tables do not allow it.
        """
        try:
            return _fetch(self.connection.cursor(), sql, parameters, 10_000)
        except duckdb.Error as error:
            raise DataRejected(
                f"the tables cannot be read: {_short(error)}.", remedy="Look at the data files."
            ) from error


def table_categories(tables: Tables, table: Table) -> dict[str, str]:
    """Give the values of a table's text columns that have few of them → the column that has the value."""
    found: dict[str, str] = {}
    for column in table.columns:
        if column.kind != "text":
            continue
        name = quoted(column.name)
        rows = tables.now(
            f"SELECT DISTINCT CAST({name} AS VARCHAR) FROM {quoted(table.name)}"  # noqa: S608 - quoted identifiers
            f" WHERE {name} IS NOT NULL LIMIT {MAX_CATEGORIES + 1}"
        ).rows
        if len(rows) <= MAX_CATEGORIES:
            found |= {value: column.name for (value,) in rows if isinstance(value, str) and len(value) <= 60}
    return found


def table_topics(tables: Tables) -> tuple[str, ...]:
    """Give the words that tables speak of: their names, columns and categories."""
    words: list[str] = []
    for table in tables.all:
        words += [table.name, *(column.name for column in table.columns), *table_categories(tables, table)]
    spaced = (word.replace("_", " ") for word in words)
    return tuple(dict.fromkeys(spaced))[:MAX_TOPICS]


def load_tables(sources: DataSources) -> Tables:
    """Read every table file into memory, then forbid the connection any further access.

    Columns that are named like dates and hold nothing but dates become dates; times lose their zone for UTC.

    Raises:
        DataRejected: a file is not what its name says, has no rows, or is too large for 1 GB of memory.
    """
    connection = duckdb.connect(":memory:", config=_LIMITS)
    tables = tuple(_load(connection, file) for file in sources.tables)
    for statement in _LOCK:
        connection.execute(statement)
    return Tables(all=tables, connection=connection)


def quoted(identifier: str) -> str:
    """Write a name as an SQL identifier, whatever characters it has."""
    return '"' + identifier.replace('"', '""') + '"'


def _load(connection: duckdb.DuckDBPyConnection, file: TableFile) -> Table:
    table = quoted(file.name)
    try:
        _create(connection, table, file)
        for name, kind in _described(connection, table):
            _mend_dates(connection, table, name, kind)
        count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - quoted identifier
        columns = tuple(Column(name=name, kind=_kind(kind)) for name, kind in _described(connection, table))
    except duckdb.Error as error:
        raise DataRejected(
            f"'{file.path}' cannot be read as {file.format}: {_short(error)}.",
            remedy="Mend the file, or leave it out of the data paths.",
        ) from error
    rows = int(count[0]) if count else 0
    if rows == 0:
        raise DataRejected(f"'{file.path}' has no rows.", remedy="Give a table with a header and rows.")
    return Table(name=file.name, columns=columns, rows=rows)


def _create(connection: duckdb.DuckDBPyConnection, table: str, file: TableFile) -> None:
    match file.format:
        case "csv":
            attempts = (
                "read_csv(?, sample_size = -1)",
                "read_csv(?, sample_size = -1, encoding = 'latin-1')",
            )
        case "json":
            attempts = ("read_json_auto(?)",)
        case "parquet":
            attempts = ("read_parquet(?)",)
    with tempfile.TemporaryDirectory(prefix="planwarden-") as folder:
        path = _literal_path(file.path, Path(folder))
        for position, attempt in enumerate(attempts):
            try:
                connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {attempt}", [str(path)])  # noqa: S608 - quoted identifier
            except duckdb.Error:
                if position == len(attempts) - 1:
                    raise
            else:
                return


def _literal_path(path: Path, folder: Path) -> Path:
    """DuckDB takes `*?[` in a path for a pattern: give such a file another name."""
    if not set("*?[") & set(str(path)):
        return path
    link = folder / f"table{path.suffix.lower()}"
    link.symlink_to(path)
    return link


def _described(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    rows = cast("list[tuple[str, str]]", connection.execute(f"DESCRIBE {table}").fetchall())
    return [(row[0], row[1]) for row in rows]


def _mend_dates(connection: duckdb.DuckDBPyConnection, table: str, name: str, kind: str) -> None:
    column = quoted(name)
    if "WITH TIME ZONE" in kind:
        connection.execute(
            f"ALTER TABLE {table} ALTER {column} TYPE TIMESTAMP USING {column} AT TIME ZONE 'UTC'"
        )
        return
    if kind not in ("VARCHAR", "BIGINT") or not any(word in name.lower() for word in _DATE_WORDS):
        return
    text = f"nullif(trim(CAST({column} AS VARCHAR)), '')"
    for form in _DATE_FORMATS if kind == "VARCHAR" else ("%Y%m%d",):
        parsed = f"try_strptime({text}, '{form}')"
        fits = connection.execute(
            f"SELECT count({text}) > 0 AND count({text}) = count({parsed})"  # noqa: S608 - quoted identifiers
            f" AND min(year({parsed})) BETWEEN 1700 AND 2200 FROM {table}"
        ).fetchone()
        if fits and fits[0]:
            connection.execute(f"ALTER TABLE {table} ALTER {column} TYPE DATE USING CAST({parsed} AS DATE)")
            return


def _kind(sql_type: str) -> ColumnKind:
    head = sql_type.split("(", maxsplit=1)[0]
    if head in ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"):
        return "date"
    if head.endswith("[]"):
        return "other"
    if head.endswith("INT") or head in ("INTEGER", "UINTEGER", "DOUBLE", "FLOAT", "DECIMAL"):
        return "number"
    return "text" if head in ("VARCHAR", "BOOLEAN", "ENUM", "UUID") else "other"


def _fetch(cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object], limit: int) -> Rows:
    cursor.execute(sql, list(parameters))
    if any("TIME ZONE" in str(column[1]) for column in cursor.description or ()):
        cursor.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({sql.strip().rstrip(';')}\n)", list(parameters))  # noqa: S608 - the statement just ran by itself
    names = tuple(str(column[0]) for column in cursor.description or ())
    rows = cast("list[tuple[object, ...]]", cursor.fetchmany(limit + 1))
    return Rows(
        columns=names,
        rows=tuple(tuple(_json(value) for value in row) for row in rows[:limit]),
        truncated=len(rows) > limit,
    )


def _json(value: object) -> Json:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | Decimal):
        return _json_number(value)
    if isinstance(value, list | tuple):
        return [_json(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in cast("dict[object, object]", value).items()}
    return _json_text(value)


def _json_number(value: float | Decimal) -> Json:
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _json_text(value: object) -> str:
    if isinstance(value, datetime) and value.time() == time(0):
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


def _short(error: duckdb.Error) -> str:
    """Keep DuckDB's message, without the picture of the query below it."""
    return str(error).split("\n\nLINE ", maxsplit=1)[0].strip().replace("\n", " ")[:500]
