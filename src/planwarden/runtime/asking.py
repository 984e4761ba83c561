"""Asking the model of one step: settings applied, each exchange on record, whatever comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from planwarden.contracts.conversation import turns
from planwarden.contracts.facts import ModelAnswered
from planwarden.contracts.model import (
    AnswerStyle,
    ArgumentStyle,
    Message,
    ModelExchange,
    Purpose,
    ToolRequest,
)
from planwarden.contracts.specs import Execution, JsonSchema, ToolSpec
from planwarden.contracts.task import Exchange
from planwarden.contracts.value import storable
from planwarden.errors import ModelError, PromptTooLong
from planwarden.llm.fitting import Fitted, assumed_per_byte, fit, room_beside
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, Question
from planwarden.runtime.recorder import Recorder

NumberRule = Literal["flag", "render", "fail"]
"""What becomes of prose with numbers without evidence: flagged, replaced by the evidence, refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The knobs of agents' models."""

    temperature: float = 0.0
    seed: int = 7
    max_output_tokens: int = 512
    timeout_s: float = 120.0
    num_ctx: int = 4096
    """Of the agents' models, in tokens."""
    unsupported_numbers: NumberRule = "flag"
    execution: Execution = "directed"
    """Of agents that say nothing themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentModels:
    """Which model each agent works with."""

    default: LLMService
    own: Mapping[str, LLMService] = field(default_factory=dict[str, LLMService])
    """Agent → model, for agents that have one of their own."""
    settings: Mapping[str, AgentSettings] = field(default_factory=dict[str, AgentSettings])
    """Agent → knobs, for the same agents."""

    def of(self, agent: str) -> LLMService:
        """Give the model of this agent."""
        return self.own.get(agent, self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks the model of one step."""

    llm: LLMService
    settings: AgentSettings
    recorder: Recorder
    step: str

    @property
    def style(self) -> AnswerStyle:
        """Say whether the model's prose is used, or answers are rendered from evidence."""
        return self.llm.identity.answer_style

    def style_of(self, reply: LLMReply) -> AnswerStyle:
        """Say the same of the model that gave this reply, which may be a stand-in."""
        return self.style if reply.answered_by is None else reply.answered_by.answer_style

    def _simplified(self, reply: LLMReply, request: LLMRequest) -> bool:
        by = reply.answered_by
        return request.simpler is not None and by is not None and by.argument_style == "grounded"

    def argument_style_of(self, reply: LLMReply) -> ArgumentStyle:
        """Say how the model that gave this reply, which may be a stand-in, fills in arguments."""
        return self.argument_style if reply.answered_by is None else reply.answered_by.argument_style

    @property
    def argument_style(self) -> ArgumentStyle:
        """Say whether the model fills in arguments freely, or chooses among what the request names."""
        return self.llm.identity.argument_style

    async def ask(
        self,
        purpose: Purpose,
        messages: tuple[Message, ...],
        *,
        schema: JsonSchema | None = None,
        tools: tuple[ToolSpec, ...] = (),
        simpler_schema: JsonSchema | None = None,
        earlier: Sequence[Exchange] = (),
    ) -> LLMReply:
        """Ask once; question and answer, or the error, are on record before this returns.

        As many of the earlier turns as fit are told after the system message, newest first; when the server
        finds them too long all the same, it is asked again with the newer half, down to none.

        Args:
            purpose: what the reply is for.
            messages: the question.
            schema: what the reply is constrained to.
            tools: offered for native calling.
            simpler_schema: what it is constrained to where a stand-in answers that has to be guided.
            earlier: turns of the conversation, oldest first.

        Raises:
            ModelError: the model gave no usable reply.
            LeaseLost: this process does not own the run any more.
        """
        told = self._fitting(messages, tools, earlier)
        while True:
            try:
                return await self._ask(purpose, messages, (schema, simpler_schema), tools, told)
            except PromptTooLong:
                if not told.turns:
                    raise
                told = told.without_oldest()

    def _fitting(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], earlier: Sequence[Exchange]
    ) -> Fitted:
        per_byte = assumed_per_byte(self.recorder.state.tokens_per_byte)
        offered = (Message(role="system", content=tool.model_dump_json()) for tool in tools)
        room = room_beside(
            (*messages, *offered),
            num_ctx=self.settings.num_ctx,
            max_output_tokens=self.settings.max_output_tokens,
            per_byte=per_byte,
        )
        return fit(turns(earlier), room, per_byte)

    async def _ask(
        self,
        purpose: Purpose,
        asked_now: tuple[Message, ...],
        schemas: tuple[JsonSchema | None, JsonSchema | None],
        tools: tuple[ToolSpec, ...],
        told: Fitted,
    ) -> LLMReply:
        settings = self.settings
        schema, simpler_schema = schemas
        messages = _after_system(asked_now, told)
        request = LLMRequest(
            messages=messages,
            output_schema=schema,
            tools=tools,
            max_output_tokens=settings.max_output_tokens,
            temperature=settings.temperature,
            seed=settings.seed,
            timeout_s=settings.timeout_s,
            simpler=Question(messages=messages, output_schema=simpler_schema) if simpler_schema else None,
        )
        asked = ModelExchange(
            purpose=purpose,
            messages=messages,
            output_schema=schema,
            offered_tools=tuple(tool.name for tool in tools),
            turns_left_out=self.recorder.state.started.task.turns_left_out + told.left_out,
            turns_shortened=told.shortened,
            reply=None,
        )
        try:
            reply = await self.llm.complete(request)
        except ModelError as error:
            again = isinstance(error, PromptTooLong) and bool(told.turns)
            failed = asked.model_copy(
                update={"error_code": error.code, "error": str(error), "asked_again": again}
            )
            await self.recorder.record(ModelAnswered(step=self.step, exchange=failed))
            raise
        text = storable(reply.text)
        requests = tuple(
            ToolRequest(id=storable(each.id), tool=storable(each.tool), arguments=storable(each.arguments))
            for each in reply.tool_requests
        )
        said = asked.model_copy(
            update={
                "reply": text,
                "usage": reply.usage,
                "tool_requests": requests,
                "answered_by": reply.answered_by,
                "output_schema": simpler_schema if self._simplified(reply, request) else schema,
            }
        )
        await self.recorder.record(ModelAnswered(step=self.step, exchange=said))
        return LLMReply(text=text, usage=reply.usage, tool_requests=requests, answered_by=reply.answered_by)


def _after_system(messages: tuple[Message, ...], told: Fitted) -> tuple[Message, ...]:
    """Put the earlier turns where they were said: after what the model is told about itself."""
    first = next((place for place, each in enumerate(messages) if each.role != "system"), len(messages))
    earlier = tuple(Message(role=said.role, content=said.content) for said in told.exchanges)
    return (*messages[:first], *earlier, *messages[first:])
