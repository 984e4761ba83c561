"""The check of the requirements manifest fails both ways, and only then."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.requirement("CON-6")

HERE = Path(__file__).resolve().parent
PLUGIN = HERE / "requirements_plugin.py"

CONFIG = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\nmarkers = ["requirement(*ids): shows"]\n'
MANIFEST = 'REQUIREMENTS: dict[str, str] = {"ONE-1": "It does one.", "TWO-2": "It does two."}\n'
GOOD = """\
import pytest

pytestmark = pytest.mark.requirement("ONE-1")

def test_one(): pass

@pytest.mark.requirement("TWO-2")
@pytest.mark.parametrize("n", [1, 2])
def test_two(n): raise AssertionError("collected, never run")
"""


def checked(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run the check as a process over a tree of one test module."""
    (folder / "tests").mkdir()
    (folder / "pyproject.toml").write_text(CONFIG)
    (folder / "tests" / "requirements.py").write_text(MANIFEST)
    (folder / "tests" / "test_it.py").write_text(tests)
    command = [sys.executable, str(PLUGIN), "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_a_tree_in_which_both_sides_match_passes(tmp_path: Path) -> None:
    done = checked(tmp_path, GOOD)
    assert done.returncode == 0, done.stdout
    assert "all 3 tests and requirements match" in done.stdout


def test_a_requirement_without_a_test_fails(tmp_path: Path) -> None:
    done = checked(tmp_path, GOOD.replace('"TWO-2"', '"ONE-1"'))
    assert done.returncode == 1
    assert "requirements: 'TWO-2' has no test (It does two.)" in done.stdout


def test_a_test_without_a_requirement_fails(tmp_path: Path) -> None:
    done = checked(tmp_path, GOOD.replace("pytestmark =", "unused ="))
    assert done.returncode == 1
    assert "requirements: tests/test_it.py::test_one names no requirement" in done.stdout
    assert "'ONE-1' has no test" in done.stdout


def test_a_test_of_an_unknown_requirement_fails_and_is_said_once(tmp_path: Path) -> None:
    done = checked(tmp_path, GOOD.replace('"TWO-2"', '"TWO-2", "TOO-2"'))
    assert done.returncode == 1
    assert done.stdout.count("test_two names 'TOO-2', which") == 1


def test_a_module_that_cannot_be_collected_fails(tmp_path: Path) -> None:
    assert checked(tmp_path, GOOD + "\nraise RuntimeError('boom')\n").returncode != 0


def test_it_works_as_a_plugin_too(tmp_path: Path) -> None:
    assert checked(tmp_path, GOOD.replace("pytestmark =", "unused =")).returncode == 1
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "requirements_plugin"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(HERE)},
    )
    assert done.returncode == 1
    assert "names no requirement" in done.stdout


def test_the_manifest_holds_ids_and_one_sentence_each() -> None:
    manifest = runpy.run_path(str(HERE / "requirements.py"))["REQUIREMENTS"]
    for name, sentence in manifest.items():
        assert re.fullmatch(r"[A-Z][A-Z0-9]*-[1-9][0-9]*", name), name
        assert sentence.endswith("."), name
        assert sentence[0].isupper() or sentence[0] == "`", name
