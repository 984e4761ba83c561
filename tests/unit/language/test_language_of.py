"""Which language a text is in, our own texts in it, and its sentences."""

from __future__ import annotations

import subprocess
import sys

import pytest

from planwarden.language.detection import LANGUAGES, language_of
from planwarden.language.scripts import bigrams
from planwarden.language.sentences import sentence_spans
from planwarden.language.wording import table, wording

pytestmark = pytest.mark.requirement("ANS-4")

REQUESTS = {
    "ar": "ما سعر سهم آبل؟",
    "de": "Welche Dokumente erwähnen Rückerstattungen?",
    "en": "Which documents mention refunds?",
    "es": "¿Qué documentos mencionan reembolsos?",
    "fr": "Quels documents parlent de remboursement ?",
    "hi": "अनुबंध का सारांश दें",
    "it": "Quali documenti parlano di rimborsi?",
    "ja": "3400の17%はいくつですか？",
    "ko": "계약서를 요약해 줘",
    "nl": "Welke documenten noemen terugbetalingen?",
    "pl": "Które dokumenty wspominają o zwrotach?",
    "pt": "Quais documentos falam de reembolsos?",
    "ru": "Сколько будет 17 % от 3400?",
    "tr": "Hangi belgeler iadelerden söz ediyor?",
    "uk": "Скільки буде 17 % від 3400?",
    "zh": "总结这份合同",
}


@pytest.mark.parametrize(("language", "text"), REQUESTS.items())
def test_a_short_request_is_told_to_be_in_its_language(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text", ["", "6*7", "IBM", "ok", "Vad är priset på Apple?", "מה המחיר של אפל?", "data.query 12"]
)
def test_what_cannot_be_told_or_is_none_of_ours_counts_as_english(text: str) -> None:
    assert language_of(text) == "en"


def test_each_of_our_texts_stands_in_each_language() -> None:
    assert set(REQUESTS) == set(LANGUAGES)
    for what, texts in table().items():
        assert set(texts) == set(LANGUAGES), what
        assert len(set(texts.values())) == len(LANGUAGES), what


def test_our_texts_are_in_the_language_that_they_stand_under() -> None:
    for texts in table().values():
        for language, text in texts.items():
            assert language_of(text) == language
    assert wording("unclear", "xx") == wording("unclear", "en")


def test_the_detector_is_not_loaded_before_a_text_is_asked_about() -> None:
    loaded = "bool({'eld', 'text_to_num'} & set(sys.modules))"
    code = f"import sys, planwarden.runtime.answering; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scripts_without_spaces_are_cut_into_pairs() -> None:
    assert list(bigrams("IBMの株価は5")) == ["の株", "株価", "価は"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It is 42. Then it fell. [s1.1] Next.", ["It is 42.", "Then it fell. [s1.1]", "Next."]),
        (
            "Am 1. Mai 2024 waren es 3,4 Mio. Euro. Danach weniger.",
            ["Am 1. Mai 2024 waren es 3,4 Mio. Euro.", "Danach weniger."],
        ),
        ("- a 5\n- b 6\n\nEnd", ["- a 5", "- b 6", "End"]),
        ("これは42です。次は43です。", ["これは42です。", "次は43です。"]),
        ("1. First\nMr. X says no! Yes?", ["1. First", "Mr. X says no!", "Yes?"]),
    ],
)
def test_a_text_is_cut_where_its_sentences_end(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences
