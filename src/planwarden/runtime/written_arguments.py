"""Arguments as a model wrote them: read, or the sentence that says what is wrong with them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from planwarden.contracts.facts import CallRefused
from planwarden.contracts.model import ToolRequest
from planwarden.contracts.value import Json


def read_arguments(text: str) -> Mapping[str, Json] | str:
    """Read arguments that a model wrote; a sentence saying what is wrong with text that holds none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"the model's arguments are not JSON: {error}"
    if not isinstance(value, dict):
        return "the model's arguments are not a JSON object"
    return cast("dict[str, Any]", value)


def unreadable(step_id: str, tool: str, message: str) -> CallRefused:
    """Give the refusal of a call whose arguments could not be read."""
    return CallRefused(
        step=step_id, tool=tool, arguments={}, refusal="argument_rejected", verdict=None, message=message
    )


def requested_arguments(request: ToolRequest) -> Mapping[str, Json] | str:
    """Give the arguments of a native request; a sentence saying what is wrong with those that hold none.

    Nothing at all stands for no arguments: several models write that for a tool that takes none.
    """
    return read_arguments(request.arguments) if request.arguments.strip() else {}
