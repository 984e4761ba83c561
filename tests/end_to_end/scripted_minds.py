"""Models that plan, fill in and answer end-to-end tasks as a capable model would, by each task's script."""

from __future__ import annotations

import json
import re

from task import EndToEndTask, Wanted
from tasks import TASKS

from planwarden.llm.service import LLMRequest

AGENT_OF = {
    "creative": "creative_agent",
    "data": "enterprise_agent",
    "enterprise": "enterprise_agent",
    "finance": "finance_agent",
    "research": "research_agent",
    "utils": "general_agent",
    "files.read": "general_agent",
    "files.write": "enterprise_agent",
}


def answer(request: LLMRequest) -> str:
    """Reply to the planner's question, to one for arguments, or to one for an answer."""
    told = request.messages[0].content
    asked = next(each.content for each in reversed(request.messages) if _tasks_in(each.content))
    task = max(_tasks_in(asked), key=lambda each: len(each.prompt))
    filling = re.match(r"Fill in the arguments of the tool (\S+) ", told)
    if filling:
        wanted = next(step for step in task.steps if step.tool == filling[1])
        return json.dumps(wanted.arguments)
    if request.output_schema is not None:
        return json.dumps({"plan": _items(task, told), "why": "it fits"})
    return _prose(asked, task)


def _tasks_in(text: str) -> list[EndToEndTask]:
    return [task for task in TASKS if task.prompt in text]


def _items(task: EndToEndTask, told: str) -> list[str]:
    """Spell the steps, each using the result of the one before; with an agent where the prompt names one."""
    return [
        f"{_agent(wanted, told)}{wanted.tool}{f'<{place}' if place else ''}"
        for place, wanted in enumerate(task.steps)
    ]


def _agent(wanted: Wanted, told: str) -> str:
    agent = AGENT_OF.get(wanted.tool) or AGENT_OF[wanted.tool.split(".")[0]]
    return f"{agent}/" if f"{agent}/{wanted.tool}" in told else ""


def _prose(asked: str, task: EndToEndTask) -> str:
    """Write what the evidence says, each line with its call."""
    found = re.findall(r"^\[(s\d+\.\d+)\] \S+: (.*(?:\n(?!\[|Request:).*)*)", asked, re.MULTILINE)
    said = [f"{text.strip()} [{call}]" for call, text in found]
    known = re.search(r"Known from earlier steps:\n(.*?)\nEvidence:", asked, re.DOTALL)
    return "\n".join([*([known[1]] if known else []), *said]) or f"Nothing was found for: {task.prompt}"
