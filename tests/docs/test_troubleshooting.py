"""docs/troubleshooting.md: each heading is what Planwarden prints, provoked here for real."""

from __future__ import annotations

import re
from pathlib import Path

import model_troubles
import pytest
import work_troubles
from documents import ROOT
from scene import REPRODUCTIONS, Scene

from surfaces_kit import Cli, Mind

pytestmark = pytest.mark.requirement("DOC-20")

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
FOUND = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
ENTRIES = {heading.strip("`"): entry for heading, entry in FOUND}
HEADINGS = list(ENTRIES)

assert model_troubles  # importing it registers its reproductions
assert work_troubles


@pytest.fixture
def scene(
    cli: Cli, mind: Mind, home: Path, tmp_path: Path, program: list[str], monkeypatch: pytest.MonkeyPatch
) -> Scene:
    return Scene(cli=cli, mind=mind, home=home, folder=tmp_path, program=program, monkeypatch=monkeypatch)


@pytest.mark.parametrize("heading", HEADINGS)
def test_what_the_heading_says_is_printed(scene: Scene, heading: str) -> None:
    reproduce = REPRODUCTIONS.get(heading)
    assert reproduce is not None, f"nothing provokes '{heading}'"
    assert heading in reproduce(scene)


def test_every_reproduction_has_its_heading() -> None:
    assert set(REPRODUCTIONS) == set(HEADINGS)
    assert len(HEADINGS) == len(FOUND) >= 30


@pytest.mark.parametrize("heading", HEADINGS)
def test_each_entry_says_what_happened_why_and_what_to_do(heading: str) -> None:
    parts = re.findall(r"^\*\*(What happened|Why|What to do)\.\*\* \S", ENTRIES[heading], re.MULTILINE)
    assert parts == ["What happened", "Why", "What to do"]
