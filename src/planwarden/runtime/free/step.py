"""The loop of a free step: the model asks, the session judges, the model is told, until it answers.

What to do next is decided by `next_turn` from the record alone, so a step resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from planwarden.contracts.facts import ExecutionFell, Fact, StepFailed
from planwarden.contracts.model import ToolRequest
from planwarden.contracts.value import Json
from planwarden.errors import ModelError
from planwarden.runtime.answering import answer_given
from planwarden.runtime.asking import Asker
from planwarden.runtime.binding import bind
from planwarden.runtime.budget import over_token_budget
from planwarden.runtime.context import AgentContext
from planwarden.runtime.free.conversation import work_messages
from planwarden.runtime.free.next_turn import AskModel, Carry, Fall, Say, TurnAction, next_turn
from planwarden.runtime.free.offer import offer
from planwarden.runtime.next_action import Fail, Repeat, Wait
from planwarden.runtime.tool_session import ToolSession, ToolWorld
from planwarden.runtime.written_arguments import requested_arguments, unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeStep:
    """One step, driven by the tool calls of its model."""

    world: ToolWorld
    asker: Asker
    session: ToolSession
    context: AgentContext

    async def carry_out(self) -> None:
        """Take the step as far as it goes: answered, failed, waiting for a person, or fallen to directed.

        Raises:
            LeaseLost: this process does not own the run any more.
        """
        recorder = self.asker.recorder
        limits = recorder.state.started.task.limits
        going_on = True
        while going_on and recorder.state.cancelled_by is None:
            step = recorder.state.steps[self.context.planned.id]
            action = over_token_budget(recorder.state) or next_turn(step, limits)
            going_on = await self._act(action)

    async def _act(self, action: TurnAction) -> bool:
        """Do one thing; say whether the step goes on free."""
        step_id = self.context.planned.id
        match action:
            case AskModel():
                return await self._ask()
            case Carry(request=request):
                return await self._carry(request)
            case Repeat(call=call):
                await self.session.call(call.tool, call.arguments)
                return True
            case Say(text=text):
                return await self._end(answer_given(self.asker, self.context, text))
            case Fall(reason=reason, message=message):
                return await self._end(ExecutionFell(step=step_id, reason=reason, message=message))
            case Fail(code=code, message=message):
                return await self._end(StepFailed(step=step_id, code=code, message=message))
            case Wait():
                return False

    async def _end(self, fact: Fact) -> bool:
        await self.asker.recorder.record(fact)
        return False

    async def _ask(self) -> bool:
        state = self.asker.recorder.state
        step_id = self.context.planned.id
        offered = offer(state, self.world, step_id)
        if offered.problem:
            return await self._end(StepFailed(step=step_id, code="binding_failed", message=offered.problem))
        messages = work_messages(self.context, state.steps[step_id])
        with suppress(ModelError):  # it is on record: `next_turn` says what follows
            await self.asker.ask("work", messages, tools=offered.tools, earlier=self.context.exchanges)
        return True

    async def _carry(self, request: ToolRequest) -> bool:
        step_id = self.context.planned.id
        arguments = requested_arguments(request)
        if isinstance(arguments, str):
            await self.asker.recorder.record(unreadable(step_id, request.tool[:200], arguments))
            return True
        fixed = self._bound(request.tool)
        if isinstance(fixed, str):
            return await self._end(StepFailed(step=step_id, code="binding_failed", message=fixed))
        await self.session.call(request.tool, {**arguments, **fixed})
        return True

    def _bound(self, asked_for: str) -> Mapping[str, Json] | str:
        """Give the arguments that the plan fixes for a tool; why they cannot be had."""
        name = self.world.catalog.canonical(asked_for)
        spec = self.world.catalog.tools.get(name)
        if spec is None:
            return {}
        bound = bind(self.asker.recorder.state, self.context.planned, name, spec.parameters)
        return bound.problem or bound.fixed
