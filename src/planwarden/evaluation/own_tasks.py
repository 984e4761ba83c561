"""Labelled tasks over the catalog that ships; docs/reference/own-tasks.md says how they are labelled.

They live in `tasks/own_catalog.jsonl`, one JSON object a line. A third is held out from whatever is fitted on
the rest; which third follows from the ids alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from planwarden.contracts.plan import MAX_STEPS, HandoffStrategy, WayOut
from planwarden.contracts.value import Contract, Name
from planwarden.errors import DataRejected

Split = Literal["train", "held_out"]

REMEDY = "docs/reference/own-tasks.md describes the format."


class OwnStep(Contract):
    """One step that counts as right: one agent, one tool."""

    agent: Name
    tools: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]
    fallback_tools: tuple[Name, ...] = ()
    """Stand-ins that count as right, best first; empty where none could give what the step asks for."""
    depends_on: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """0-based places of the earlier steps whose results it uses."""

    @property
    def tool(self) -> str:
        """Give its tool."""
        return self.tools[0]


class OwnGold(Contract):
    """A plan that counts as right: steps, or a way out."""

    steps: Annotated[tuple[OwnStep, ...], Field(max_length=MAX_STEPS)]
    handoff: HandoffStrategy
    way_out: WayOut | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if bool(self.steps) == (self.way_out is not None):
            msg = "a gold plan has either steps or a way out"
            raise ValueError(msg)
        if any(earlier >= place for place, step in enumerate(self.steps) for earlier in step.depends_on):
            msg = "a step depends on one that is not before it"
            raise ValueError(msg)
        if self.handoff != handoff_of([step.depends_on for step in self.steps]):
            msg = "handoff is sequential where every step depends on the one before it, else parallel"
            raise ValueError(msg)
        return self

    @property
    def tools(self) -> tuple[str, ...]:
        """Give the tools, in the order of the steps."""
        return tuple(step.tool for step in self.steps)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Give the links, as pairs of 0-based places."""
        return tuple((earlier, place) for place, step in enumerate(self.steps) for earlier in step.depends_on)


class OwnTask(Contract):
    """One labelled task."""

    id: Annotated[str, Field(min_length=1)]
    source: Literal["own"]
    split: Split
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    request: Annotated[str, Field(min_length=1)]
    gold: OwnGold
    alternatives: tuple[OwnGold, ...] = ()
    """Other plans that are as right as `gold`."""

    @model_validator(mode="after")
    def _is_in_its_split(self) -> Self:
        if self.split != split_of(self.id):
            msg = f"by its id the task belongs to {split_of(self.id)}"
            raise ValueError(msg)
        return self

    @property
    def golds(self) -> tuple[OwnGold, ...]:
        """Give every plan that counts as right, the first choice first."""
        return self.gold, *self.alternatives


def split_of(task_id: str) -> Split:
    """Say which split an id falls into: a third is held out."""
    return "held_out" if int(sha256(task_id.encode()).hexdigest(), 16) % 3 == 0 else "train"


def handoff_of(depends_on: Sequence[Sequence[int]]) -> HandoffStrategy:
    """Derive the hand-off: sequential where every step depends on the one before it, else parallel."""
    follows = [before in later for before, (_, later) in enumerate(pairwise(depends_on))]
    return "sequential" if all(follows) else "parallel"


def own_tasks_file() -> Path:
    """Give the file of the tasks that ship."""
    return Path(str(files("planwarden.evaluation"))) / "tasks" / "own_catalog.jsonl"


def shipped_own_tasks() -> tuple[OwnTask, ...]:
    """Read the tasks that ship."""
    place = own_tasks_file()
    return parse_own_tasks(place.read_text("utf-8"), place.name)


def read_own_tasks(path: Path) -> tuple[OwnTask, ...]:
    """Read tasks from a JSON-lines file.

    Raises:
        DataRejected: the file cannot be read, a line is not a task, or an id occurs twice.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataRejected(
            f"{path} cannot be read: {error}.", remedy="Name a readable JSON-lines file."
        ) from error
    return parse_own_tasks(text, str(path))


def parse_own_tasks(text: str, name: str) -> tuple[OwnTask, ...]:
    """Read tasks from JSON lines; `name` is said in errors. Pure.

    Raises:
        DataRejected: a line is not a task, an id occurs twice, or there is none.
    """
    tasks: dict[str, OwnTask] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        task = _task(line, f"{name}, line {number}")
        if task.id in tasks:
            raise DataRejected(
                f"{name}, line {number}: the task id {task.id!r} occurs twice.",
                remedy="Give each task an id of its own.",
            )
        tasks[task.id] = task
    if not tasks:
        raise DataRejected(f"{name} holds no tasks.", remedy=REMEDY)
    return tuple(tasks.values())


def _task(line: str, where: str) -> OwnTask:
    try:
        return OwnTask.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataRejected(f"{where}: {place or 'the line'}: {first['msg']}.", remedy=REMEDY) from error
