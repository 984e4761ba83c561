"""Every step of every runbook runs, one after the other in a fresh home, and prints what its page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT, name_of
from runbook import outputs_of, script_of, shows, steps_of

RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))


@pytest.mark.live
@pytest.mark.requirement("RBK-1")
@pytest.mark.parametrize("page", RUNBOOKS, ids=name_of)
def test_each_step_of_a_runbook_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    steps = steps_of(page)
    done = subprocess.run(
        ["bash", "-c", script_of(steps)],
        cwd=tmp_path,
        env=surroundings(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=400,
    )
    printed = outputs_of(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:]
    for step in steps:
        missing = shows(step.expected or "", printed[step.place])
        assert not missing, f"{step.place}: {missing!r} is not in\n{printed[step.place]}"


@pytest.mark.requirement("RBK-1")
def test_every_runbook_shows_what_most_of_its_steps_print() -> None:
    for page in RUNBOOKS:
        steps = steps_of(page)
        shown = [step for step in steps if step.expected is not None]
        assert len(shown) >= 2, name_of(page)
        assert all("planwarden" in step.commands or "make" in step.commands for step in shown)


@pytest.mark.requirement("RBK-1")
def test_a_line_that_was_not_printed_is_found() -> None:
    printed = "one  fish\ntwo fish\nred 42 fish\n"
    assert shows("one fish\n…\nred … fish", printed) == ""
    assert shows("red … fish\none fish", printed) == "one fish"
    assert shows("blue fish", printed) == "blue fish"
    assert shows("two", printed) == "two"


def surroundings(folder: Path) -> dict[str, str]:
    """Give the environment of a newcomer: the embedded model, a fresh home, a wide terminal."""
    ours = {
        "PLANNER_LLM__PROVIDER": "embedded",
        "LLM__PROVIDER": "embedded",
        "PLANWARDEN_HOME": str(folder / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "140",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "XDG_CACHE_HOME") if name in os.environ}
    return kept | ours
