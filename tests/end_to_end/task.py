"""What an end-to-end task is: a request, right steps and arguments, what its outcome must show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Json = object
Data = Literal["samples", "quotes.csv", "sales.csv", "handbook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One right step: the tool, arguments a person would give it, and what its result must say."""

    tool: str
    arguments: Mapping[str, Json]
    shows: tuple[str, ...]
    """Texts that the answer must contain; worked out from the data, never taken from the tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndToEndTask:
    """One task; several steps are in the order in which they must be taken."""

    name: str
    agent: str
    """The agent of the first step."""
    prompt: str
    steps: tuple[Wanted, ...]
    data: Data = "samples"
    files: Mapping[str, str] | None = None
    """What lies in the workspace before."""
    written: Mapping[str, str] | None = None
    """What must lie in the workspace afterwards: path → content."""
    language: str = "en"


def task(
    name: str,
    agent: str,
    prompt: str,
    *steps: Wanted,
    data: Data = "samples",
    files: Mapping[str, str] | None = None,
    written: Mapping[str, str] | None = None,
    language: str = "en",
) -> EndToEndTask:
    """Make a task."""
    return EndToEndTask(
        name=name,
        agent=agent,
        prompt=prompt,
        steps=steps,
        data=data,
        files=files,
        written=written,
        language=language,
    )


def use(tool: str, shows: str | tuple[str, ...], /, **arguments: Json) -> Wanted:
    """Make a right step."""
    return Wanted(tool=tool, arguments=arguments, shows=(shows,) if isinstance(shows, str) else shows)
