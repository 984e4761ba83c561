"""Writing a new tool package from the template that ships: whole or not at all."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from importlib import resources
from pathlib import Path

from planwarden.errors import ConfigurationError, InputError

_TEMPLATE = "tool_template"
_PLACES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "planwarden.yaml": "planwarden.yaml",
    "__init__.py": "src/@MODULE@/__init__.py",
    "tools.py": "src/@MODULE@/tools.py",
    "terms.toml": "src/@MODULE@/terms.toml",
    "test_tools.py": "tests/test_tools.py",
}
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
MAX_NAME = 40
"""So that the tools' names, which begin with it, stay within theirs."""


def write_tool_package(folder: Path, *, version: str, nonce: str) -> tuple[str, ...]:
    """Write a tool package named like its folder; give the paths written, relative to it.

    Args:
        folder: new, or empty.
        version: of the Planwarden that it needs at least.
        nonce: tells the half-written folder from any other.

    Raises:
        InputError: no package can be named so, or there is something in the folder.
        ConfigurationError: the folder cannot be written.
    """
    target = folder.expanduser().absolute()
    name = _checked(target.name)
    _refuse_what_is_there(target)
    part = target.with_name(f".{target.name}.{nonce[:12]}")
    try:
        try:
            written = _write(part, name, version)
            if target.is_dir():
                target.rmdir()  # it is empty; one that no longer is, is refused here
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"{target} cannot be written: {error.strerror}.", remedy="Choose a folder that can be written."
        ) from error
    return written


def _checked(name: str) -> str:
    """Hold a name to what works as a distribution, a module and the beginning of a tool's name."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:MAX_NAME].strip("-")
        proposed = f", like '{near}'" if _NAME.fullmatch(near) else ", like 'stock-tools'"
        raise InputError(
            f"'{name[:100]}' cannot be the name of a package.",
            remedy=f"Use small letters, digits and single hyphens, at most {MAX_NAME} in all, a letter first"
            f"{proposed}.",
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in ("planwarden", "tests"):
        raise InputError(
            f"'{name}' is taken: Python or Planwarden has a module of that name.",
            remedy=f"Use another name, like '{name}-tools'.",
        )
    return name


def _refuse_what_is_there(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(f"{target} is there already.", remedy="Name a new folder.")
    if target.is_dir() and any(target.iterdir()):
        raise InputError(
            f"{target} is there already, and not empty.", remedy="Name a new or an empty folder."
        )


def _write(part: Path, name: str, version: str) -> tuple[str, ...]:
    module = name.replace("-", "_")
    marks = {"@NAME@": name, "@MODULE@": module, "@UPPER@": module.upper(), "@VERSION@": version}
    written: list[str] = []
    for source, place in _PLACES.items():
        text = resources.files("planwarden.app").joinpath(_TEMPLATE, f"{source}.tmpl").read_text("utf-8")
        relative = _filled(place, marks)
        path = part / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(text, marks), "utf-8")
        written.append(relative)
    return tuple(written)


def _filled(text: str, marks: dict[str, str]) -> str:
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text
