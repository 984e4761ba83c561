"""A user's own patterns of what must go, run by RE2: in linear time, whatever the pattern.

Python's own expressions can be made to run for years on a text of a hundred characters. DuckDB, which is
here for the data tools anyway, brings RE2 with it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planwarden.contracts.value import storable
from planwarden.errors import InputError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_PATTERNS = 100
MAX_LENGTH = 1_000
"""Characters of one pattern."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One expression in RE2's syntax, and the line it stands on."""

    line: int
    expression: str


@dataclass(frozen=True, slots=True)
class OwnPatterns:
    """Patterns that were accepted, ready to run."""

    patterns: tuple[Pattern, ...]
    engine: DuckDBPyConnection

    def replace(self, text: str) -> str:
        """Replace what the patterns find, each by `[pattern LINE]`."""
        for pattern in self.patterns:
            text = _replaced(self.engine, text, pattern)
        return text


@contextmanager
def own_patterns(text: str, name: str) -> Generator[OwnPatterns]:
    """Read a file of patterns, one a line; empty lines and lines that begin with `#` say nothing.

    Raises:
        InputError: a pattern is not one, matches nothing at all, or there are too many.
    """
    import duckdb  # noqa: PLC0415 - heavy, and needed only here

    lines = [Pattern(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    patterns = tuple(each for each in lines if each.expression and not each.expression.startswith("#"))
    if not patterns or len(patterns) > MAX_PATTERNS:
        raise InputError(
            f"{name} holds {len(patterns)} patterns.", remedy=f"Give 1 to {MAX_PATTERNS}, one a line."
        )
    with duckdb.connect(":memory:") as engine:
        for pattern in patterns:
            _check(engine, pattern, name)
        yield OwnPatterns(patterns, engine)


def _check(engine: DuckDBPyConnection, pattern: Pattern, name: str) -> None:
    import duckdb  # noqa: PLC0415 - heavy, and needed only here

    problem = f"it is longer than {MAX_LENGTH} characters" if len(pattern.expression) > MAX_LENGTH else ""
    if not problem:
        try:
            problem = "it finds the empty text" if _replaced(engine, "", pattern) else ""
        except duckdb.Error as error:
            problem = str(error).splitlines()[0].rpartition("Error: ")[2]
    if problem:
        raise InputError(
            f"{name}, line {pattern.line}: the pattern cannot be used: {problem}.",
            remedy="Write it in RE2's syntax, which has no look-around and no back references.",
        )


def _replaced(engine: DuckDBPyConnection, text: str, pattern: Pattern) -> str:
    given = [storable(text), pattern.expression, f"[pattern {pattern.line}]"]
    row = engine.execute("SELECT regexp_replace(?::VARCHAR, ?, ?, 'g')", given).fetchone()
    return str(row[0]) if row else text
