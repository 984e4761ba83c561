"""Loading tools by reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.errors import CatalogRejected
from planwarden.tools.loading import load_tools

pytestmark = pytest.mark.requirement("TOOL-2")

HEAD = "from __future__ import annotations\nfrom planwarden.tools.function import tool\n"
ONE = (
    '@tool(name="demo.one", effect="read")\ndef one(word: str) -> str:\n    """Say one."""\n    return word\n'
)
TWO = ONE.replace("one", "two")


def test_a_file_gives_its_tools_in_order(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + TWO + ONE + "alias = one\n")
    loaded = load_tools("mine.py", folder=tmp_path)
    assert [tool.spec.name for tool in loaded] == ["demo.two", "demo.one"]
    assert loaded[1].declared_at.startswith(f"{tmp_path / 'mine.py'}:")


def test_one_attribute_of_a_file_or_module_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + ONE + TWO)
    assert [tool.spec.name for tool in load_tools("mine.py:two", folder=tmp_path)] == ["demo.two"]
    module = "planwarden.tools.domains.calculator"
    for reference in (module, f"{module}:calculator"):
        assert [tool.spec.name for tool in load_tools(reference, folder=tmp_path)] == ["utils.calculator"]


def test_two_tools_of_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + ONE + ONE.replace("def one", "def other"))
    with pytest.raises(CatalogRejected, match=r"demo\.one.*'one'.*mine\.py:3.*'other'.*mine\.py:7"):
        load_tools("mine.py", folder=tmp_path)


@pytest.mark.parametrize(
    ("reference", "body", "says"),
    [
        ("absent.py", "", "is not a file"),
        ("no_such_package.module", "", "cannot be loaded"),
        ("mine.py", "x = 1\n", "defines no tools"),
        ("mine.py:nothing", HEAD + ONE, "'nothing' is not a tool"),
        ("mine.py", "def broken(:\n", "SyntaxError"),
        ("mine.py", "import os\n1 / 0\n", "ZeroDivisionError"),
        ("mine.py", HEAD + ONE.replace('"""Say one."""', "pass"), "no description"),
    ],
)
def test_what_cannot_be_loaded_is_refused(tmp_path: Path, reference: str, body: str, says: str) -> None:
    if body:
        (tmp_path / "mine.py").write_text(body)
    with pytest.raises(CatalogRejected, match=says) as caught:
        load_tools(reference, folder=tmp_path)
    assert caught.value.remedy


def test_a_failing_module_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import os\n1 / 0\n")
    with pytest.raises(CatalogRejected, match=r"mine\.py:2"):
        load_tools("mine.py", folder=tmp_path)
