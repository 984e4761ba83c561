from __future__ import annotations

import asyncio

import anyio
import pytest

from planwarden.contracts.specs import Effect
from planwarden.runtime.tool_run import Failed, Unclear, run_tool
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.ticking_clock import BEGINNING
from planwarden.tools.tool import ToolContext

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("SOAK-8")]

CONTEXT = ToolContext(run_id="r1", call_id="s1.1", idempotency_key="k", now=BEGINNING)


class Leaving(CannedTool):
    """Raises what ends a program, or a task."""

    def __init__(self, error: BaseException, effect: Effect = "read") -> None:
        super().__init__("leaving", effect=effect)
        self._error = error

    async def invoke(self, arguments: object, context: ToolContext) -> object:
        await anyio.lowlevel.checkpoint()
        raise self._error


@pytest.mark.parametrize("error", [SystemExit(9), asyncio.CancelledError("by the tool")])
async def test_a_tool_that_ends_the_program_or_its_own_task_is_a_failed_call(error: BaseException) -> None:
    read, write = Leaving(error), Leaving(error, "write")
    failed = await run_tool(read, read.spec, {}, CONTEXT)
    assert isinstance(failed, Failed)
    assert failed.failure == "error"
    assert f"'leaving' crashed: {type(error).__name__}" in failed.message
    assert isinstance(await run_tool(write, write.spec, {}, CONTEXT), Unclear)


class Sleeping(CannedTool):
    """Says when it began, and does not end."""

    def __init__(self) -> None:
        super().__init__("sleeping")
        self.began = anyio.Event()

    async def invoke(self, arguments: object, context: ToolContext) -> object:
        self.began.set()
        await anyio.sleep_forever()


async def test_a_call_that_is_really_cancelled_stops_and_is_no_failed_call() -> None:
    tool, outcomes = Sleeping(), list[object]()

    async def call() -> None:
        outcomes.append(await run_tool(tool, tool.spec, {}, CONTEXT))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await tool.began.wait()
        tasks.cancel_scope.cancel()
    assert outcomes == []
    task = asyncio.ensure_future(call())
    tool.began = anyio.Event()
    await tool.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outcomes == []
