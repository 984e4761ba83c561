"""A runbook taken apart: what it has its reader type, and what it says is printed then."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from documents import fences

ANYTHING = "…"
"""In an expected line: any characters; alone on a line: any lines."""
_MARK = "\x1e step "


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A block of commands, and the output that the page shows for it; None where it shows none."""

    place: str
    commands: str
    expected: str | None


def steps_of(page: Path) -> tuple[Step, ...]:
    """Give the steps of a page in order. One in an HTML comment is not seen by readers."""
    steps: list[Step] = []
    for fence in fences(page):
        if fence.info == "sh":
            steps.append(Step(place=fence.place, commands=fence.body, expected=None))
        elif fence.info == "text" and steps and steps[-1].expected is None:
            last = steps.pop()
            steps.append(Step(place=last.place, commands=last.commands, expected=fence.body))
    return tuple(steps)


def script_of(steps: tuple[Step, ...]) -> str:
    """Put all steps into one shell script, with a mark before each, that ends where a command fails."""
    parts = [f"printf '%s%s\\n' '{_MARK}' '{step.place}'\n{step.commands}" for step in steps]
    return "set -euo pipefail\n" + "\n".join(parts)


def outputs_of(printed: str) -> dict[str, str]:
    """Give what each step printed, by its place."""
    parts = printed.split(_MARK)[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def shows(expected: str, printed: str) -> str:
    """Give the first expected line that was not printed, after those before it; empty where all were."""
    left = [_flat(line) for line in printed.splitlines()]
    for line in expected.splitlines():
        wanted = _flat(line)
        if wanted in ("", ANYTHING):
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split(ANYTHING)))
        found = next((place for place, said in enumerate(left) if pattern.fullmatch(said)), None)
        if found is None:
            return line
        left = left[found + 1 :]
    return ""


def _flat(line: str) -> str:
    return " ".join(line.split())
