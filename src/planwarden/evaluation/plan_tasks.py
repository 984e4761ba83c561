"""Plan-quality tasks: a request, the tools offered, a gold plan; one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from planwarden.errors import DataRejected

Edge = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class OfferedTool(_Part):
    """A tool that a task offers; in public sets `parameters` is often not quite a JSON Schema."""

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class GoldStep(_Part):
    """One step of a gold plan."""

    tool: str


class GoldPlan(_Part):
    """The plan that counts as right: steps, and which builds on which (0-based pairs)."""

    steps: tuple[GoldStep, ...]
    edges: tuple[Edge, ...] = ()
    kind: Literal["dag", "chain", "sequence", "parallel"] = "sequence"

    @model_validator(mode="after")
    def _edges_name_steps(self) -> GoldPlan:
        if any(max(edge) >= len(self.steps) for edge in self.edges):
            msg = "an edge names a step that is not there"
            raise ValueError(msg)
        return self


class PlanTask(_Part):
    """One task of a benchmark."""

    id: str
    source: str
    request: Annotated[str, Field(min_length=1)]
    tools: Annotated[tuple[OfferedTool, ...], Field(min_length=1)]
    gold: GoldPlan


class Prediction(BaseModel):
    """A plan for one task, as it is written to a predictions file and scored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    steps: tuple[GoldStep, ...] = ()
    edges: tuple[Edge, ...] = ()

    @property
    def tools(self) -> tuple[str, ...]:
        """Give the tools, in the order of the steps."""
        return tuple(step.tool for step in self.steps)


def read_plan_tasks(paths: Sequence[Path]) -> tuple[PlanTask, ...]:
    """Read tasks from JSON-lines files.

    Raises:
        DataRejected: a file cannot be read, a line is not a task, or an id occurs twice.
    """
    tasks = tuple(task for path in paths for task in _read(path))
    seen: set[str] = set()
    for task in tasks:
        if task.id in seen:
            raise DataRejected(
                f"The task id {task.id!r} occurs twice.", remedy="Give each task an id of its own."
            )
        seen.add(task.id)
    if not tasks:
        raise DataRejected("The files hold no tasks.", remedy="Name files with one task as JSON a line.")
    return tasks


def evenly(tasks: Sequence[PlanTask], limit: int) -> tuple[PlanTask, ...]:
    """Give at most `limit` tasks, as evenly from each source as they allow, in their order. Pure."""
    by_source: dict[str, list[PlanTask]] = {}
    for task in tasks:
        by_source.setdefault(task.source, []).append(task)
    turns = [own for row in zip_longest(*by_source.values()) for own in row if own is not None]
    kept = {task.id for task in turns[:limit]}
    return tuple(task for task in tasks if task.id in kept)


def _read(path: Path) -> Iterator[PlanTask]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            yield PlanTask.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise DataRejected(
                f"{path}, line {number}: {place or 'the line'}: {first['msg']}.",
                remedy="docs/benchmark.md describes the format.",
            ) from error


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataRejected(
            f"{path} cannot be read: {error}.", remedy="Name a readable JSON-lines file."
        ) from error
