"""What the documents say, taken apart: fences, code spans, links. For the tests beside this file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A fenced block: where it stands, what it says it is, its text."""

    place: str
    info: str
    body: str


def name_of(page: Path) -> str:
    """Name a page by its path in the repository."""
    return page.relative_to(ROOT).as_posix()


def fences(page: Path) -> Iterator[Fence]:
    """Give the fenced blocks of a page."""
    text = page.read_text("utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Fence(
            place=f"{name_of(page)}:{line}",
            info=found["info"].strip(),
            body=textwrap.dedent(found["body"]),
        )


def all_fences(info: str) -> list[Fence]:
    """Give the blocks of one language over all pages."""
    return [fence for page in PAGES for fence in fences(page) if fence.info == info]


def prose(page: Path) -> str:
    """Give a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def spans(page: Path) -> list[str]:
    """Give the code spans of a page."""
    return _SPAN.findall(prose(page))


def links(page: Path) -> list[str]:
    """Give the targets of a page's links."""
    return _LINK.findall(prose(page))


def commands_said(program: str) -> list[tuple[str, str]]:
    """Give every mention of a program's command, in code spans and shell blocks, with its place."""
    said = [(name_of(page), span) for page in PAGES for span in spans(page)]
    said += [
        (fence.place, part.split(" #", maxsplit=1)[0].strip())
        for fence in all_fences("sh")
        for part in fence.body.splitlines()
    ]
    return [(place, text) for place, text in said if text.startswith(f"{program} ")]
