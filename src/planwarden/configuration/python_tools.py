"""The Python tools that a catalog file brings by `python:`."""

from __future__ import annotations

from planwarden.configuration.catalog_file import LoadedCatalog
from planwarden.errors import CatalogRejected
from planwarden.tools.loading import load_tools
from planwarden.tools.tool import Tool


def load_python_tools(loaded: LoadedCatalog) -> dict[str, Tool]:
    """Load them, by the names under which the file declares them.

    Raises:
        CatalogRejected: a reference that leads nowhere, or to a tool of another name; with its line.
    """
    tools: dict[str, Tool] = {}
    for name, entry in loaded.file.tools.items():
        if entry.python is None:
            continue
        try:
            found = {tool.spec.name: tool for tool in load_tools(entry.python, folder=loaded.folder)}
        except CatalogRejected as error:
            raise loaded.text.mistake(("tools", name, "python"), error.message, error.remedy) from error
        if name not in found:
            names = ", ".join(found)
            raise loaded.text.mistake(
                ("tools", name),
                f"'{entry.python}' holds no tool named '{name}' (it holds: {names})",
                "Use the name that the @tool decorator gives.",
            )
        tools[name] = found[name]
    return tools
