"""The embedded adapter on a stand-in for llama.cpp: what it sends, how it stops, shares and fails."""

import asyncio
import importlib
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from planwarden.contracts.model import Message
from planwarden.errors import (
    ModelError,
    ModelFileRejected,
    ModelTimedOut,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
)
from planwarden.llm.embedded.engine import EmbeddedEngine, EngineOptions, load_llama
from planwarden.llm.embedded.service import EmbeddedLLM, compact_grammar
from planwarden.llm.service import LLMRequest, ReplyBroken

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-5")]

Chunk = Mapping[str, object]
REQUEST = LLMRequest(messages=(Message(role="user", content="hi"),), timeout_s=30)
DIGEST = "sha256:" + "0" * 64


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


def text(content: str) -> Chunk:
    return {"choices": [{"finish_reason": None, "delta": {"content": content}}]}


def end(reason: str | None) -> Chunk:
    nothing: Chunk = {}
    return {"choices": [{"finish_reason": reason, "delta": nothing}]}


USAGE: Chunk = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


class StandIn:
    """Streams the same chunks to everyone; with `gate`, the first waits there after its first chunk."""

    def __init__(self, *chunks: object, gate: threading.Event | None = None) -> None:
        self.chunks = chunks
        self.gate = gate
        self.begun = threading.Event()
        self.bodies: list[Mapping[str, object]] = []
        self.threads: set[str] = set()
        self.stopped = 0

    def handle_chat_completions(
        self, body: Mapping[str, object], on_chunk: Callable[[object], bool]
    ) -> object:
        self.bodies.append(body)
        self.threads.add(threading.current_thread().name)
        for chunk in self.chunks:
            stop = on_chunk(chunk)
            self.begun.set()
            if self.gate is not None and not stop:
                self.gate.wait(10)
                stop = on_chunk(chunk)
            if stop:
                self.stopped += 1
                return None
        return None


def engine_on(server: StandIn, check: Callable[[Path], object] = str) -> EmbeddedEngine:
    options = EngineOptions(path=Path("/weights.gguf"), n_ctx=512, listener_key="k" * 32)
    return EmbeddedEngine(options, check=check, load=lambda _: server)


def service_on(engine: EmbeddedEngine) -> EmbeddedLLM:
    return EmbeddedLLM(engine, clock=StillClock(), digest=DIGEST)


async def test_a_whole_reply_is_put_together_from_its_chunks() -> None:
    service = service_on(engine_on(StandIn(text("Hel"), text("lo"), end("stop"), USAGE)))
    reply = await service.complete(REQUEST)
    await service.aclose()
    assert (reply.text, reply.usage.prompt_tokens, reply.usage.output_tokens) == ("Hello", 5, 2)


@pytest.mark.requirement("LLM-7")
async def test_every_setting_reaches_llama_cpp() -> None:
    server = StandIn(text("x"), end("stop"), USAGE)
    service = service_on(engine_on(server))
    schema: dict[str, object] = {"const": 1}
    await service.complete(
        LLMRequest(
            messages=REQUEST.messages,
            output_schema=schema,
            temperature=0.5,
            seed=3,
            max_output_tokens=9,
            top_logprobs=40,
        )
    )
    await service.aclose()
    body = server.bodies[0]
    sent = {key: body[key] for key in ("temperature", "seed", "max_tokens", "top_logprobs", "grammar")}
    assert sent == {
        "temperature": 0.5,
        "seed": 3,
        "max_tokens": 9,
        "top_logprobs": 40,
        "grammar": compact_grammar(schema),
    }


