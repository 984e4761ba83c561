"""Directed execution: for each planned tool the model fills in the arguments, the tool runs, then it answers.

What to do next is decided by `next_action` from the record alone, so a step resumes where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

from planwarden.contracts.conversation import requests_before
from planwarden.contracts.facts import StepFailed
from planwarden.contracts.model import ArgumentStyle
from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.errors import ModelError
from planwarden.llm.service import LLMReply
from planwarden.runtime.answering import answer_step
from planwarden.runtime.asking import Asker
from planwarden.runtime.binding import BoundCall, bind
from planwarden.runtime.budget import over_token_budget
from planwarden.runtime.context import AgentContext, arguments_messages
from planwarden.runtime.next_action import Action, Answer, Fail, FillAndCall, Repeat, Wait, next_action
from planwarden.runtime.tool_session import ToolSession, ToolWorld
from planwarden.runtime.written_arguments import read_arguments, unreadable
from planwarden.tools.grounding import grounded_schema, ungrounded, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectedStep:
    """One step, carried out for a model that need not call tools by itself."""

    world: ToolWorld
    asker: Asker
    session: ToolSession
    context: AgentContext

    async def carry_out(self) -> None:
        """Take the step as far as it goes: answered, failed, or waiting for a person; all of it on record.

        Raises:
            LeaseLost: this process does not own the run any more.
        """
        recorder = self.asker.recorder
        limit = recorder.state.started.task.limits.max_refusals_per_step
        going_on = True
        while going_on and recorder.state.cancelled_by is None:
            step = recorder.state.steps[self.context.planned.id]
            action = over_token_budget(recorder.state) or next_action(step, max_refusals=limit)
            going_on = await self._act(action)

    async def _act(self, action: Action) -> bool:
        """Do one thing; say whether the step goes on."""
        recorder = self.asker.recorder
        match action:
            case FillAndCall(tool=tool):
                failure = await self._fill_and_call(tool)
                if failure is not None:
                    await recorder.record(failure)
                return failure is None
            case Repeat(call=call):
                await self.session.call(call.tool, call.arguments)
                return True
            case Answer():
                await recorder.record(await answer_step(self.asker, self.world.catalog, self.context))
                return False
            case Fail(code=code, message=message):
                await recorder.record(StepFailed(step=self.context.planned.id, code=code, message=message))
                return False
            case Wait():
                return False

    async def _fill_and_call(self, tool: str) -> StepFailed | None:
        recorder = self.asker.recorder
        step_id = self.context.planned.id
        spec = self.world.catalog.tools.get(tool)
        if spec is None:  # the catalog changed since the plan was made: the session says so on record
            await self.session.call(tool, {})
            return None
        bound = bind(recorder.state, self.context.planned, tool, spec.parameters)
        if bound.problem:
            return StepFailed(step=step_id, code="binding_failed", message=bound.problem)
        if missing := self._ungrounded(spec, bound, self.asker.argument_style):
            return _made_up(step_id, tool, missing)
        refused = recorder.state.steps[step_id].refused
        told = refused[-1].message if refused and refused[-1].tool == tool else ""
        try:
            reply = await self._fill(tool, bound, told)
        except ModelError as error:
            return StepFailed(step=step_id, code=error.code, message=str(error))
        if reply is not None and (
            missing := self._ungrounded(spec, bound, self.asker.argument_style_of(reply))
        ):
            return _made_up(step_id, tool, missing)
        filled = read_arguments(reply.text if reply is not None else "{}")
        if isinstance(filled, str):
            await recorder.record(unreadable(step_id, tool, filled))
            return None
        await self.session.call(tool, {**filled, **bound.fixed})
        return None

    def _ungrounded(self, spec: ToolSpec, bound: BoundCall, style: ArgumentStyle) -> tuple[str, ...]:
        """Give the open arguments that a small model would have to make up."""
        if style != "grounded":
            return ()
        return ungrounded(bound.open_schema, self._grounded(spec, bound.open_schema))

    def _grounded(self, spec: ToolSpec, schema: JsonSchema) -> JsonSchema:
        """Narrow a schema to what this request speaks of, and those before it where it leans on them."""
        earlier = requests_before(self.context.exchanges)
        return grounded_schema(schema, self.context.prompt, earlier, words_of(spec))

    async def _fill(self, tool: str, bound: BoundCall, told: str) -> LLMReply | None:
        """Ask for the open arguments; None where there are none."""
        if not bound.open_schema.get("properties"):
            return None
        own = self.world.catalog.tools[tool]
        grounded = self._grounded(own, bound.open_schema)
        schema = grounded if self.asker.argument_style == "grounded" else bound.open_schema
        spec = own.model_copy(update={"parameters": schema})
        messages = arguments_messages(self.context, spec, told)
        return await self.asker.ask(
            "arguments", messages, schema=schema, simpler_schema=grounded, earlier=self.context.exchanges
        )


def _made_up(step_id: str, tool: str, missing: tuple[str, ...]) -> StepFailed:
    message = f"the request names no value for {', '.join(missing)} of '{tool}'"
    return StepFailed(step=step_id, code="argument_ungrounded", message=message)
