"""Tool packages of third parties: found by their entry points, loaded only where the catalog file names them.

A distribution offers tools under the entry-point group `planwarden.tools`. To list what is installed imports
nothing; to load runs the package's code, in this process and with the user's rights.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from planwarden.configuration.catalog_file import LoadedCatalog
from planwarden.errors import CatalogRejected
from planwarden.tools.loading import entry_point_tools
from planwarden.tools.tool import Tool

GROUP = "planwarden.tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPackage:
    """An installed distribution that offers tools."""

    name: str
    version: str
    entries: tuple[EntryPoint, ...]

    @property
    def label(self) -> str:
        """Give name and version, as `provided_by` says them."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedTool:
    """A tool of a package, and which entry of the catalog file brought it."""

    tool: Tool
    provided_by: str
    position: int
    """In the file's list `packages`."""


def installed_packages() -> tuple[ToolPackage, ...]:
    """Give every installed distribution that offers tools, by name. Imports none of them."""
    found: dict[str, ToolPackage] = {}
    for entry in entry_points(group=GROUP):
        if entry.dist is None:
            continue
        name = entry.dist.name
        earlier = found.get(_plain(name))
        entries = (*(earlier.entries if earlier else ()), entry)
        found[_plain(name)] = ToolPackage(name=name, version=entry.dist.version, entries=entries)
    return tuple(found[name] for name in sorted(found))


def named(loaded: LoadedCatalog, package: ToolPackage) -> bool:
    """Say whether a catalog file names a package."""
    return _plain(package.name) in {_plain(name) for name in loaded.file.packages}


def load_packages(loaded: LoadedCatalog, taken: Mapping[str, str]) -> dict[str, PackagedTool]:
    """Load the tools of the packages that a catalog file names, and of no other.

    Args:
        loaded: the file.
        taken: names that other tools have → whose they are.

    Raises:
        CatalogRejected: a package that is not installed or named twice, that cannot be imported or brings no
            tool, or a tool whose name is taken; with the line.
    """
    installed = (
        {_plain(package.name): package for package in installed_packages()} if loaded.file.packages else {}
    )
    tools: dict[str, PackagedTool] = {}
    seen: set[str] = set()
    for position, name in enumerate(loaded.file.packages):
        path = ("packages", position)
        package = installed.get(_plain(name))
        if package is None:
            raise _not_installed(loaded, position, installed.values())
        if _plain(name) in seen:
            raise loaded.text.mistake(path, f"package '{name}' stands here twice", "Remove one of them.")
        seen.add(_plain(name))
        for tool in _tools_of(loaded, position, package):
            whose = (
                tools[tool.spec.name].provided_by if tool.spec.name in tools else taken.get(tool.spec.name)
            )
            if whose is not None:
                raise loaded.text.mistake(
                    path,
                    f"package '{package.label}' brings a tool '{tool.spec.name}', and so does {whose}",
                    "Leave one of them out, or ask its author for a name of its own.",
                )
            tools[tool.spec.name] = PackagedTool(tool=tool, provided_by=package.label, position=position)
    return tools


def _tools_of(loaded: LoadedCatalog, position: int, package: ToolPackage) -> list[Tool]:
    tools: list[Tool] = []
    for entry in package.entries:
        try:
            tools += entry_point_tools(entry)
        except CatalogRejected as error:
            raise loaded.text.mistake(
                ("packages", position),
                f"package '{package.label}', entry point '{entry.name}': {error.message}",
                error.remedy,
            ) from error
    return tools


def _not_installed(loaded: LoadedCatalog, position: int, installed: Iterable[ToolPackage]) -> CatalogRejected:
    name = loaded.file.packages[position]
    names = [package.name for package in installed]
    near = difflib.get_close_matches(name, names, n=1)
    meant = f"Did you mean '{near[0]}'?" if near else "Install it beside Planwarden, or remove the line."
    return loaded.text.mistake(
        ("packages", position),
        f"no package '{name}' with tools is installed",
        f"{meant} `planwarden tools packages` lists what is there.",
    )


def _plain(name: str) -> str:
    """Give a distribution's name in its one normal form (PyPA: a run of - _ . is one -, in small letters)."""
    return re.sub(r"[-_.]+", "-", name).lower()
