"""What a run of the benchmark leaves: tables, and figures beside what was to be reached. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from planwarden.evaluation.intervals import Estimate, Spread


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Value):
    """A number with what lies around it: a 95 % interval, or the quartiles."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, value: Estimate | Spread) -> Measured:
        """Take a mean with its interval, or a median with its quartiles."""
        middle = value.mean if isinstance(value, Estimate) else value.median
        return cls(mean=middle, low=value.low, high=value.high)


Cell = Measured | str | int | float | None
"""None where there is nothing to measure."""


class Table(_Value):
    """Rows of named cells; what stands in it is what was measured, unrounded."""

    name: str
    """By which the page and its plots find it."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Cell], ...]
    digits: int = 3
    """After the point, where it is shown."""


class Figure(_Value):
    """One number that was to be reached."""

    name: str
    value: float | None
    """None where it could not be measured in this run."""
    target: float
    is_at_least: bool = True
    """Else the target is a limit that the value has to keep under or meet."""
    low: float | None = None
    high: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Say whether the value itself, not its interval, reached the target; None where there is none."""
        if self.value is None:
            return None
        return self.value >= self.target if self.is_at_least else self.value <= self.target


class Section(_Value):
    """What one part of the benchmark came to."""

    name: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    """What has to be known to read the numbers: samples, what was left out and why."""
    seconds: float = 0.0
    """How long it took to measure."""


class Results(_Value):
    """A whole run."""

    machine: str
    """Processor, cores, memory; models are named by the sections that ask them."""
    model: str
    version: str
    commit: str
    measured_on: str
    """The day, ISO 8601."""
    sizes: dict[str, int]
    """How many tasks each part was given at most."""
    sections: tuple[Section, ...] = Field(default=())

    def section(self, name: str) -> Section | None:
        """Give a part by its name; None where the run left it out."""
        return next((each for each in self.sections if each.name == name), None)

    def table(self, name: str) -> Table | None:
        """Give a table by its name, from whichever part has it."""
        tables = (table for section in self.sections for table in section.tables)
        return next((each for each in tables if each.name == name), None)


def reached_figure(
    name: str,
    value: Estimate | Spread | float | None,
    target: float,
    *,
    at_most: bool = False,
    unit: str = "",
    note: str = "",
) -> Figure:
    """Make a figure of an estimate, a spread or a plain number."""
    if isinstance(value, Estimate | Spread):
        around = Measured.of(value)
        return Figure(
            name=name,
            value=around.mean,
            low=around.low,
            high=around.high,
            target=target,
            is_at_least=not at_most,
            unit=unit,
            note=note,
        )
    return Figure(name=name, value=value, target=target, is_at_least=not at_most, unit=unit, note=note)


def table(
    name: str, title: str, rows: Iterable[Mapping[str, Cell]], *, digits: int = 3, columns: Sequence[str] = ()
) -> Table:
    """Make a table; its columns are those of the rows in the order in which they come up."""
    kept = tuple(dict(row) for row in rows)
    found = tuple(columns) or tuple(dict.fromkeys(column for row in kept for column in row))
    return Table(name=name, title=title, columns=found, rows=kept, digits=digits)


Status = Literal["reached", "not reached", "not measured"]


def status(figure: Figure) -> Status:
    """Say in words how a figure stands to its target."""
    if figure.reached is None:
        return "not measured"
    return "reached" if figure.reached else "not reached"
