"""A model of pydantic-ai: its shapes, its ends, each of its errors; nothing is asked beyond loopback."""

import builtins
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pydantic_ai.models
import pytest
from openai_double import KEY, SystemClock
from pydantic_ai import exceptions as library
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel as LibraryTestModel
from pydantic_ai.usage import RequestUsage

from planwarden.contracts.model import Message, ToolRequest
from planwarden.contracts.specs import ToolSpec
from planwarden.errors import (
    ModelTimedOut,
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
    SettingsRejected,
    ToolCallingUnsupported,
)
from planwarden.llm.library_model.failures import failure
from planwarden.llm.library_model.opening import open_library_model
from planwarden.llm.library_model.service import LibraryLLM
from planwarden.llm.openai_chat.refusals import Server
from planwarden.llm.service import LLMRequest, ModelNotReady, ReplyBroken

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-35")]

REQUEST = LLMRequest(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="Price?")),
    max_output_tokens=33,
    temperature=0.25,
    seed=11,
    top_logprobs=3,
    timeout_s=30,
)
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}
TOOL = ToolSpec(name="finance.snapshot", description="Price.", effect="read", parameters={"type": "object"})
SERVER = Server(endpoint="there", model="some:model", key_variable="LLM__API_KEY", secret=KEY)


@pytest.fixture(autouse=True)
def ask_nobody_outside() -> Iterator[None]:
    with pydantic_ai.models.override_allow_model_requests(allow_model_requests=False):
        yield


def answering(response: ModelResponse | Exception, seen: list[Any] | None = None) -> LibraryLLM:
    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if seen is not None:
            seen.extend([messages, info])
        if isinstance(response, Exception):
            raise response
        return response

    return LibraryLLM(FunctionModel(answer), name="function:model", clock=SystemClock(), api_key=KEY)


