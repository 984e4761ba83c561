"""Checks that each requirement of tests/requirements.py has a test, and each test a requirement.

Run it over the whole tree, from the repository's root: `.venv/bin/python tests/requirements_plugin.py`
(or `.venv/bin/python -m pytest --collect-only -q -p tests.requirements_plugin`). Runs no test.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import pytest

MANIFEST = Path("tests") / "requirements.py"


class RequirementsCheck:
    """Listens while pytest collects; at the end, says what is missing and fails the session."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest
        self._tests: list[tuple[str, tuple[object, ...]]] = []
        self._problems: tuple[str, ...] = ()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note a test with the ids it claims, whether it is deselected later or not."""
        claimed = tuple(name for mark in item.iter_markers("requirement") for name in mark.args)
        self._tests.append((item.nodeid, claimed))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the session when anything is missing."""
        manifest = cast("Mapping[str, str]", runpy.run_path(str(self._manifest))["REQUIREMENTS"])
        self._problems = problems(manifest, self._tests)
        if self._problems:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what is missing."""
        for problem in self._problems:
            terminalreporter.write_line(f"requirements: {problem}", red=True)
        if not self._problems:
            terminalreporter.write_line(f"requirements: all {len(self._tests)} tests and requirements match")


def problems(manifest: Mapping[str, str], tests: Iterable[tuple[str, tuple[object, ...]]]) -> tuple[str, ...]:
    """Find every requirement without a test, and every test without a known requirement. Pure."""
    found: dict[str, None] = {}
    shown: set[object] = set()
    for test, claimed in tests:
        shown.update(claimed)
        place = test.split("[")[0]
        if not claimed:
            found[f"{place} names no requirement"] = None
        for name in claimed:
            if name not in manifest:
                found[f"{place} names '{name}', which tests/requirements.py does not have"] = None
    missing = (f"'{name}' has no test ({manifest[name]})" for name in manifest if name not in shown)
    return (*found, *missing)


def pytest_configure(config: pytest.Config) -> None:
    """Join when loaded with `-p`."""
    config.pluginmanager.register(RequirementsCheck(config.rootpath / MANIFEST), "requirements-check")


if __name__ == "__main__":
    check = RequirementsCheck(Path.cwd() / MANIFEST)
    sys.exit(pytest.main(["--collect-only", "-q", "--no-header", *sys.argv[1:]], plugins=[check]))
