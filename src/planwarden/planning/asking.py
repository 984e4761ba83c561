"""Asking the planner model: what does not fit is shortened by rule, what was said is kept for the record."""

from __future__ import annotations

from dataclasses import replace

from planwarden.contracts.conversation import turns
from planwarden.contracts.model import Message, ModelExchange, Purpose
from planwarden.contracts.task import Task
from planwarden.contracts.value import storable
from planwarden.errors import ModelError, PromptTooLong
from planwarden.llm.fitting import Fitted, assumed_per_byte, fit, room_beside
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, Question
from planwarden.planning.attempt import Attempt, PlannerSettings
from planwarden.planning.notation.schema import wire_schema
from planwarden.planning.prompt import build_prompt, within_budget

TOP_LOGPROBS = 20
"""Alternatives per token; Ollama gives no more."""


class PlannerQuestions:
    """Questions to one planner model; learns how dense its prompts are."""

    def __init__(self, llm: LLMService, settings: PlannerSettings) -> None:
        """Take the model and the knobs."""
        self._llm = llm
        self._settings = settings
        self._tokens_per_byte = 0.0
        """The highest that was measured."""

    async def ask(
        self, attempt: Attempt, purpose: Purpose, more: tuple[Message, ...]
    ) -> tuple[LLMReply, Question]:
        """Send the prompt; one that does not fit is shortened by rule.

        First the conversation, oldest turns first, then tools and examples; `attempt.spec` is left as sent.

        Raises:
            PromptTooLong: it does not fit with one tool and no example either.
            ModelError: there is no usable reply.
        """
        attempt.spec = within_budget(attempt.spec, attempt.catalog, self._settings.prompt_budget)
        told = self._fitting(attempt.task, self._question(attempt, more, Fitted()).messages)
        while True:
            question = self._question(attempt, more, told)
            try:
                return await self._exchange(attempt, purpose, question, told), question
            except PromptTooLong:
                if told.turns:
                    told = told.without_oldest()
                elif attempt.spec.examples or len(attempt.spec.offer.tools) > 1:
                    attempt.spec = attempt.spec.halved()
                else:
                    raise

    def _question(self, attempt: Attempt, more: tuple[Message, ...], told: Fitted) -> Question:
        prompt = build_prompt(attempt.task, attempt.catalog, attempt.spec, told.exchanges)
        schema = wire_schema(attempt.spec.offer, with_reason=attempt.spec.with_reason)
        return Question(messages=(*prompt, *more), output_schema=schema)

    def _fitting(self, task: Task, beside: tuple[Message, ...]) -> Fitted:
        """Give as much of the conversation as fits beside a prompt, within the planner's share."""
        settings, per_byte = self._settings, assumed_per_byte(self._tokens_per_byte)
        room = room_beside(
            beside,
            num_ctx=settings.num_ctx,
            max_output_tokens=settings.max_output_tokens,
            per_byte=per_byte,
        )
        share = int(settings.num_ctx * settings.conversation_share)
        return fit(turns(task.exchanges), min(room, share), per_byte)

    async def _exchange(
        self, attempt: Attempt, purpose: Purpose, question: Question, told: Fitted
    ) -> LLMReply:
        settings = self._settings
        request = LLMRequest(
            messages=question.messages,
            output_schema=question.output_schema,
            max_output_tokens=settings.max_output_tokens,
            temperature=settings.temperature,
            seed=settings.seed,
            top_logprobs=TOP_LOGPROBS,
            reuse_prompt=settings.reuse_prompt,
            timeout_s=settings.timeout_s,
        )
        asked = ModelExchange(
            purpose=purpose,
            messages=question.messages,
            output_schema=question.output_schema,
            turns_left_out=attempt.task.turns_left_out + told.left_out,
            turns_shortened=told.shortened,
            reply=None,
        )
        try:
            reply = await self._llm.complete(request)
        except ModelError as error:
            failed = {"error_code": error.code, "error": str(error)}
            attempt.exchanges.append(asked.model_copy(update=failed))
            raise
        reply = replace(reply, text=storable(reply.text))
        said = asked.model_copy(
            update={"reply": reply.text, "usage": reply.usage, "answered_by": reply.answered_by}
        )
        attempt.exchanges.append(said)
        self._tokens_per_byte = max(self._tokens_per_byte, said.tokens_per_byte)
        return reply
