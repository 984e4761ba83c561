"""Reading tasks for a shadow run from JSON lines of any of the formats that planwarden knows.

A line is a labelled task over the catalog that ships (docs/reference/own-tasks.md), a task that brings its
own tools (docs/benchmark.md), or just `{"prompt": …}`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, Field, ValidationError

from planwarden.app.shadowing.said import Place
from planwarden.contracts.task import MAX_PROMPT_CHARS, Task
from planwarden.contracts.value import Contract
from planwarden.errors import DataRejected
from planwarden.evaluation.calibration.tasks import of_offered, of_own
from planwarden.evaluation.own_tasks import OwnTask
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.evaluation.shadow.task import ShadowTask

Known = TypeVar("Known", bound=BaseModel)
REMEDY = "docs/guides/shadow.md describes the formats."


class PromptLine(Contract):
    """A request and nothing else."""

    id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Else the line's number."""
    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS)]
    tenant: Annotated[str, Field(min_length=1, max_length=256)] = "default"
    """Whose memory may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line that was read, and where it stands."""

    said: OwnTask | PlanTask | PromptLine
    where: str
    number: int

    @property
    def id(self) -> str:
        """Name the task."""
        return self.said.id or f"line {self.number}"


def read_lines(paths: Iterable[Path]) -> tuple[Line, ...]:
    """Read files of tasks.

    Raises:
        DataRejected: a file cannot be read, a line is no task, an id occurs twice, or there is none.
    """
    lines: dict[str, Line] = {}
    for path in paths:
        for line in parse_lines(text_of(path), str(path)):
            if line.id in lines:
                raise DataRejected(
                    f"{line.where}: the task id {line.id!r} occurs twice.",
                    remedy="Give each task an id of its own.",
                )
            lines[line.id] = line
    if not lines:
        raise DataRejected("The files hold no tasks.", remedy=REMEDY)
    return tuple(lines.values())


def parse_lines(text: str, name: str) -> Iterator[Line]:
    """Read tasks from JSON lines; `name` is said in errors. Pure.

    Raises:
        DataRejected: a line is no task.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{name}, line {number}"
            yield Line(said=_said(line, where), where=where, number=number)


def placed(line: Line, here: Place, shipped: Place, fitted_sources: Collection[str]) -> ShadowTask:
    """Say where a task is planned and what is known of it. Pure.

    Args:
        line: as it was read.
        here: catalog and policy in force, over which a bare request is planned.
        shipped: those that ship, of which the labels are true.
        fitted_sources: sources of tasks that planner and router were fitted on.
    """
    said = line.said
    match said:
        case OwnTask():
            labelled = of_own(said, shipped.catalog, shipped.policy)
            fitted = said.split != "held_out"
        case PlanTask():
            labelled = of_offered(said)
            fitted = said.source in fitted_sources
        case PromptLine():
            task = Task(prompt=said.prompt, tenant=said.tenant)
            return ShadowTask(id=line.id, source="file", task=task, place=here)
    return ShadowTask(
        id=said.id,
        source=said.source,
        task=Task(prompt=said.request),
        place=Place(catalog=labelled.catalog, policy=labelled.policy),
        wanted=labelled.wanted,
        evidence="gold",
        fitted=fitted,
        uses_memory=False,
    )


def _said(line: str, where: str) -> OwnTask | PlanTask | PromptLine:
    value = _object(line, where)
    known: type[OwnTask | PlanTask | PromptLine] = PromptLine
    if "tools" in value:
        known = PlanTask
    elif "request" in value or "gold" in value:
        known = OwnTask
    said = validated(known, line, where)
    asked = said.prompt if isinstance(said, PromptLine) else said.request
    validated(Task, json.dumps({"prompt": asked}), where)
    return said


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataRejected(f"{where}: not JSON: {error}.", remedy=REMEDY) from error
    if not isinstance(value, dict):
        raise DataRejected(f"{where}: not a JSON object.", remedy=REMEDY)
    return cast("dict[str, Any]", value)


def validated(known: type[Known], line: str, where: str, remedy: str = REMEDY) -> Known:
    """Read a line of JSON as what it has to be.

    Raises:
        DataRejected: it is not that.
    """
    try:
        return known.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataRejected(f"{where}: {place or 'the line'}: {first['msg']}.", remedy=remedy) from error


def text_of(path: Path, remedy: str = "Name a readable JSON-lines file.") -> str:
    """Read a file.

    Raises:
        DataRejected: it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataRejected(f"{path} cannot be read: {error}.", remedy=remedy) from error
