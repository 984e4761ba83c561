"""What tests of free execution share: a model that asks for what it is told to, and the runs it drives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from door import a_stage

from planwarden.contracts.facts import ModelAnswered
from planwarden.contracts.model import ModelExchange
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.run import RunState
from planwarden.contracts.task import Task, TaskLimits
from planwarden.contracts.value import Json
from planwarden.errors import ModelError
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.runtime.asking import AgentSettings
from planwarden.testing.recording_tool import Invocation
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage, plan_of

DIRECTED_SAYS = "Directed says so."
NONE: dict[str, Json] = {}
FREE = AgentSettings(execution="free")


def is_work(request: LLMRequest) -> bool:
    """Say whether this is a turn of free execution."""
    return "by calling the tools you are offered" in request.messages[0].content


class Caller(FunctionLLM):
    """Takes its turns as given, the last one again and again; when directed, fills in and answers plainly."""

    def __init__(self, *turns: str | LLMReply | ModelError) -> None:
        self.turns = list(turns)
        super().__init__(self._reply, calls_tools=True)

    def _reply(self, request: LLMRequest) -> str | LLMReply | ModelError:
        if not is_work(request):
            return DIRECTED_SAYS if request.output_schema is None else '{"text":"x"}'
        return self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]

    @property
    def work(self) -> list[LLMRequest]:
        """Give the turns that were asked for."""
        return [request for request in self.requests if is_work(request)]


def free_stage(llm: FunctionLLM, **given: Any) -> tuple[Stage, list[Invocation]]:
    return a_stage(agent_llm=llm, agent_settings=FREE, **given)


async def driven(stage: Stage, step: PlannedAgentStep, **limits: Any) -> RunState:
    """Carry out one step; its record folds to its state, and verifies."""
    task = Task(prompt="Do it.", limits=TaskLimits(**limits))
    state = await stage.orchestrator().route_task(task, plan_of(step))
    assert await stage.state(state.run_id) == state
    assert await stage.record.verify(state.run_id) == ()
    return state


def told(request: LLMRequest) -> list[str]:
    """Give what the model was told of its calls."""
    return [message.content for message in request.messages if message.role == "tool"]


def names(ran: Sequence[Invocation]) -> list[str]:
    return [each.tool for each in ran]


def fell(state: RunState) -> str | None:
    fact = state.steps["s1"].fell
    return fact.reason if fact else None


async def exchanges(stage: Stage, run_id: str) -> list[ModelExchange]:
    events = await stage.record.read(run_id)
    return [event.fact.exchange for event in events if isinstance(event.fact, ModelAnswered)]
