"""A tool that gives what it was told to give, one thing after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from planwarden.contracts.specs import Effect, JsonSchema, ToolSpec
from planwarden.contracts.value import Json
from planwarden.tools.tool import ToolContext, Unknown, Verification

ONE_TEXT: JsonSchema = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
NO_ARGUMENTS: JsonSchema = {"type": "object", "properties": {}, "additionalProperties": False}


class CannedTool:
    """Gives its results in turn, the last one again and again; an exception among them is raised."""

    def __init__(
        self,
        name: str,
        *results: Json | Exception,
        effect: Effect = "read",
        parameters: JsonSchema = NO_ARGUMENTS,
        output: JsonSchema | Literal["opaque"] = "opaque",
        says: Verification | Exception | None = None,
    ) -> None:
        """Take the results; `says` is what it answers when asked whether a call was done."""
        self._results = list(results) or [{"text": f"{name} says so"}]
        self._says = says
        self._spec = ToolSpec(
            name=name,
            description=f"Do what {name} does",
            effect=effect,
            parameters=parameters,
            output=output,
            verifiable=says is not None,
        )

    @property
    def spec(self) -> ToolSpec:
        """Give the spec."""
        return self._spec

    async def invoke(self, arguments: Mapping[str, Json], context: ToolContext) -> Json:  # noqa: ARG002 - it is canned
        """Give the next result, or raise it."""
        result = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        if isinstance(result, Exception):
            raise result
        return result

    async def verify(self, arguments: Mapping[str, Json], context: ToolContext) -> Verification:  # noqa: ARG002
        """Say whether the call was done, or raise."""
        if isinstance(self._says, Exception):
            raise self._says
        return self._says if self._says is not None else Unknown(reason="it was not told")
