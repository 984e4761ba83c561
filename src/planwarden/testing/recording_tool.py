"""A wrapper that notes everything a tool is really asked to do: what it did not note did not happen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.value import Json
from planwarden.tools.tool import Tool, ToolContext, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One real invocation of a tool."""

    tool: str
    arguments: dict[str, Json]
    context: ToolContext


class RecordingTool:
    """Does what the wrapped tool does. Share one `log` between tools to see the order among them."""

    def __init__(self, tool: Tool, log: list[Invocation] | None = None) -> None:
        self._tool = tool
        self._log = log if log is not None else []
        self.verifications: list[ToolContext] = []

    @property
    def spec(self) -> ToolSpec:
        """Give the wrapped tool's spec."""
        return self._tool.spec

    @property
    def invocations(self) -> tuple[Invocation, ...]:
        """Give the invocations of this tool, oldest first."""
        return tuple(each for each in self._log if each.tool == self.spec.name)

    async def invoke(self, arguments: Mapping[str, Json], context: ToolContext) -> Json:
        """Note the invocation, then run the wrapped tool."""
        self._log.append(Invocation(tool=self.spec.name, arguments=dict(arguments), context=context))
        return await self._tool.invoke(arguments, context)

    async def verify(self, arguments: Mapping[str, Json], context: ToolContext) -> Verification:
        """Note the question, then ask the wrapped tool."""
        self.verifications.append(context)
        return await self._tool.verify(arguments, context)


def recording(tools: Iterable[Tool]) -> tuple[dict[str, RecordingTool], list[Invocation]]:
    """Wrap tools; give them by name, and the one log of all their invocations."""
    log: list[Invocation] = []
    return {tool.spec.name: RecordingTool(tool, log) for tool in tools}, log
