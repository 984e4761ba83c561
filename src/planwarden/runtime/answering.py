"""The answer of a step: rendered from its evidence, or written by the model and checked against it."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.facts import StepAnswered, StepFailed
from planwarden.contracts.run import CallState
from planwarden.contracts.specs import JsonSchema
from planwarden.errors import ModelError
from planwarden.language.detection import language_of
from planwarden.language.wording import wording
from planwarden.runtime.answer import checked_prose, known_ids, render_from_evidence, returned_calls
from planwarden.runtime.asking import Asker, NumberRule
from planwarden.runtime.context import AgentContext, answer_messages

SHORT_ANSWER: JsonSchema = {
    "type": "object",
    "properties": {"answer": {"type": "string", "maxLength": 240}},
    "required": ["answer"],
    "additionalProperties": False,
}
"""Bounds the prose of a model whose prose does not end by itself."""


async def answer_step(asker: Asker, catalog: Catalog, context: AgentContext) -> StepAnswered | StepFailed:
    """Answer a step from what its calls returned; give the fact to record.

    Where the model fails, or a stand-in answers that is not trusted with prose, the answer is rendered from
    the evidence and says so.

    Raises:
        LeaseLost: this process does not own the run any more.
    """
    state = asker.recorder.state
    step_id = context.planned.id
    calls = returned_calls([state.steps[step_id]])
    plan = state.decision.plan if state.decision else None
    if plan is not None and plan.metadata.way_out == "ask_user":
        return StepAnswered(step=step_id, answer=_question(catalog, language_of(context.prompt)))
    if asker.style == "evidence" and calls:
        return StepAnswered(step=step_id, answer=render_from_evidence(context.inputs, calls))
    schema = SHORT_ANSWER if asker.style == "evidence" else None
    messages = answer_messages(context, calls)
    try:
        reply = await asker.ask(
            "answer", messages, schema=schema, simpler_schema=SHORT_ANSWER, earlier=context.exchanges
        )
    except ModelError as error:
        if calls:
            return StepAnswered(
                step=step_id, answer=render_from_evidence(context.inputs, calls, because=error.code)
            )
        return StepFailed(step=step_id, code=error.code, message=str(error))
    short = asker.style_of(reply) == "evidence"
    if calls and short:
        return StepAnswered(
            step=step_id, answer=render_from_evidence(context.inputs, calls, because="stand_in")
        )
    text = _short_answer(reply.text) if short else reply.text
    answer = checked_prose(text, context.inputs, calls, context.prompt, language_of(text))
    return _with_consequence(asker.settings.unsupported_numbers, answer, context, calls)


def _with_consequence(
    wanted: NumberRule, answer: StepAnswer, context: AgentContext, calls: tuple[CallState, ...]
) -> StepAnswered | StepFailed:
    """Do with an answer that holds numbers without evidence what the settings say."""
    step_id = context.planned.id
    if not answer.unsupported_numbers or wanted == "flag":
        return StepAnswered(step=step_id, answer=answer)
    if wanted == "fail":
        numbers = ", ".join(answer.unsupported_numbers)
        message = f"the answer holds numbers that no evidence contains: {numbers}"
        return StepFailed(step=step_id, code="unsupported_numbers", message=message)
    language = language_of(context.prompt)
    because = "unsupported_numbers"
    if known_ids(context.inputs, calls):
        heading = wording("returned", language)
        rendered = render_from_evidence(context.inputs, calls, because=because, heading=heading)
    else:
        text = wording("no_evidence", language)
        rendered = StepAnswer(text=text, style="evidence", grounded=False, rendered_because=because)
    return StepAnswered(step=step_id, answer=rendered)


def answer_given(asker: Asker, context: AgentContext, text: str) -> StepAnswered:
    """Take the answer that a model gave by itself; checked like one it was asked for."""
    step_id = context.planned.id
    calls = returned_calls([asker.recorder.state.steps[step_id]])
    if asker.style == "evidence" and calls:
        return StepAnswered(step=step_id, answer=render_from_evidence(context.inputs, calls))
    return StepAnswered(step=step_id, answer=checked_prose(text, context.inputs, calls, context.prompt))


def _short_answer(text: str) -> str:
    """Take the whole sentences of a bounded answer, each once: small models repeat themselves and are cut."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    answer = str(cast("dict[str, Any]", value).get("answer", text)) if isinstance(value, dict) else text
    once: dict[str, str] = {}
    for sentence in re.findall(r"[^.!?。！？]+[.!?。！？]+", answer):
        once.setdefault(sentence.strip(), sentence)
    return "".join(once.values()).strip() or answer


def _question(catalog: Catalog, language: str) -> StepAnswer:
    """Ask back in the language of the request; what can be done is said as the catalog says it."""
    offers = "\n".join(f"- {agent.description}" for agent in catalog.agents.values() if agent.tools)
    text = f"{wording('unclear', language)}\n{offers}"
    return StepAnswer(text=text, style="question", grounded=False)
