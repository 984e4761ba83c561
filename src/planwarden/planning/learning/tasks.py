"""What the ranker is fitted on: requests with the tools offered and the plan that was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planwarden.contracts.specs import ToolSpec
from planwarden.planning.ranking.lessons import Lesson


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTask:
    """A request, the tools offered, and the right plan; without steps: no tool fits."""

    id: str
    source: str
    """Tasks of one source are alike in style; the fit also learns to do without its own source's lessons."""
    request: str
    tools: tuple[ToolSpec, ...]
    steps: tuple[str, ...]
    """Names of tools, in order."""
    links: tuple[tuple[int, int], ...]

    @property
    def lesson(self) -> Lesson:
        """Give what it teaches."""
        return Lesson(request=self.request, tools=self.steps, links=self.links)


def lessons_of(tasks: Sequence[LabelledTask]) -> tuple[Lesson, ...]:
    """Give what some tasks teach."""
    return tuple(task.lesson for task in tasks)
