"""The embedded model's own faults, through the product's stack: each ends as the guide says."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from planwarden.contracts.model import Message
from planwarden.errors import (
    ModelCircuitOpen,
    ModelError,
    ModelFileRejected,
    ModelTimedOut,
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
)
from planwarden.llm.embedded.engine import EmbeddedEngine, EngineOptions
from planwarden.llm.embedded.service import EmbeddedLLM
from planwarden.llm.service import LLMRequest, LLMService, ReplyBroken
from planwarden.llm.wrappers.resilience import Resilience, resilient

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-20")]

REQUEST = LLMRequest(messages=(Message(role="user", content="hi"),), timeout_s=30)
TOO_LONG: Mapping[str, object] = {
    "error": {"type": "exceed_context_size_error", "n_prompt_tokens": 600, "n_ctx": 512}
}


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def said(content: str, finish: str | None) -> Mapping[str, object]:
    return {"choices": [{"finish_reason": finish, "delta": {"content": content}}]}


class Llama:
    """In llama.cpp's place: streams these, or raises them."""

    def __init__(self, *chunks: object, gate: threading.Event | None = None) -> None:
        self.chunks = chunks
        self.gate = gate
        self.begun = threading.Event()
        self.asked = 0

    def handle_chat_completions(
        self, body: Mapping[str, object], on_chunk: Callable[[object], bool]
    ) -> object:
        self.asked += 1
        self.begun.set()
        if self.gate is not None:
            self.gate.wait(20)
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            if on_chunk(chunk):
                break
        return None


def service_on(
    llama: Llama, *, check: Callable[[Path], object] = str, knobs: Resilience | None = None
) -> LLMService:
    clock = HandClock()
    options = EngineOptions(path=Path("/weights.gguf"), n_ctx=512, listener_key="k" * 32)
    engine = EmbeddedEngine(options, check=check, load=lambda _: llama)
    embedded = EmbeddedLLM(engine, clock=clock, digest="sha256:" + "0" * 64)
    return resilient(embedded, clock=clock, resilience=knobs or Resilience(), sleep=clock.sleep)


@pytest.mark.parametrize(
    ("chunks", "error", "tries"),
    [
        ((RuntimeError("the engine died"),), ReplyInvalid, 3),
        ((said("a", None), RuntimeError("the engine died")), ReplyInvalid, 3),
        ((said("a", None),), ReplyBroken, 3),
        ((said("", "stop"),), ReplyInvalid, 3),
        ((said("a", "length"),), ReplyIncomplete, 1),
        ((TOO_LONG,), PromptTooLong, 1),
    ],
)
async def test_each_fault_ends_typed_after_the_tries_that_make_sense(
    chunks: tuple[object, ...], error: type[ModelError], tries: int
) -> None:
    llama = Llama(*chunks)
    service = service_on(llama)
    with pytest.raises(error) as raised:
        await service.complete(REQUEST)
    await service.aclose()
    assert type(raised.value) is error
    assert llama.asked == tries


@pytest.mark.requirement("LLM-23")
async def test_an_engine_that_died_opens_the_circuit() -> None:
    llama = Llama(RuntimeError("the engine died"))
    service = service_on(llama, knobs=Resilience(retries=0, circuit_failures=2))
    for kind in (ReplyInvalid, ReplyInvalid, ModelCircuitOpen):
        with pytest.raises(kind, match="the engine died"):
            await service.complete(REQUEST)
    await service.aclose()
    assert llama.asked == 2


async def test_a_deadline_that_passes_while_it_is_busy_is_a_time_out_and_the_busy_one_goes_on() -> None:
    gate = threading.Event()
    llama = Llama(said("whole", "stop"), gate=gate)
    service = service_on(llama)
    first = asyncio.ensure_future(service.complete(REQUEST))
    await asyncio.to_thread(llama.begun.wait, 20)
    with pytest.raises(ModelTimedOut):
        await service.complete(LLMRequest(messages=REQUEST.messages, timeout_s=0.01))
    gate.set()
    assert (await first).text == "whole"
    await service.aclose()
    assert llama.asked == 1


async def test_a_file_that_is_gone_when_it_is_to_be_loaded_is_said_once() -> None:
    looked: list[Path] = []

    def gone(path: Path) -> None:
        looked.append(path)
        raise ModelFileRejected(f"{path} cannot be read.", remedy="fetch")

    service = service_on(Llama(), check=gone)
    with pytest.raises(ModelFileRejected, match="cannot be read"):
        await service.complete(REQUEST)
    await service.aclose()
    assert len(looked) == 1


async def test_one_that_was_closed_says_so() -> None:
    service = service_on(Llama(said("whole", "stop")))
    await service.aclose()
    with pytest.raises(ModelUnavailable, match="was closed"):
        await service.complete(REQUEST)
