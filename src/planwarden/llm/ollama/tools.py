"""Native tool calls in Ollama's notation: messages to it, requests from it, whether a model takes tools.

Source: Ollama, api/types.go (`Message`, `ToolCall`): arguments are an object, ids may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from planwarden.contracts.model import Message, ToolRequest
from planwarden.contracts.specs import ToolSpec
from planwarden.llm.wire.tools import own_name, wire_name

Object = Mapping[str, object]


def wire_message(message: Message, tools: Sequence[ToolSpec]) -> dict[str, object]:
    """Write one message of a chat in which these tools are offered."""
    wired: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_requests:
        wired["tool_calls"] = [
            {"id": each.id, "function": {"name": wire_name(each.tool, tools), "arguments": _object(each)}}
            for each in message.tool_requests
        ]
    if message.answers is not None:
        wired["tool_name"] = wire_name(message.answers.tool, tools)
        wired["tool_call_id"] = message.answers.id
    return wired


def _object(request: ToolRequest) -> Object:
    """Give arguments as the object that Ollama wants; other things that a model wrote cannot be sent back."""
    try:
        value: object = json.loads(request.arguments)
    except (ValueError, RecursionError):
        return {}
    return cast("Object", value) if isinstance(value, dict) else {}


def read_requests(calls: object, tools: Sequence[ToolSpec], *, before: int) -> list[ToolRequest]:
    """Read the `tool_calls` of one part of a reply.

    Args:
        calls: as the server sent them.
        tools: that were offered.
        before: how many requests the reply had already; names those that come without an id.

    Raises:
        KeyError, TypeError, AttributeError: they are of another form.
    """
    read: list[ToolRequest] = []
    for call in cast("Sequence[Object]", calls):
        function = cast("Object", call["function"])
        name = function["name"]
        if not isinstance(name, str):
            raise TypeError(name)
        arguments = function.get("arguments")
        read.append(
            ToolRequest(
                id=str(call.get("id") or f"call_{before + len(read) + 1}"),
                tool=own_name(name, tools),
                arguments=arguments if isinstance(arguments, str) else _written(arguments),
            )
        )
    return read


def _written(arguments: object) -> str:
    return "" if arguments is None else json.dumps(arguments, ensure_ascii=False)


def takes_tools(model: Object) -> bool | None:
    """Say whether the server lists `tools` among a model's capabilities; None when it lists none at all."""
    listed = model.get("capabilities")
    return "tools" in cast("list[object]", listed) if isinstance(listed, list) else None
