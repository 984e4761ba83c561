"""A run in processes that are really killed: started as a script, it forks one process per line it reads.

The imports are paid for once; each fork is a process of its own, with its own journal connection, and dies of
a real SIGKILL. A line is JSON: what to do, in which folder, where to strike; it answers with one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import RunState, final_answer
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.contracts.value import Json
from planwarden.journal.owner import is_dead, this_process
from planwarden.journal.port import Journal
from planwarden.journal.sqlite import SqliteJournal
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.runtime.asking import AgentSettings
from planwarden.testing.counting_ids import CountingIds
from planwarden.testing.failing_journal import FailingJournal, Moment, kill_nine
from planwarden.testing.scripted_llm import FunctionLLM, asking
from planwarden.testing.stage import Stage, plan_of
from planwarden.testing.ticking_clock import TickingClock
from planwarden.tools.data_sources import DataSources
from planwarden.tools.domains.files import file_tools
from planwarden.tools.function import tool
from planwarden.tools.tool import Tool, ToolContext, Verification

ANSWER = "ANSWER "
"""Begins each line that is meant for the test."""
WRITTEN = {"path": "out.txt", "content": "the number is 12\n"}
ANSWERS = {
    "[s1.1] look": "It says 12 [s1.1].",
    "[s2.1] files.write": "Saved [s2.1].",
    "[s3.1] tell": "Told them [s3.1].",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to do."""

    folder: str
    verb: str = "run"
    """`run`, `resume`, or a resolution: `done`, `not_done`."""
    at: int = 0
    """Number of the write to be killed at; 0 for none."""
    when: Moment = "before"
    tool: str = ""
    """The tool to be killed around, right before or right after its effect."""
    free: bool = False
    """Whether the model drives its steps by native tool calls."""


class DeadlyTool:
    """Kills its process right before or right after the wrapped tool's effect."""

    def __init__(self, wrapped: Tool, when: Moment) -> None:
        self._wrapped = wrapped
        self._when = when

    @property
    def spec(self) -> Any:
        return self._wrapped.spec

    async def invoke(self, arguments: Mapping[str, Json], context: ToolContext) -> Json:
        if self._when == "before":
            kill_nine()
        await self._wrapped.invoke(arguments, context)
        kill_nine()
        return None

    async def verify(self, arguments: Mapping[str, Json], context: ToolContext) -> Verification:
        return await self._wrapped.verify(arguments, context)


def tools_in(folder: Path) -> dict[str, Tool]:
    """Give a reading tool, a writing one that can be asked, and an external one that cannot."""
    workspace = folder / "workspace"
    workspace.mkdir(parents=True, exist_ok=True)

    @tool(name="look", effect="read")
    def look() -> str:
        """Read the number."""
        return "the number is 12"

    @tool(name="tell", effect="external")
    def tell(context: ToolContext) -> str:
        """Tell the others."""
        with (folder / "told.txt").open("a") as stream:
            stream.write(f"{context.idempotency_key}\n")
        return "told"

    _, write = file_tools(DataSources(), workspace, folder / "state")

    return {each.spec.name: each for each in (look, tell, write)}


def reply(request: LLMRequest) -> str:
    if request.output_schema is not None:
        return json.dumps(WRITTEN)
    text = request.messages[-1].content
    return next(answer for evidence, answer in ANSWERS.items() if evidence in text)


def calling(request: LLMRequest) -> LLMReply | str:
    """Ask natively for the planned tool, after one that is not planned; then answer from what it returned."""
    results = [message.content for message in request.messages if message.role == "tool"]
    if results:
        return next(
            answer for evidence, answer in ANSWERS.items() if results[-1].startswith(evidence.split()[0])
        )
    (tool,) = request.tools
    arguments = WRITTEN if tool.name == "files.write" else {}
    return asking(("nowhere", {}), (tool.name, arguments))


PLAN = plan_of(
    PlannedAgentStep(id="s1", agent="worker", tools=("look",)),
    PlannedAgentStep(id="s2", agent="worker", tools=("files.write",)),
    PlannedAgentStep(id="s3", agent="worker", tools=("tell",), depends_on=("s2",)),
)


async def carry_out(order: Order) -> RunState:
    folder = Path(order.folder)
    owner = this_process(f"process-{os.getpid()}")
    clock, ids = TickingClock(), CountingIds()
    sqlite = await SqliteJournal.open(
        folder / "journal.sqlite", clock, ids, is_dead=partial(is_dead, here=owner), lease_s=3600
    )
    journal: Journal = FailingJournal(sqlite, at=order.at, when=order.when, strike=kill_nine)
    tools = tools_in(folder)
    if order.tool:
        tools[order.tool] = DeadlyTool(tools[order.tool], order.when)
    agent = AgentSpec(name="worker", description="Works", tools=tuple(tools))
    llm = FunctionLLM(calling, calls_tools=True) if order.free else FunctionLLM(reply)
    settings = AgentSettings(execution="free" if order.free else "directed")
    stage = Stage(
        agents=(agent,), tools=tools, agent_llm=llm, agent_settings=settings, clock=clock, ids=ids,
        owner=owner, journal=journal,
    )  # fmt: skip
    orchestrator = stage.orchestrator()
    try:
        match order.verb:
            case "run":
                return await orchestrator.route_task(Task(prompt="What is the number?"), PLAN)
            case "resume":
                return await orchestrator.resume("r1")
            case "done" | "not_done":
                return await orchestrator.resolve("r1", order.verb, by="ann")
            case _:
                raise ValueError(order.verb)
    finally:
        faults = await sqlite.verify("r1")
        assert faults == (), faults
        await sqlite.aclose()


def told(state: RunState, folder: Path) -> dict[str, Any]:
    """Say how a run stands, and what is really there."""
    answer = final_answer(state)
    lines = (folder / "told.txt").read_text().splitlines() if (folder / "told.txt").exists() else []
    written = folder / "workspace" / "out.txt"
    return {
        "status": state.status,
        "answer": answer.text if answer else None,
        "evidence": answer.evidence if answer else None,
        "adherence": state.adherence,
        "calls": {call.call.id: call.status for call in state.calls},
        "settled": {call.call.id: call.settled_by for call in state.calls if call.settled_by},
        "attempts": {call.call.id: call.call.attempt for call in state.calls},
        "told": lines,
        "written": written.read_text() if written.exists() else None,
        "replaced": [
            cast("dict[str, Any]", call.value)["replaced"]
            for call in state.calls
            if call.call.tool == "files.write" and call.status == "returned"
        ],
        "seq": state.seq,
    }


def obey(order: Order) -> None:
    """Do as told in this process, and leave the outcome in the folder."""
    folder = Path(order.folder)
    state = asyncio.run(carry_out(order))
    (folder / "outcome.json").write_text(json.dumps(told(state, folder)))


def main() -> None:
    for line in sys.stdin:
        order = Order(**json.loads(line))
        outcome = Path(order.folder) / "outcome.json"
        outcome.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            try:
                obey(order)
            except BaseException as error:  # noqa: BLE001 - this process ends here, and says so
                sys.stderr.write(f"{order}: {error!r}\n")
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        ended = json.loads(outcome.read_text()) if outcome.exists() else None
        sys.stdout.write(ANSWER + json.dumps({"code": code, "outcome": ended}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
