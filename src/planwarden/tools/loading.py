"""Loading of function tools from modules and files, as the catalog's `python:` entries name them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import cast

from planwarden.contracts.value import digest
from planwarden.errors import CatalogRejected, ConfigurationError
from planwarden.tools.function import FunctionTool


def load_tools(reference: str, *, folder: Path) -> tuple[FunctionTool, ...]:
    """Load the tools that `reference` names, in the order of their definition.

    `reference` is `package.module`, `package.module:attribute`, `path/file.py` or `path/file.py:attribute`; a
    relative path is taken from `folder`. Loading runs the module's code.

    Raises:
        CatalogRejected: no such module, file or attribute, code that fails, no tools, or a name used twice.
    """
    source, attribute = _split(reference)
    module = _load_file(source, folder) if source.endswith(".py") else _load_module(source)
    if attribute:
        found = cast("object", getattr(module, attribute, None))
        if not isinstance(found, FunctionTool):
            raise CatalogRejected(
                f"'{reference}': '{attribute}' is not a tool of '{source}'",
                remedy="Name a function that the @tool decorator stands above.",
            )
        return (found,)
    return _all_of(module, reference)


def entry_point_tools(entry: EntryPoint) -> tuple[FunctionTool, ...]:
    """Load the tools of an entry point: a module with tools, one tool, or a list or tuple of them.

    Raises:
        CatalogRejected: no such module or attribute, code that fails, no tools, or a name used twice.
    """
    try:
        found: object = entry.load()
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:  # a package that ends the program is one that fails
        raise _cannot_load(entry.value, error) from error
    return _all_of(found, entry.value)


def _all_of(holder: object, reference: str) -> tuple[FunctionTool, ...]:
    """Take the tools that a value holds, in their order."""
    values: Iterable[object] = (holder,)
    if isinstance(holder, ModuleType):
        values = cast("Iterable[object]", vars(holder).values())
    elif isinstance(holder, list | tuple):
        values = cast("Iterable[object]", holder)
    tools = _distinct(value for value in values if isinstance(value, FunctionTool))
    if not tools:
        raise CatalogRejected(
            f"'{reference}' defines no tools", remedy="Put the @tool decorator above its functions."
        )
    check_names(tools)
    return tools


def check_names(tools: Iterable[FunctionTool]) -> None:
    """Refuse tools that share a name.

    Raises:
        CatalogRejected: naming both functions with file and line.
    """
    seen: dict[str, FunctionTool] = {}
    for tool in tools:
        earlier = seen.setdefault(tool.spec.name, tool)
        if earlier is not tool:
            raise CatalogRejected(
                f"tool '{tool.spec.name}' is declared twice: function '{_named(earlier)}' at"
                f" {earlier.declared_at} and function '{_named(tool)}' at {tool.declared_at}",
                remedy="Give each tool a name of its own.",
            )


def _named(tool: FunctionTool) -> str:
    return getattr(tool.function, "__qualname__", "?")


def _split(reference: str) -> tuple[str, str]:
    head, colon, tail = reference.rpartition(":")
    if colon and tail.isidentifier():
        return head, tail
    return reference, ""


def _distinct(tools: Iterable[FunctionTool]) -> tuple[FunctionTool, ...]:
    return tuple({id(tool): tool for tool in tools}.values())


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ConfigurationError:
        raise
    except Exception as error:
        raise _cannot_load(name, error) from error


def _load_file(source: str, folder: Path) -> ModuleType:
    path = (folder / Path(source).expanduser()).resolve()
    if not path.is_file():
        raise CatalogRejected(
            f"'{source}' is not a file (looked at {path})", remedy="Give the path of a Python file."
        )
    name = f"planwarden_tools_{digest(str(path)).removeprefix('sha256:')[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CatalogRejected(f"'{path}' cannot be loaded as Python", remedy="Give the path of a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # type annotations are looked up here
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        if isinstance(error, ConfigurationError):
            raise
        raise _cannot_load(str(path), error) from error
    return module


def _cannot_load(source: str, error: BaseException) -> CatalogRejected:
    line = ""
    trace = error.__traceback__
    while trace is not None:
        line = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
        trace = trace.tb_next
    return CatalogRejected(
        f"'{source}' cannot be loaded: {type(error).__name__}: {error}{line}",
        remedy="Mend the module; `python -c 'import ...'` shows the same error.",
    )
