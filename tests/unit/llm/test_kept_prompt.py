"""What is kept of the last prompt: used where the reply is the same without it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_embedded_adapter import DIGEST, REQUEST, StillClock, end, text

from planwarden.contracts.model import Message
from planwarden.llm.embedded.engine import BATCH_TOKENS, EmbeddedEngine, EngineOptions
from planwarden.llm.embedded.kept_prompt import KeptPrompt, PromptRead
from planwarden.llm.embedded.service import EmbeddedLLM
from planwarden.llm.service import LLMReply, LLMRequest

pytestmark = [pytest.mark.requirement("RANK-15")]
KEPT = replace(REQUEST, reuse_prompt=True)


class Reader:
    """Reads prompts as llama.cpp does: a token a word, going on from what it holds where it may."""

    def __init__(self) -> None:
        self.holds: list[str] = []
        self.read: list[tuple[int, int]] = []
        """Of each request: tokens, and how many of them were kept."""

    def handle_chat_completions(
        self, body: Mapping[str, object], on_chunk: Callable[[object], bool]
    ) -> object:
        words = [
            word
            for each in cast("Sequence[Mapping[str, str]]", body["messages"])
            for word in ("<", each["role"], "/", *each["content"].split(), ">")
        ]
        if body.get("add_generation_prompt", True):
            words += ["<", "assistant", "/"]
        kept = 0
        if body["cache_prompt"]:
            pairs = zip(self.holds, words, strict=False)
            kept = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(self.holds), len(words)))
            kept = min(kept, len(words) - 1)
        self.holds = [*words, "x"]
        self.read.append((len(words), kept))
        details = {"cached_tokens": kept}
        usage = {"prompt_tokens": len(words), "completion_tokens": 1, "prompt_tokens_details": details}
        chunks: tuple[object, ...] = (text("x"), end("stop"), {"choices": [], "usage": usage})
        for chunk in chunks:
            if on_chunk(chunk):
                return None
        return None


def asking(*said: tuple[str, str]) -> LLMRequest:
    return replace(KEPT, messages=tuple(Message(role=cast("Any", who), content=what) for who, what in said))


async def answers(reader: Reader, *requests: LLMRequest) -> list[LLMReply]:
    options = EngineOptions(path=Path("/w.gguf"), listener_key="k" * 32)
    service = EmbeddedLLM(
        EmbeddedEngine(options, check=str, load=lambda _: reader), clock=StillClock(), digest=DIGEST
    )
    replies = [await service.complete(request) for request in requests]
    await service.aclose()
    return replies


@pytest.mark.anyio
async def test_another_request_over_the_same_tools_reads_only_what_is_new() -> None:
    reader = Reader()
    tools = ("system", "a b c d e f g h")
    _, second = await answers(
        reader, asking(tools, ("user", "one two")), asking(tools, ("user", "three four"))
    )
    assert reader.read == [(21, 0), (21, 15)]
    assert second.usage.cached_tokens == 15


@pytest.mark.anyio
async def test_the_same_prompt_again_leaves_no_token_to_be_read_alone_and_all_that_is_read_is_counted() -> (
    None
):
    reader = Reader()
    same = asking(("system", "a b c d e f g h"), ("user", "one two"))
    _, second = await answers(reader, same, same)
    assert reader.read == [(21, 0), (23, 19), (21, 19)]  # between them, a request of which nothing is used
    assert second.usage.cached_tokens == 19 - (23 - 19)


@pytest.mark.anyio
async def test_a_prompt_that_goes_on_from_the_reply_is_read_anew() -> None:
    reader = Reader()
    first = asking(("user", "one two"))
    longer = asking(("user", "one two"), ("assistant", "x"), ("user", "three"))
    _, second = await answers(reader, first, longer)
    assert [kept for _, kept in reader.read] == [0, 10, 0]
    assert second.usage.cached_tokens == 0


@pytest.mark.anyio
async def test_after_a_request_that_keeps_nothing_the_next_one_goes_on_from_that_one() -> None:
    reader = Reader()
    tools = ("system", "a b c d e f g h")
    plain = replace(asking(tools, ("user", "one")), reuse_prompt=False)
    await answers(reader, plain, asking(tools, ("user", "two")), plain)
    assert [kept for _, kept in reader.read] == [0, 15, 0]


@given(st.integers(2, 2_000), st.integers(0, 2_000), st.integers(2, 2_000))
def test_what_is_kept_is_never_of_a_reply_and_no_token_is_read_alone_that_was_not_before(
    tokens: int, kept: int, held: int
) -> None:
    read = PromptRead(tokens=tokens, kept=min(kept, tokens - 1))
    before = KeptPrompt(messages=[], adapter=None, tokens=held)
    last_alone = tokens % BATCH_TOKENS == 1
    if read.as_if_anew(before, BATCH_TOKENS) and read.kept:
        assert read.kept < held
        assert (read.fresh % BATCH_TOKENS == 1) == last_alone
    assert PromptRead(tokens=tokens, kept=0).as_if_anew(before, BATCH_TOKENS)
