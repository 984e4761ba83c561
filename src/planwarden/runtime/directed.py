"""Directed execution: for each planned tool the model fills in the arguments, the tool runs, then it answers.

What to do next is decided by `next_action` from the record alone, so a step resumes where it stopped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.facts import CallRefused, ModelAnswered, StepAnswered, StepFailed, StepStarted
from planwarden.contracts.model import Message, ModelExchange, Purpose
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json
from planwarden.errors import ModelError
from planwarden.llm.service import LLMRequest, LLMService
from planwarden.runtime.answer import checked_prose, render_from_evidence, returned_calls
from planwarden.runtime.binding import BoundCall, bind
from planwarden.runtime.context import AgentContext, answer_messages, arguments_messages, context_for
from planwarden.runtime.next_action import Action, Answer, Fail, FillAndCall, Repeat, Wait, next_action
from planwarden.runtime.recorder import Recorder
from planwarden.runtime.tool_session import ToolSession, ToolWorld, open_session
from planwarden.tools.grounding import grounded_schema, ungrounded

SHORT_ANSWER: JsonSchema = {
    "type": "object",
    "properties": {"answer": {"type": "string", "maxLength": 240}},
    "required": ["answer"],
    "additionalProperties": False,
}
"""Bounds the prose of a model whose prose does not end by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The knobs of agents' models."""

    temperature: float = 0.0
    seed: int = 7
    max_output_tokens: int = 512
    timeout_s: float = 120.0


