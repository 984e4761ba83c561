"""Tools in the function-calling notation that chat servers share; names as their grammars allow them.

Servers take letters, digits, `_` and `-` in a function's name (OpenAI's rule, at most 64 characters); the
catalog's names hold dots.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from planwarden.contracts.specs import ToolSpec

MOST_NAME_CHARS = 64


def wire_names(specs: Sequence[ToolSpec]) -> dict[str, str]:
    """Give each tool's name on the wire: the tool's own name → wire name, distinct and allowed everywhere."""
    taken: dict[str, str] = {}
    for spec in specs:
        plain = _plain(spec.name)
        name, number = plain, 2
        while name in taken.values():
            name = f"{plain[: MOST_NAME_CHARS - 4]}_{number}"
            number += 1
        taken[spec.name] = name
    return taken


def wire_tools(specs: Sequence[ToolSpec]) -> list[dict[str, object]]:
    """Give the `tools` array of a chat request."""
    names = wire_names(specs)
    return [
        {
            "type": "function",
            "function": {
                "name": names[spec.name],
                "description": spec.description,
                "parameters": spec.parameters,
            },
        }
        for spec in specs
    ]


def wire_name(own_name: str, specs: Sequence[ToolSpec]) -> str:
    """Give the name of a tool in a message, also of one that is not offered any more, or never was."""
    return wire_names(specs).get(own_name) or _plain(own_name) or "unnamed"


def own_name(wire_name: str, specs: Sequence[ToolSpec]) -> str:
    """Give the tool that a wire name stands for; a name that was not offered is given back as it is."""
    return next((own for own, wire in wire_names(specs).items() if wire == wire_name), wire_name)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:MOST_NAME_CHARS]
