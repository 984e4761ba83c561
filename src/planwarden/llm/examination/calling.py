"""Does native tool calling work?"""

from __future__ import annotations

import json

from planwarden.contracts.finding import Finding
from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import ToolSpec
from planwarden.errors import ToolCallingUnsupported
from planwarden.llm.examination.asked import Asked, object_of

NOTE = ToolSpec(
    name="doctor.note",
    description="Note one word. This is how a word is noted; there is no other way.",
    effect="read",
    parameters=object_of({"word": {"type": "string", "maxLength": 40}}),
)
_DIRECTED = (
    "Nothing has to be done: steps are executed in the directed way, which needs no native tool calls."
)


async def look_at_calling(asked: Asked) -> tuple[Finding, ...]:
    """Offer one tool and ask for its use; only where the model is said to take tools."""
    if not asked.llm.identity.calls_tools:
        detail = "not known to take tools natively; directed execution needs none"
        return (Finding(check="tool calls", status="skipped", detail=detail),)
    try:
        reply = await asked.ask("Note the word lantern with the tool.", tools=(NOTE,), max_output_tokens=256)
    except ToolCallingUnsupported as error:
        return (Finding(check="tool calls", status="bad", detail=error.message, remedy=_DIRECTED),)
    wanted = next((each for each in reply.tool_requests if each.tool == NOTE.name), None)
    if wanted is None:
        detail = f"offered a tool and asked to use it, it wrote {reply.text[:40]!r} instead"
        return (Finding(check="tool calls", status="warning", detail=detail, remedy=_DIRECTED),)
    fault = _arguments_fault(wanted.arguments)
    if fault is not None:
        detail = f"it calls the tool, but with arguments that break its schema: {fault}"
        return (Finding(check="tool calls", status="warning", detail=detail, remedy=_DIRECTED),)
    detail = f"asked for {NOTE.name} with {wanted.arguments[:60]}"
    return (Finding(check="tool calls", status="ok", detail=detail),)


def _arguments_fault(arguments: str) -> str | None:
    try:
        problems = schema_problems(NOTE.parameters, json.loads(arguments))
    except ValueError:
        return "they are not JSON"
    return problems[0] if problems else None
