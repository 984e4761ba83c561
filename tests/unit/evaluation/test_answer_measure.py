"""Measuring how a model writes answers: each item on the real answer path, judged by what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from planwarden.contracts.calls import StepAnswer
from planwarden.evaluation.answer_measure import measurement, score_items
from planwarden.evaluation.answer_scores import AnswerItem, answer_items, score_answer
from planwarden.llm.service import LLMRequest
from planwarden.runtime.asking import AgentSettings
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.ticking_clock import TickingClock

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("ANS-3")]

SAYS_SO = {
    "en": "The evidence does not say that anywhere.",
    "de": "Das sagen die Belege leider nicht.",
    "fr": "Les documents ne le disent pas du tout.",
    "es": "Los documentos no dicen nada de eso.",
    "it": "I documenti non dicono nulla di questo.",
    "nl": "Dat staat nergens in de documenten, niet.",
    "uk": "У документах про це нічого не сказано.",
    "zh": "文件里没有说明这一点。",
}


def item_of(request: LLMRequest) -> AnswerItem:
    asked = request.messages[-1].content.rpartition("Request: ")[2]
    return next(item for item in answer_items().items if item.request == asked)


def oracle(request: LLMRequest) -> str:
    item = item_of(request)
    assert all(said in request.messages[-1].content for said in item.evidence)
    return (
        f"{item.evidence[(item.call or 1) - 1].rstrip('.')} [s1.{item.call}]."
        if item.answer
        else SAYS_SO[item.language]
    )


async def figures(answer: Callable[[LLMRequest], str]) -> tuple[float, float, float, str]:
    llm = FunctionLLM(answer)
    scores = await score_items(llm, answer_items(), AgentSettings(), lambda _: None)
    found = measurement(llm, scores, answer_items(), "1", TickingClock())
    return found.right, found.cited, found.invented, found.style


async def test_a_model_that_answers_from_the_evidence_is_measured_to_carry_prose() -> None:
    right, cited, invented, style = await figures(oracle)
    assert right > 0.85  # evidence in English for a question in another language is answered in English
    assert (cited, invented, style) == (1.0, 0.0, "prose")


async def test_a_model_that_invents_numbers_is_measured_not_to() -> None:
    right, _, invented, style = await figures(lambda request: f"{oracle(request)} That is 77777 more.")
    assert (right, invented, style) == (0.0, 1.0, "evidence")


async def test_a_model_that_says_the_same_whatever_is_asked_is_measured_not_to() -> None:
    right, _, _, style = await figures(lambda _: "There is no information.")
    assert right < 0.2
    assert style == "evidence"


def test_the_items_are_many_in_many_languages_and_some_lack_evidence() -> None:
    items = answer_items().items
    assert len(items) >= 24
    assert len({item.language for item in items}) >= 10
    assert sum(1 for item in items if not item.answer) >= 6
    assert len({item.id for item in items}) == len(items)
    for item in items:
        assert answer_items().admits[item.language]
        if item.answer and item.call:
            said = StepAnswer(text=item.evidence[item.call - 1], style="prose", grounded=True)
            assert score_answer(item, said, ()).stated, item.id


def test_no_reply_is_a_wrong_answer() -> None:
    score = score_answer(answer_items().items[0], None, ("not",))
    assert (score.right, score.text) == (False, "")
