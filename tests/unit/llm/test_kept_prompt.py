"""What is kept of the last prompt: used where the reply is the same without it, and nowhere else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_embedded_adapter import DIGEST, REQUEST, StillClock, end, text

from planwarden.contracts.model import Message
from planwarden.errors import ReplyInvalid
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
        self.asked_to_keep: list[bool] = []
        self.strict = False
        """Whether its chat template wants the roles to alternate."""
        self.breaks: list[int] = []
        """The requests, counted from 0, in which it fails once the prompt is read."""
        self.begun, self.gate = threading.Event(), threading.Event()
        self.waits: list[int] = []
        """The requests that wait at the gate before they stream anything."""

    def handle_chat_completions(
        self, body: Mapping[str, object], on_chunk: Callable[[object], bool]
    ) -> object:
        messages = cast("Sequence[Mapping[str, str]]", body["messages"])
        roles = [each["role"] for each in messages]
        if self.strict and any(a == b for a, b in pairwise(roles)):
            raise RuntimeError("Conversation roles must alternate user/assistant/user/assistant/...")
        words = [
            word for each in messages for word in ("<", each["role"], "/", *each["content"].split(), ">")
        ]
        if body.get("add_generation_prompt", True):
            words += ["<", "assistant", "/"]
        kept = 0
        if body["cache_prompt"]:
            pairs = zip(self.holds, words, strict=False)
            kept = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(self.holds), len(words)))
            kept = min(kept, len(words) - 1)
        self.holds = [*words, "x"]
        number = len(self.read)
        self.read.append((len(words), kept))
        self.asked_to_keep.append(bool(body["cache_prompt"]))
        if number in self.waits:
            self.begun.set()
            self.gate.wait(20)
        if number in self.breaks:
            raise RuntimeError("the engine died")
        details = {"cached_tokens": kept}
        usage = {"prompt_tokens": len(words), "completion_tokens": 1, "prompt_tokens_details": details}
        chunks: tuple[object, ...] = (text("x"), end("stop"), {"choices": [], "usage": usage})
        for chunk in chunks:  # all of them, also where it is told to stop: the end was under way already
            on_chunk(chunk)
        return None


def asking(*said: tuple[str, str]) -> LLMRequest:
    return replace(KEPT, messages=tuple(Message(role=cast("Any", who), content=what) for who, what in said))


@asynccontextmanager
async def served_by(reader: Reader) -> AsyncGenerator[EmbeddedLLM]:
    options = EngineOptions(path=Path("/w.gguf"), listener_key="k" * 32)
    service = EmbeddedLLM(
        EmbeddedEngine(options, check=str, load=lambda _: reader), clock=StillClock(), digest=DIGEST
    )
    try:
        yield service
    finally:
        await service.aclose()


async def answers(reader: Reader, *requests: LLMRequest) -> list[LLMReply]:
    async with served_by(reader) as service:
        return [await service.complete(request) for request in requests]


async def cancelled(service: EmbeddedLLM, reader: Reader, request: LLMRequest) -> None:
    """Ask, and give up while the model reads."""
    asking = asyncio.ensure_future(service.complete(request))
    assert await asyncio.to_thread(reader.begun.wait, 20)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    reader.gate.set()


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


TOOLS = ("system", "a b c d e f g h")


@pytest.mark.anyio
@pytest.mark.requirement("LLM-45")
async def test_a_template_that_wants_roles_to_alternate_has_the_same_prompt_read_anew() -> None:
    reader = Reader()
    reader.strict = True
    same = asking(TOOLS, ("user", "one two"))
    _, second, third = await answers(reader, same, same, asking(TOOLS, ("user", "three four")))
    assert second.text == "x"
    assert [kept for _, kept in reader.read] == [0, 0, 15]
    assert (second.usage.cached_tokens, third.usage.cached_tokens) == (0, 15)


@pytest.mark.anyio
@pytest.mark.requirement("LLM-45")
async def test_after_a_request_that_failed_nobody_knows_what_is_held_so_nothing_is_gone_on_with() -> None:
    reader = Reader()
    reader.breaks = [1]
    async with served_by(reader) as service:
        await service.complete(asking(TOOLS, ("user", "one")))
        with pytest.raises(ReplyInvalid, match="the engine died"):
            await service.complete(asking(TOOLS, ("user", "two")))
        after = await service.complete(asking(TOOLS, ("user", "three")))
        again = await service.complete(asking(TOOLS, ("user", "four")))
    assert reader.asked_to_keep == [False, True, False, True]
    assert (after.usage.cached_tokens, again.usage.cached_tokens) == (0, 15)


@pytest.mark.anyio
@pytest.mark.requirement("LLM-45")
@pytest.mark.parametrize("kept", [False, True])
async def test_after_a_request_that_was_given_up_the_next_one_reads_its_whole_prompt(*, kept: bool) -> None:
    reader = Reader()
    reader.waits = [1]
    async with served_by(reader) as service:
        await service.complete(asking(TOOLS, ("user", "one")))
        await cancelled(service, reader, replace(asking(TOOLS, ("user", "two")), reuse_prompt=kept))
        after = await service.complete(asking(TOOLS, ("user", "three")))
    assert reader.asked_to_keep == [False, kept, False]
    assert after.usage.cached_tokens == 0


@pytest.mark.anyio
@pytest.mark.requirement("LLM-45")
async def test_a_request_that_was_given_up_is_not_asked_a_second_time() -> None:
    reader = Reader()
    reader.waits = [1]
    first = asking(("user", "one two"))
    goes_on = asking(("user", "one two"), ("assistant", "x"), ("user", "three"))  # would be read anew
    async with served_by(reader) as service:
        await service.complete(first)
        await cancelled(service, reader, goes_on)
        await service.complete(first)
    assert reader.asked_to_keep == [False, True, False]


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
