"""Each way in which an Ollama server can fail is its own error, and what is sent is what was set."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from planwarden.contracts.model import Message, ModelUsage
from planwarden.errors import (
    ModelError,
    ModelTimedOut,
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
)
from planwarden.llm.ollama.service import OllamaLLM
from planwarden.llm.ollama.stream import ChatStream
from planwarden.llm.service import LLMReply, LLMRequest, ModelNotReady, ReplyBroken, TokenChoice
from planwarden.llm.wire.endpoint import is_loopback
from planwarden.testing.fake_ollama import DIGEST, FakeOllama, Fault
from planwarden.testing.scripted_llm import FunctionLLM

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-6")]

SCHEMA: dict[str, object] = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
REQUEST = LLMRequest(
    messages=(Message(role="user", content="What is one?"),),
    output_schema=SCHEMA,
    max_output_tokens=33,
    temperature=0.25,
    seed=11,
    top_logprobs=40,
    timeout_s=30,
)


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def answer(_: LLMRequest) -> LLMReply:
    tokens = (TokenChoice(text='{"a"', logprob=-0.1), TokenChoice(text=":1}", logprob=-0.2))
    return LLMReply(text='{"a":1}', tokens=tokens, usage=ModelUsage(prompt_tokens=9, output_tokens=2))


@asynccontextmanager
async def connected(fault: Fault | None = None) -> AsyncGenerator[tuple[FakeOllama, OllamaLLM]]:
    async with FakeOllama(service=FunctionLLM(answer)).serve() as fake:
        fake.fault = fault
        ollama = await OllamaLLM.connect(
            base_url=fake.url, model="llama3.2:1b", clock=SystemClock(), num_ctx=2048, keep_alive="7m"
        )
        try:
            yield fake, ollama
        finally:
            await ollama.aclose()


@pytest.mark.requirement("LLM-7")
async def test_every_setting_reaches_the_server() -> None:
    async with connected() as (fake, ollama):
        reply = await ollama.complete(REQUEST)
    assert reply.text == '{"a":1}'
    assert [token.text for token in reply.tokens] == ['{"a"', ":1}"]
    assert fake.bodies == [
        {
            "model": "llama3.2:1b",
            "messages": [{"role": "user", "content": "What is one?"}],
            "format": SCHEMA,
            "options": {
                "num_ctx": 2048,
                "seed": 11,
                "temperature": 0.25,
                "num_predict": 33,
                "repeat_penalty": 1.0,  # 1.1 by itself up to 0.32.9: names of the prompt would be avoided
                "presence_penalty": 0.0,
                "frequency_penalty": 0.0,
            },
            "truncate": False,
            "shift": False,
            "think": False,
            "stream": True,
            "logprobs": True,
            "top_logprobs": 20,
            "keep_alive": "7m",
        }
    ]


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("no_end_mark", ReplyBroken, "no end mark"),
        ("cut_connection", ReplyBroken, "connection broke"),
        ("hang_up", ModelNotReady, "No Ollama"),
        ("html200", ReplyInvalid, "text/html"),
        ("broken_json", ReplyInvalid, "not JSON"),
        ("not_a_chat", ReplyInvalid, "not a part of a chat"),
        ("error_line", ModelNotReady, "no memory"),
        ("status_500", ModelNotReady, "unexpectedly stopped"),
        ("not_found", ModelUnavailable, "does not have the model"),
        ("overlong", PromptTooLong, "3010 tokens"),
        ("cut_prompt", ReplyInvalid, "cut the prompt"),
    ],
)
async def test_each_fault_is_its_own_error_with_a_remedy(
    fault: Fault, error: type[ModelError], says: str
) -> None:
    async with connected(fault) as (_, ollama):
        with pytest.raises(error, match=says) as raised:
            await ollama.complete(REQUEST)
    assert type(raised.value) is error
    assert raised.value.remedy


async def test_a_stalled_stream_ends_at_the_deadline_of_the_whole_exchange() -> None:
    async with connected("stall") as (_, ollama):
        with pytest.raises(ModelTimedOut, match=r"0\.3 s"):
            await ollama.complete(LLMRequest(messages=REQUEST.messages, timeout_s=0.3))


async def test_a_limit_cut_is_not_a_broken_reply() -> None:
    async with FakeOllama(
        service=FunctionLLM(lambda _: ReplyIncomplete("cut", remedy="more"))
    ).serve() as fake:
        ollama = await OllamaLLM.connect(base_url=fake.url, model="llama3.2:1b", clock=SystemClock())
        with pytest.raises(ReplyIncomplete, match="limit 33") as cut:
            await ollama.complete(LLMRequest(messages=(), max_output_tokens=33))
        await ollama.aclose()
    assert type(cut.value) is ReplyIncomplete


def test_tokens_that_do_not_add_up_to_the_text_are_not_reported() -> None:
    stream = ChatStream(request=REQUEST, model="m", num_ctx=2048)
    logprobs = [{"token": "other", "logprob": -0.5}]
    part = {"message": {"content": "whole"}, "done": False, "logprobs": logprobs}
    stream.take(json.dumps(part).encode())
    stream.take(json.dumps({"message": {"content": ""}, "done": True, "done_reason": "stop"}).encode())
    reply = stream.reply(latency_s=0)
    assert (reply.text, reply.tokens) == ("whole", ())


@pytest.mark.parametrize(
    ("word", "error"), [(" the", ReplyIncomplete), ("\n", ReplyIncomplete), ("", ReplyBroken)]
)
def test_a_reply_that_ollama_ends_because_the_model_repeats_itself_is_not_asked_for_again(
    word: str, error: type[ReplyIncomplete]
) -> None:
    stream = ChatStream(request=REQUEST, model="m", num_ctx=2048)
    for place in range(32):  # and then no part that says `done`: Ollama closes the stream, with status 200
        content = word or f"word {place}"
        stream.take(json.dumps({"message": {"content": content}, "done": False}).encode())
    with pytest.raises(error) as ended:
        stream.reply(latency_s=0)
    assert type(ended.value) is error  # only `ReplyBroken` is tried again
    assert ("over and over" in ended.value.message) == (error is ReplyIncomplete)


def ended_without_a_mark(*parts: Mapping[str, object]) -> ReplyIncomplete:
    stream = ChatStream(request=REQUEST, model="m", num_ctx=2048)
    for part in parts:
        stream.take(json.dumps({"message": {"content": "", **part}, "done": False}).encode())
    with pytest.raises(ReplyIncomplete) as ended:
        stream.reply(latency_s=0)
    return ended.value


@pytest.mark.requirement("LLM-46")
def test_thirty_equal_parts_are_a_loop_and_one_fewer_are_a_broken_reply() -> None:
    whole = ended_without_a_mark({"content": "one"}, *[{"content": " the"}] * 30)
    short = ended_without_a_mark({"content": "one"}, *[{"content": " the"}] * 29)
    assert (type(whole), type(short)) == (ReplyIncomplete, ReplyBroken)
    since = ended_without_a_mark(*[{"content": " the"}] * 30, {"content": "end"})
    assert type(since) is ReplyBroken  # it had gone on


@pytest.mark.requirement("LLM-46")
def test_a_model_that_thinks_is_not_taken_for_one_that_repeats_itself() -> None:
    thought = ended_without_a_mark(*({"thinking": f"thought {place}"} for place in range(31)))
    silent = ended_without_a_mark({"content": "a"}, *[{"content": ""}] * 31)
    assert (type(thought), type(silent)) == (ReplyBroken, ReplyBroken)


@pytest.mark.requirement("LLM-46")
def test_a_model_that_thinks_the_same_over_and_over_is_not_asked_again() -> None:
    ended = ended_without_a_mark(*[{"thinking": " wait"}, {"content": ""}] * 30)
    assert type(ended) is ReplyIncomplete
    assert "' wait' over and over" in ended.message


@pytest.mark.requirement("LLM-46")
def test_thinking_that_is_not_text_is_not_a_part_of_a_chat() -> None:
    stream = ChatStream(request=REQUEST, model="m", num_ctx=2048)
    with pytest.raises(ReplyInvalid, match="not a part of a chat"):
        stream.take(b'{"message": {"content": "", "thinking": 7}, "done": false}')


async def test_cancelling_hangs_up_so_that_the_server_can_stop() -> None:
    begun = asyncio.Event()
    stopped = asyncio.Event()

    class Waiting(FunctionLLM):
        async def complete(self, request: LLMRequest) -> LLMReply:
            begun.set()
            try:
                return await asyncio.Future()
            finally:
                stopped.set()

    async with FakeOllama(service=Waiting(answer)).serve() as fake:
        ollama = await OllamaLLM.connect(base_url=fake.url, model="llama3.2:1b", clock=SystemClock())
        asking = asyncio.ensure_future(ollama.complete(REQUEST))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await stopped.wait()
        await ollama.aclose()


async def test_the_identity_names_the_server_and_the_digest_of_the_weights() -> None:
    async with connected() as (fake, ollama):
        identity = ollama.identity
    assert (identity.provider, identity.model, identity.endpoint) == ("ollama", "llama3.2:1b", fake.url)
    assert identity.digest == f"sha256:{DIGEST}"
    assert identity.answer_style == "prose"


@pytest.mark.requirement("TUNE-11")
async def test_a_model_that_was_made_with_an_adapter_is_known_by_its_digest() -> None:
    async with FakeOllama(service=FunctionLLM(answer)).serve() as fake:
        for digest in ("", "c3" * 32):
            fake.adapter = digest
            ollama = await OllamaLLM.connect(base_url=fake.url, model="llama3.2:1b", clock=SystemClock())
            assert ollama.identity.adapter == (f"sha256:{digest}" if digest else None)
            await ollama.aclose()


async def test_a_missing_model_says_how_to_pull_it() -> None:
    async with FakeOllama(service=FunctionLLM(answer)).serve() as fake:
        with pytest.raises(ModelUnavailable, match="does not have") as missing:
            await OllamaLLM.connect(base_url=fake.url, model="llama3.1:8b", clock=SystemClock())
    assert "ollama pull llama3.1:8b" in missing.value.remedy


async def test_a_name_without_a_tag_means_latest() -> None:
    async with FakeOllama(service=FunctionLLM(answer), models=("mistral:latest",)).serve() as fake:
        ollama = await OllamaLLM.connect(base_url=fake.url, model="mistral", clock=SystemClock())
        await ollama.aclose()


async def test_a_server_that_is_not_there_says_how_to_start_it() -> None:
    async with FakeOllama(service=FunctionLLM(answer)).serve() as fake:
        gone = fake.url
    with pytest.raises(ModelNotReady, match="connection refused") as refused:
        await OllamaLLM.connect(base_url=gone, model="llama3.2:1b", clock=SystemClock())
    assert "ollama serve" in refused.value.remedy


@pytest.mark.parametrize(("version", "usable"), [("0.12.10", False), ("0.12.11", True), ("1.0.0-rc1", True)])
async def test_a_version_that_would_cut_prompts_silently_is_refused(version: str, *, usable: bool) -> None:
    async with FakeOllama(service=FunctionLLM(answer), version=version).serve() as fake:
        if usable:
            await (
                await OllamaLLM.connect(base_url=fake.url, model="llama3.2:1b", clock=SystemClock())
            ).aclose()
            return
        with pytest.raises(ModelUnavailable, match="too old"):
            await OllamaLLM.connect(base_url=fake.url, model="llama3.2:1b", clock=SystemClock())


async def test_health_tells_a_missing_server_from_a_missing_model() -> None:
    async with connected() as (fake, ollama):
        assert (await ollama.health()).context_tokens == 2048
        fake.context_length = 1024
        assert (await ollama.health()).context_tokens == 1024
        fake.models = ()
        without_model = await ollama.health()
    assert (without_model.reachable, without_model.present) == (True, False)
    assert "ollama pull" in without_model.remedy


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://gpu.lan", False),
    ],
)
def test_only_a_server_elsewhere_may_be_reached_through_a_proxy(url: str, *, here: bool) -> None:
    assert is_loopback(url) is here