async def test_settings_schema_and_messages_reach_the_model() -> None:
    seen: list[Any] = []
    usage = RequestUsage(input_tokens=9, output_tokens=2, cache_read_tokens=4)
    service = answering(ModelResponse(parts=[TextPart('{"a":"x"}')], usage=usage), seen)
    reply = await service.complete(replace(REQUEST, output_schema=SCHEMA))
    await service.aclose()
    assert reply.text == '{"a":"x"}'
    assert reply.tokens == (), "the library reports no probabilities"
    counted = (reply.usage.prompt_tokens, reply.usage.cached_tokens, reply.usage.output_tokens)
    assert counted == (9, 4, 2)
    messages, info = seen
    assert [part.part_kind for part in messages[0].parts] == ["system-prompt", "user-prompt"]
    settings = info.model_settings
    assert (settings["temperature"], settings["seed"], settings["max_tokens"]) == (0.25, 11, 33)
    assert settings["max_retries"] == 0
    assert info.model_request_parameters.output_mode == "native"
    described = info.model_request_parameters.output_object
    assert described.json_schema == {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.requirement("LLM-31")
async def test_tools_go_out_and_calls_come_back_under_their_own_names() -> None:
    seen: list[Any] = []
    asked = ToolRequest(id="c1", tool="finance.snapshot", arguments="{}")
    history = (
        *REQUEST.messages,
        Message(role="assistant", content="Let me look.", tool_requests=(asked,)),
        Message(role="tool", content="190", answers=asked),
    )
    call = ToolCallPart("finance_snapshot", {"symbol": "A"}, tool_call_id="c2")
    service = answering(ModelResponse(parts=[call], finish_reason="tool_call"), seen)
    reply = await service.complete(replace(REQUEST, messages=history, tools=(TOOL,)))
    assert reply.tool_requests == (
        ToolRequest(id="c2", tool="finance.snapshot", arguments='{"symbol": "A"}'),
    )
    messages, info = seen
    assert [part.part_kind for message in messages for part in message.parts] == [
        "system-prompt",
        "user-prompt",
        "text",
        "tool-call",
        "tool-return",
    ]
    assert [tool.name for tool in info.function_tools] == ["finance_snapshot"]


async def test_a_model_without_structured_output_is_made_to_call_its_reply() -> None:
    model = LibraryTestModel(custom_output_args={"a": "x"})
    service = LibraryLLM(model, name="test:model", clock=SystemClock())
    reply = await service.complete(replace(REQUEST, output_schema=SCHEMA))
    assert reply.text.replace(" ", "") == '{"a":"x"}'
    assert reply.tool_requests == ()


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (ModelResponse(parts=[TextPart("cut")], finish_reason="length"), ReplyIncomplete),
        (ModelResponse(parts=[TextPart("half")], finish_reason="error"), ReplyBroken),
        (ModelResponse(parts=[TextPart("half")], state="incomplete"), ReplyBroken),
        (ModelResponse(parts=[TextPart("no")], finish_reason="content_filter"), ReplyInvalid),
        (ModelResponse(parts=[]), ReplyInvalid),
    ],
)
async def test_each_end_of_a_reply_that_is_not_whole_is_an_error(
    response: ModelResponse, error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        await answering(response).complete(REQUEST)
    assert type(refused.value) is error


ERRORS: list[tuple[Exception, type[Exception]]] = [
    (library.ModelContextWindowExceededError("m", "too long"), PromptTooLong),
    (library.ModelRequestRejectedError("m", "exceeds the available context size (4 tokens)"), PromptTooLong),
    (library.ModelRequestRejectedError("m", "bad schema"), ReplyInvalid),
    (library.ModelAuthenticationError("m", f"bad key {KEY}"), ModelUnavailable),
    (library.ModelNotFoundError("m", "no such model"), ModelUnavailable),
    (library.ModelQuotaExceededError("m", "no credit"), ModelUnavailable),
    (library.ModelConnectionError("m", "refused"), ModelNotReady),
    (library.ModelOverloadedError("m", "busy"), ModelNotReady),
    (library.ModelServerError("m", "broken"), ModelNotReady),
    (library.ModelRateLimitError("m", "slow down", retry_after=7.0), ModelNotReady),
    (library.UserError("no such mode"), ReplyInvalid),
    (library.UnexpectedModelBehavior("odd", body=f'"{KEY}"'), ReplyInvalid),
    (KeyError("choices"), ReplyInvalid),
]


@pytest.mark.parametrize(("raised", "error"), ERRORS)
async def test_each_error_of_the_library_is_one_of_ours_without_the_key(
    raised: Exception, error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        await answering(raised).complete(REQUEST)
    assert type(refused.value) is error
    assert KEY not in str(refused.value)


def test_the_wait_that_a_provider_asks_for_is_carried() -> None:
    asked = failure(library.ModelRateLimitError("m", "slow down", retry_after=7.0), SERVER)
    assert isinstance(asked, ModelNotReady)
    assert asked.retry_after_s == 7.0


@pytest.mark.requirement("LLM-31")
def test_a_refusal_of_tools_says_that_the_model_takes_none() -> None:
    said = library.ModelRequestRejectedError("m", "this model does not support tool use")
    assert isinstance(failure(said, SERVER, tools=True), ToolCallingUnsupported)
    assert not isinstance(failure(said, SERVER), ToolCallingUnsupported)


async def test_the_deadline_covers_the_library() -> None:
    async def never(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        import asyncio

        await asyncio.Event().wait()
        raise AssertionError

    service = LibraryLLM(FunctionModel(never), name="function:model", clock=SystemClock())
    with pytest.raises(ModelTimedOut, match=r"within 0\.01 s"):
        await service.complete(replace(REQUEST, timeout_s=0.01))


# ---- opening -------------------------------------------------------------------------------------------


def opened(model: str, **given: Any) -> LibraryLLM:
    return open_library_model(model, clock=SystemClock(), setting="LLM__{}".format, **given)


@pytest.fixture
async def keyed() -> AsyncIterator[LibraryLLM]:
    service = opened("openai-chat:gpt-5-mini", api_key=KEY)
    yield service
    await service.aclose()


@pytest.mark.requirement("LLM-33")
async def test_identity_and_health_name_the_model_and_not_the_key(keyed: LibraryLLM) -> None:
    assert keyed.identity.provider == "pydantic-ai"
    assert keyed.identity.model == "openai-chat:gpt-5-mini"
    health = await keyed.health()
    assert "not asked" in health.detail
    assert "no token probabilities" in health.detail
    assert KEY not in f"{keyed!r} {vars(keyed)} {keyed.identity} {health}"


@pytest.mark.requirement("LLM-37")
@pytest.mark.parametrize("model", ["test", "gpt-5-mini", "nobody:model", "openai-chat:gpt-5-mini"])
def test_a_name_without_provider_or_key_is_refused_with_the_line_to_write(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SettingsRejected, match="LLM__MODEL is") as refused:
        opened(model)
    assert "anthropic:" in refused.value.remedy or "LLM__API_KEY" in refused.value.remedy


@pytest.mark.requirement("LLM-37")
def test_a_missing_library_is_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pydantic_ai"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingsRejected, match="not installed") as refused:
        opened("openai-chat:gpt-5-mini", api_key=KEY)
    assert refused.value.remedy == "Run `pip install '.[providers]'` in a checkout of the repository."
