"""Carrying out end-to-end tasks and judging what came of them, from the record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from task import EndToEndTask

from planwarden import Planwarden, RunResult, Task
from planwarden.contracts.event import RunEvent
from planwarden.contracts.facts import CallIntended, CallReturned, StepAnswered
from planwarden.contracts.verdict import Denied

DATA = Path(__file__).parent / "data"
MOST_APPROVALS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of one task."""

    task: EndToEndTask
    status: str
    tools: tuple[str, ...]
    """As planned, in order."""
    right_tools: bool
    right_outcome: bool
    breaches: tuple[str, ...]
    """Where tool-first, plan or policy were not kept, or the record does not verify; always to be empty."""
    answer: str


async def carry_out(planwarden: Planwarden, task: EndToEndTask) -> Judgement:
    """Run a task to its end, approving what waits for a person, and judge it."""
    workspace = planwarden.settings.workspace
    for name, content in (task.files or {}).items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(content, "utf-8")
    data = () if task.data == "samples" else (str(DATA / task.data),)
    result = await planwarden.route_task(Task(prompt=task.prompt, data=data))
    for _ in range(MOST_APPROVALS):
        if result.status == "waiting":
            result = await planwarden.resolve(result.run_id, "approve", by="judge")
    events = await (await planwarden.journal()).read(result.run_id)
    breaches = [
        *_breaches(result, events),
        *(fault.problem for fault in await planwarden.record.verify(result.run_id)),
    ]
    world = await planwarden.world(data)
    breaches += [
        f"{tool} was called although policy denies it to {step.planned.agent}"
        for step in result.state.steps.values()
        for tool in dict.fromkeys(call.call.tool for call in step.calls)
        if isinstance(world.policy.decide(step.planned.agent, tool), Denied)
    ]
    tools = tuple(tool for step in (result.plan.steps if result.plan else ()) for tool in step.tools)
    answer = result.answer.text if result.answer else ""
    return Judgement(
        task=task,
        status=result.status,
        tools=tools,
        right_tools=tools == tuple(step.tool for step in task.steps),
        right_outcome=result.status == "completed" and not _missing(task, answer, workspace),
        breaches=tuple(breaches),
        answer=answer,
    )


def _missing(task: EndToEndTask, answer: str, workspace: Path) -> list[str]:
    """Give what the outcome should show and does not."""
    plain = answer.replace(",", "")
    missing = [
        text
        for step in task.steps
        for text in step.shows
        if text.replace(",", "").lower() not in plain.lower()
    ]
    for name, content in (task.written or {}).items():
        path = workspace / name
        if not path.is_file() or path.read_text("utf-8").strip() != content:
            missing.append(name)
    return missing


def _breaches(result: RunResult, events: Sequence[RunEvent]) -> Iterable[str]:
    """Give each call outside the plan, and each answer before a tool succeeded."""
    steps = result.state.steps
    succeeded: set[str] = set()
    for event in events:
        match event.fact:
            case CallIntended(call=call):
                planned = steps[call.step].planned
                if call.tool not in (*planned.tools, *planned.fallback_tools):
                    yield f"{call.tool} was called in {call.step}, which does not plan it"
            case CallReturned(call_id=call_id):
                succeeded.add(call_id.rpartition(".")[0])
            case StepAnswered(step=step) if steps[step].planned.tools and step not in succeeded:
                yield f"{step} was answered before any of its tools had succeeded"
            case _:
                pass


def table(judgements: Sequence[Judgement]) -> str:
    """Write what came of the tasks, an agent a line, then each task that came out wrong."""
    agents = list(dict.fromkeys(each.task.agent for each in judgements))
    lines = [f"{'agent':18} {'tasks':>5} {'tools right':>11} {'outcome right':>13} {'tool-first kept':>15}"]
    for agent in [*agents, "all"]:
        mine = [each for each in judgements if agent in (each.task.agent, "all")]
        right, done = sum(each.right_tools for each in mine), sum(each.right_outcome for each in mine)
        kept = sum(not each.breaches for each in mine)
        lines.append(f"{agent:18} {len(mine):5} {right:11} {done:13} {kept:15}")
    for each in judgements:
        if not each.right_outcome:
            said = " ".join(each.answer.split())[:90]
            lines.append(
                f"  {each.task.name}: {each.status}, planned {', '.join(each.tools) or 'none'}: {said}"
            )
    return "\n".join(lines)
