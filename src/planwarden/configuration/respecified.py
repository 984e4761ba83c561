"""A wrapper: the same tool under a changed declaration (description, alternatives, examples, time-out)."""

from __future__ import annotations

from collections.abc import Mapping

from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.value import Json
from planwarden.tools.tool import Tool, ToolContext, Verification


class RespecifiedTool:
    """Runs another tool; says something else about it."""

    def __init__(self, tool: Tool, spec: ToolSpec) -> None:
        self._tool = tool
        self._spec = spec

    @property
    def spec(self) -> ToolSpec:
        """Give the changed declaration."""
        return self._spec

    async def invoke(self, arguments: Mapping[str, Json], context: ToolContext) -> Json:
        """Run the wrapped tool."""
        return await self._tool.invoke(arguments, context)

    async def verify(self, arguments: Mapping[str, Json], context: ToolContext) -> Verification:
        """Ask the wrapped tool."""
        return await self._tool.verify(arguments, context)