class DirectedRuntime:
    """Carries out one step at a time for agents whose model cannot call tools by itself."""

    def __init__(self, llm: LLMService, settings: AgentSettings, world: ToolWorld) -> None:
        self._llm = llm
        self._settings = settings
        self._world = world

    async def run_step(self, recorder: Recorder, step_id: str) -> None:
        """Take a step as far as it goes: answered, failed, or waiting for a person; all of it on record.

        Raises:
            LeaseLost: this process does not own the run any more.
        """
        state = recorder.state
        if state.steps[step_id].status == "pending":
            agent = state.steps[step_id].planned.agent
            state = await recorder.record(StepStarted(step=step_id, agent=agent))
        session = open_session(self._world, recorder, step_id)
        context = context_for(state, self._world.catalog, step_id)
        limit = state.started.task.limits.max_refusals_per_step
        going_on = True
        while going_on and recorder.state.cancelled_by is None:
            spent = _over_token_budget(recorder)
            action = spent or next_action(recorder.state.steps[step_id], max_refusals=limit)
            going_on = await self._act(action, recorder, session, context)

    async def _act(
        self, action: Action, recorder: Recorder, session: ToolSession, context: AgentContext
    ) -> bool:
        """Do one thing; say whether the step goes on."""
        match action:
            case FillAndCall(tool=tool):
                failure = await self._fill_and_call(recorder, session, context, tool)
                if failure is not None:
                    await recorder.record(failure)
                return failure is None
            case Repeat(call=call):
                await session.call(call.tool, call.arguments)
                return True
            case Answer():
                await recorder.record(await self._answer(recorder, context))
                return False
            case Fail(code=code, message=message):
                await recorder.record(StepFailed(step=context.planned.id, code=code, message=message))
                return False
            case Wait():
                return False

    async def _fill_and_call(
        self, recorder: Recorder, session: ToolSession, context: AgentContext, tool: str
    ) -> StepFailed | None:
        step_id = context.planned.id
        spec = self._world.catalog.tools.get(tool)
        if spec is None:  # the catalog changed since the plan was made: the session says so on record
            await session.call(tool, {})
            return None
        bound = bind(recorder.state, context.planned, tool, spec.parameters)
        if bound.problem:
            return StepFailed(step=step_id, code="binding_failed", message=bound.problem)
        if missing := self._ungrounded(context, bound):
            message = f"the request names no value for {', '.join(missing)} of '{tool}'"
            return StepFailed(step=step_id, code="argument_ungrounded", message=message)
        refused = recorder.state.steps[step_id].refused
        told = refused[-1].message if refused and refused[-1].tool == tool else ""
        try:
            filled = await self._fill(recorder, context, tool, bound, told)
        except ModelError as error:
            return StepFailed(step=step_id, code=error.code, message=str(error))
        if isinstance(filled, str):
            await recorder.record(_unreadable(step_id, tool, filled))
            return None
        await session.call(tool, {**filled, **bound.fixed})
        return None

    def _ungrounded(self, context: AgentContext, bound: BoundCall) -> tuple[str, ...]:
        """Give the open arguments that a small model would have to make up."""
        if self._llm.identity.answer_style != "evidence":
            return ()
        return ungrounded(bound.open_schema, grounded_schema(bound.open_schema, context.prompt))

    async def _fill(
        self, recorder: Recorder, context: AgentContext, tool: str, bound: BoundCall, told: str
    ) -> Mapping[str, Json] | str:
        """Give the open arguments; a sentence saying what is wrong with a reply that holds none."""
        if not bound.open_schema.get("properties"):
            return {}
        schema = bound.open_schema
        if self._llm.identity.answer_style == "evidence":
            schema = grounded_schema(schema, context.prompt)
        spec = self._world.catalog.tools[tool].model_copy(update={"parameters": schema})
        messages = arguments_messages(context, spec, told)
        reply = await self._ask(recorder, context, "arguments", messages, schema)
        try:
            value = json.loads(reply)
        except (ValueError, RecursionError) as error:
            return f"the model's arguments are not JSON: {error}"
        if not isinstance(value, dict):
            return "the model's arguments are not a JSON object"
        return cast("dict[str, Any]", value)

    async def _answer(self, recorder: Recorder, context: AgentContext) -> StepAnswered | StepFailed:
        state = recorder.state
        step_id = context.planned.id
        calls = returned_calls([state.steps[step_id]])
        plan = state.decision.plan if state.decision else None
        if plan is not None and plan.metadata.way_out == "ask_user":
            return StepAnswered(step=step_id, answer=_question(self._world))
        if self._llm.identity.answer_style == "evidence" and calls:
            return StepAnswered(step=step_id, answer=render_from_evidence(context.inputs, calls))
        short = self._llm.identity.answer_style == "evidence"
        schema = SHORT_ANSWER if short else None
        try:
            reply = await self._ask(recorder, context, "answer", answer_messages(context, calls), schema)
        except ModelError as error:
            return StepFailed(step=step_id, code=error.code, message=str(error))
        text = _short_answer(reply) if short else reply
        answer = checked_prose(text, context.inputs, calls, context.prompt)
        return StepAnswered(step=step_id, answer=answer)

    async def _ask(
        self,
        recorder: Recorder,
        context: AgentContext,
        purpose: Purpose,
        messages: tuple[Message, ...],
        schema: JsonSchema | None,
    ) -> str:
        settings = self._settings
        request = LLMRequest(
            messages=messages,
            output_schema=schema,
            max_output_tokens=settings.max_output_tokens,
            temperature=settings.temperature,
            seed=settings.seed,
            timeout_s=settings.timeout_s,
        )
        step_id = context.planned.id
        asked = ModelExchange(purpose=purpose, messages=messages, output_schema=schema, reply=None)
        try:
            reply = await self._llm.complete(request)
        except ModelError as error:
            told = asked.model_copy(update={"error_code": error.code, "error": str(error)})
            await recorder.record(ModelAnswered(step=step_id, exchange=told))
            raise
        text = reply.text.encode("utf-8", "replace").decode()  # half a character pair could not be recorded
        said = asked.model_copy(update={"reply": text, "usage": reply.usage})
        await recorder.record(ModelAnswered(step=step_id, exchange=said))
        return text


def _over_token_budget(recorder: Recorder) -> Fail | None:
    state = recorder.state
    limit = state.started.task.limits.max_tokens
    spent = state.usage.prompt_tokens + state.usage.output_tokens
    if spent <= limit:
        return None
    return Fail(code="budget_exceeded", message=f"{spent} tokens spent, the run's budget is {limit}")


def _short_answer(text: str) -> str:
    """Take the whole sentences of a bounded answer, each once: small models repeat themselves and are cut."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    answer = str(cast("dict[str, Any]", value).get("answer", text)) if isinstance(value, dict) else text
    sentences = dict.fromkeys(re.findall(r"[^.!?。！？]+[.!?。！？]+", answer))
    return "".join(sentences).strip() or answer


def _unreadable(step_id: str, tool: str, message: str) -> CallRefused:
    return CallRefused(
        step=step_id, tool=tool, arguments={}, refusal="argument_rejected", verdict=None, message=message
    )


def _question(world: ToolWorld) -> StepAnswer:
    offers = "\n".join(f"- {agent.description}" for agent in world.catalog.agents.values() if agent.tools)
    text = f"It is not clear what to do here. Please say more. What can be done:\n{offers}"
    return StepAnswer(text=text, style="question", grounded=False)