@pytest.mark.requirement("LLM-2")
@pytest.mark.parametrize(
    ("chunks", "error", "says"),
    [
        ((text("a"), end("length"), USAGE), ReplyIncomplete, "cut after 2 tokens"),
        ((text("a"),), ReplyBroken, "without an end mark"),
        ((), ReplyBroken, "without an end mark"),
        (("data: nonsense",), ReplyInvalid, "not a chat chunk"),
        (({"choices": [{"finish_reason": "stop"}]},), ReplyInvalid, "not a chat chunk"),
        (({"error": {"code": 500, "message": "no slot"}},), ReplyInvalid, "no slot"),
        (
            ({"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 600, "n_ctx": 512}},),
            PromptTooLong,
            "600 tokens.*512",
        ),
    ],
)
async def test_anything_but_a_whole_reply_is_an_error(
    chunks: tuple[object, ...], error: type[ModelError], says: str
) -> None:
    service = service_on(engine_on(StandIn(*chunks)))
    with pytest.raises(error, match=says) as raised:
        await service.complete(REQUEST)
    await service.aclose()
    assert type(raised.value) is error


@pytest.mark.requirement("LLM-4")
async def test_a_cancelled_caller_returns_while_llama_cpp_still_works_and_then_it_is_stopped() -> None:
    gate = threading.Event()
    server = StandIn(text("x"), end("stop"), USAGE, gate=gate)
    service = service_on(engine_on(server))
    asking = asyncio.ensure_future(service.complete(REQUEST))
    await asyncio.to_thread(server.begun.wait, 10)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert server.stopped == 0, "the caller came back before llama.cpp noticed"
    gate.set()
    await service.aclose()
    assert server.stopped == 1


@pytest.mark.requirement("LLM-4")
async def test_waiting_in_line_counts_towards_the_deadline_and_a_late_request_never_runs() -> None:
    gate = threading.Event()
    server = StandIn(text("x"), end("stop"), USAGE, gate=gate)
    service = service_on(engine_on(server))
    first = asyncio.ensure_future(service.complete(REQUEST))
    await asyncio.to_thread(server.begun.wait, 10)
    with pytest.raises(ModelTimedOut):
        await service.complete(LLMRequest(messages=REQUEST.messages, timeout_s=0.01))
    gate.set()
    assert (await first).text == "xx"
    await service.aclose()
    assert len(server.bodies) == 1


@pytest.mark.requirement("LLM-8")
async def test_two_services_share_one_load_and_one_thread_and_the_last_one_frees_it() -> None:
    server = StandIn(text("x"), end("stop"), USAGE)
    loads: list[EngineOptions] = []

    def load(options: EngineOptions) -> StandIn:
        loads.append(options)
        return server

    options = EngineOptions(path=Path("/weights.gguf"), listener_key="k" * 32)
    engine = EmbeddedEngine(options, check=str, load=load)
    planner, agents = service_on(engine), service_on(engine)
    await asyncio.gather(planner.complete(REQUEST), agents.complete(REQUEST), planner.complete(REQUEST))
    await planner.aclose()
    await planner.aclose()
    assert not engine.closed
    assert (await agents.complete(REQUEST)).text == "x"
    await agents.aclose()
    assert engine.closed
    assert len(loads) == 1
    assert len(server.threads) == 1
    assert threading.main_thread().name not in server.threads


async def test_a_file_that_is_refused_is_never_loaded() -> None:
    def refuse(path: Path) -> None:
        raise ModelFileRejected(f"{path} is not the pinned model", remedy="fetch")

    loads: list[EngineOptions] = []
    options = EngineOptions(path=Path("/weights.gguf"), listener_key="k" * 32)
    engine = EmbeddedEngine(options, check=refuse, load=lambda given: loads.append(given) or StandIn())
    service = service_on(engine)
    with pytest.raises(ModelFileRejected, match="pinned"):
        await service.complete(REQUEST)
    health = await service.health()
    await service.aclose()
    assert (health.present, health.remedy, loads) == (False, "fetch", [])


async def test_a_machine_without_openmp_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise ImportError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", missing)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    with pytest.raises(ModelFileRejected, match="libgomp") as refused:
        load_llama(EngineOptions(path=Path("/weights.gguf"), listener_key="k" * 32))
    assert "apt-get install libgomp1" in refused.value.remedy


async def test_the_context_grows_before_the_load_and_not_after() -> None:
    engine = engine_on(StandIn())
    assert engine.offer_context(1024)
    await engine.load()
    assert engine.options.n_ctx == 1024
    assert engine.offer_context(256)
    assert not engine.offer_context(2048)
    engine.close()


async def test_the_embedded_model_chooses_its_arguments_among_what_the_request_names() -> None:
    service = service_on(engine_on(StandIn()))
    assert service.identity.argument_style == "grounded"
    assert service.identity.digest == DIGEST
    await service.aclose()
