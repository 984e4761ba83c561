"""Tool packages: found without being imported, loaded only when named, every fault with its line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from planwarden import Planwarden, load_settings
from planwarden.app.assembly import tool_packages
from planwarden.configuration.packages import installed_packages
from planwarden.errors import CatalogRejected

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("TOOL-15")]

TOOL = '''
from planwarden import tool

@tool(name="{name}", effect="read", alternatives={alternatives!r})
def shout(word: str) -> str:
    """Shout a word."""
    return word.upper()

both = [shout]
nothing = 7
'''
CATALOG = """version: 1
packages:
  - {packages}
agents:
  general_agent: {{description: d, tools: [{tools}], may_answer_without_tools: true}}
"""


class Site:
    """A folder of installed packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, module: str, code: str, value: str = "", version: str = "1.2") -> None:
        (self.folder / f"{module}.py").write_text(code, "utf-8")
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[planwarden.tools]\nx = {value or module}\n", "utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    yield Site(folder)
    for path in folder.glob("*.py"):
        sys.modules.pop(path.stem, None)


def code(name: str = "my.shout", alternatives: tuple[str, ...] = ()) -> str:
    return TOOL.format(name=name, alternatives=alternatives)


async def provided(tmp_path: Path, packages: str, tools: str = "utils.clock") -> dict[str, str]:
    path = tmp_path / "planwarden.yaml"
    path.write_text(CATALOG.format(packages=packages, tools=tools), "utf-8")
    settings = load_settings({"planwarden_config": path, "planwarden_home": tmp_path / "home"})
    async with Planwarden.open(settings) as planwarden:
        return dict((await planwarden.world()).provided_by)


@pytest.mark.parametrize("value", ["loud", "loud:shout", "loud:both"])
async def test_a_named_package_brings_its_tools_with_name_and_version(
    site: Site, tmp_path: Path, value: str
) -> None:
    site.install("Loud-Tools", "loud", code(), value)
    found = await provided(tmp_path, "loud_tools", "my.shout")
    assert found["my.shout"] == "Loud-Tools 1.2"
    assert found["utils.clock"] == "planwarden"


async def test_a_package_that_is_not_named_is_listed_and_never_imported(site: Site, tmp_path: Path) -> None:
    site.install("quiet", "quiet", "raise SystemExit('imported')")
    site.install("loud", "loud", code())
    assert "my.shout" in await provided(tmp_path, "loud", "my.shout")
    assert {"quiet", "loud"} <= {package.name for package in installed_packages()}
    settings = load_settings({"planwarden_config": tmp_path / "planwarden.yaml"})
    named = {package.name: loaded for package, loaded in tool_packages(settings)}
    assert (named["quiet"], named["loud"]) == (False, True)
    assert "quiet" not in sys.modules


@pytest.mark.parametrize(
    ("source", "value", "says"),
    [
        ("import nowhere_at_all", "", "cannot be loaded: ModuleNotFoundError"),
        ("1/0", "", "ZeroDivisionError"),
        ("raise SystemExit(3)", "", "cannot be loaded: SystemExit: 3"),
        ("def f(", "", "SyntaxError"),
        ("x = 1", "", "defines no tools"),
        (code(), "faulty:nothing", "defines no tools"),
        (code(), "faulty:gone", "cannot be loaded: AttributeError"),
        (code("finance.snapshot"), "", "'finance.snapshot', and so does planwarden"),
        (code("web.search"), "", "'web.search', and so does planwarden"),
        (code(alternatives=("no.such",)), "", "tool 'my.shout': 'no.such' is not another tool"),
        (code("not a name"), "", "String should match pattern"),
        (code() + code().replace("def shout", "def other"), "", "declared twice"),
    ],
)
async def test_each_fault_of_a_package_names_it_and_its_line(
    site: Site, tmp_path: Path, source: str, value: str, says: str
) -> None:
    site.install("faulty", "faulty", source, value)
    with pytest.raises(CatalogRejected) as raised:
        await provided(tmp_path, "faulty")
    assert "planwarden.yaml, line 3: " in raised.value.message
    assert says in raised.value.message
    assert raised.value.remedy


async def test_a_package_that_is_not_installed_or_named_twice_is_refused(site: Site, tmp_path: Path) -> None:
    site.install("loud-tools", "loud", code())
    with pytest.raises(
        CatalogRejected, match="line 3: no package 'lout-tools' with tools is installed"
    ) as raised:
        await provided(tmp_path, "lout-tools")
    assert "Did you mean 'loud-tools'?" in raised.value.remedy
    with pytest.raises(CatalogRejected, match="line 4: package 'loud_tools' stands here twice"):
        await provided(tmp_path, "loud-tools\n  - loud_tools")


async def test_two_packages_with_a_tool_of_one_name_are_refused(site: Site, tmp_path: Path) -> None:
    site.install("one", "one_tools", code())
    site.install("two", "two_tools", code())
    with pytest.raises(
        CatalogRejected, match=r"line 4: package 'two 1\.2' brings a tool 'my.shout', and so does one"
    ):
        await provided(tmp_path, "one\n  - two")
