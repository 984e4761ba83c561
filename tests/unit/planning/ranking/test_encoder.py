"""WordPiece and the sentence encoder, beside what transformers and PyTorch make of the same files.

Reference ids are those of the model's own tokenizer, reference numbers those of the weights that ship, put
into the library's `BertModel` in single precision.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planwarden.planning.ranking.encoder import FORM, MAX_TOKENS, WEIGHTS, WIDTH, SentenceEncoder
from planwarden.planning.ranking.wordpiece import WordPiece

pytestmark = pytest.mark.requirement("RANK-1")

CUT = WordPiece(
    {token: at for at, token in enumerate((WEIGHTS / "vocab.txt").read_text("utf-8").split("\n"))}
)
REFERENCE = {
    "What is the weather in Paris tomorrow?": (
        15.6080, (0.0296, 0.0243, 0.0836, 0.0119, -0.0078, -0.0303, 0.0047, -0.0552),
    ),
    "get weather forecast: Gives the forecast for a place and a day.": (
        15.9656, (-0.0022, -0.0200, 0.0986, 0.1434, -0.0757, -0.0597, -0.0622, -0.0395),
    ),
    "Translate 'good morning' into Japanese, then email it to Bob.": (
        15.6931, (-0.0434, 0.0899, 0.0235, 0.0038, -0.0405, -0.0509, 0.0989, 0.0215),
    ),
    "Ünïcödé 你好 42": (15.5704, (0.0113, 0.0260, 0.0149, 0.0566, -0.0391, -0.0369, 0.1223, 0.0002)),
}  # fmt: skip
"""Text → the sum of the absolute values of its embedding, and the first eight."""


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("hello world", [101, 7592, 2088, 102]),
        ("Café naïve Ünïcödé", [101, 7668, 15743, 27260, 102]),
        ("你好 world", [101, 100, 100, 2088, 102]),
        ("中国", [101, 1746, 1799, 102]),
        ("𠀀𠀁", [101, 100, 100, 102]),
        ("a" * 101, [101, 100, 102]),
        ("\u200bzero\ufffd\x00 width \ue000private", [101, 5717, 9381, 2797, 102]),
        ("tab\tnew\nline\u2028sep\u3000x", [101, 21628, 2047, 2240, 19802, 1060, 102]),
        ("emoji 😀👍🏽", [101, 7861, 29147, 2072, 100, 102]),
        ("ﬁ ①½ İstanbul ẞ", [101, 1984, 100, 9960, 1096, 102]),
        ("", [101, 102]),
    ],
)
def test_texts_are_cut_into_the_ids_of_the_models_own_tokenizer(text: str, ids: list[int]) -> None:
    assert CUT.ids(text, limit=100) == ids


def test_a_word_of_a_hundred_letters_is_still_cut_into_pieces() -> None:
    assert len(CUT.ids("a" * 100, limit=1_000)) == 52


def test_what_is_beyond_the_limit_is_not_read_and_the_marks_stay() -> None:
    assert CUT.ids("hello world hello world", limit=5) == [101, 7592, 2088, 7592, 102]
    assert CUT.ids("hello " * 100_000, limit=4) == [101, 7592, 7592, 102]


@given(st.text())
@settings(max_examples=100)
def test_any_text_is_cut(text: str) -> None:
    ids = CUT.ids(text, limit=64)
    assert (ids[0], ids[-1]) == (101, 102)
    assert len(ids) <= 64


@pytest.mark.parametrize("text", REFERENCE)
def test_embeddings_agree_with_the_librarys_own_model(encoder: SentenceEncoder, text: str) -> None:
    whole, first = REFERENCE[text]
    found = encoder.encode([text])[0]
    assert float(np.abs(found).sum()) == pytest.approx(whole, rel=0.002)
    assert found[:8] == pytest.approx(first, abs=0.002)


def test_the_form_names_the_weights() -> None:
    whole = hashlib.sha256()
    for name in ("layers.npz", "words.npy"):
        whole.update((WEIGHTS / name).read_bytes())
    assert FORM.endswith(f"-{whole.hexdigest()[:12]}"), "set FORM in encoder.py, then make the ranker anew"


def test_embeddings_have_length_one(encoder: SentenceEncoder) -> None:
    found = encoder.encode(["", "a", "word " * 1_000, "\x00", *REFERENCE])
    assert found.shape == (4 + len(REFERENCE), WIDTH)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_no_texts_have_no_embeddings(encoder: SentenceEncoder) -> None:
    assert encoder.encode([]).shape == (0, WIDTH)


def test_an_embedding_does_not_depend_on_what_else_is_in_the_batch(encoder: SentenceEncoder) -> None:
    texts = [
        "Play a song" + " and then a second one" * more for more in range(8)
    ]  # some are padded to others
    together = SentenceEncoder().encode([*texts, "A much longer text, " * 12])
    alone = [encoder.encode([text])[0] for text in texts]
    assert together[: len(texts)] == pytest.approx(np.stack(alone), abs=1e-5)


def test_what_is_beyond_the_models_tokens_does_not_change_an_embedding(encoder: SentenceEncoder) -> None:
    start = "hello " * MAX_TOKENS
    one, other = encoder.encode([start + "world", start + "banana"])
    assert one == pytest.approx(other, abs=1e-6)


def test_a_paraphrase_is_nearer_than_something_else(encoder: SentenceEncoder) -> None:
    asked, paraphrase, other = encoder.encode(
        ["How warm will it be in Oslo?", "Temperature forecast for the Norwegian capital", "Book a dentist"]
    )
    assert asked @ paraphrase > (asked @ other) + 0.3


def test_embeddings_that_were_made_before_are_taken_as_they_are() -> None:
    fresh = SentenceEncoder()
    fresh.keep(["known"], np.ones((1, WIDTH), np.float32))
    assert fresh.encode(["known"]).tolist() == [[1.0] * WIDTH]
