"""The generated pages of the reference are what the code says now."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from planwarden.contracts.plan import PlannerPlan
from planwarden.errors import PlanwardenError

pytestmark = pytest.mark.requirement("DOC-1")

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("settings.md", "errors.md", "cli.md", "plan.schema.json", "dossier.schema.json")


def check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "generate_reference.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_generated_pages_are_up_to_date() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_that_was_edited_is_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "generate_reference.py", tmp_path / "scripts")
    shutil.copytree(ROOT / "docs" / "reference", tmp_path / "docs" / "reference")
    page = tmp_path / "docs" / "reference" / name
    page.write_text(page.read_text("utf-8") + "\n", "utf-8")
    done = check(tmp_path)
    assert done.returncode == 1
    assert name in done.stdout


def test_every_error_of_the_tree_is_in_the_reference() -> None:
    def tree(error: type[PlanwardenError]) -> set[str]:
        return {error.code}.union(*(tree(each) for each in error.__subclasses__()))

    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    listed = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert listed == tree(PlanwardenError) - {PlanwardenError.code}


def test_the_published_schema_is_that_of_the_contract() -> None:
    page = (ROOT / "docs" / "reference" / "plan.schema.json").read_text("utf-8")
    assert all(f'"{field}"' in page for field in PlannerPlan.model_fields)
