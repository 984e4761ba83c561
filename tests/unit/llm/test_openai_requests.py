"""What goes to an OpenAI-compatible server is what was set, and to no other host."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from openai_double import KEY, MODEL, WELL, OpenAIDouble, Refused, chunk

from planwarden.contracts.model import Message, ToolRequest
from planwarden.contracts.specs import ToolSpec
from planwarden.errors import ModelUnavailable, ReplyInvalid
from planwarden.llm.openai_chat.wire import is_strict
from planwarden.llm.service import LLMRequest

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-32")]

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string", "pattern": "^(?=x)"}},
    "required": ["a"],
    "additionalProperties": False,
}
REQUEST = LLMRequest(
    messages=(Message(role="user", content="What is one?"),),
    output_schema=SCHEMA,
    max_output_tokens=33,
    temperature=0.25,
    seed=11,
    top_logprobs=40,
    timeout_s=30,
)
TOOL = ToolSpec(
    name="finance.snapshot",
    description="Price.",
    effect="read",
    parameters={"type": "object", "properties": {"symbol": {"type": "string", "pattern": "x"}}},
)


@pytest.mark.requirement("LLM-7")
async def test_every_setting_reaches_the_server_as_it_was_set() -> None:
    double = OpenAIDouble()
    async with double.connected() as service:
        await service.complete(REQUEST)
    (body,) = double.bodies
    assert body.pop("response_format")["json_schema"] == {
        "name": "reply",
        "strict": True,
        "schema": {**SCHEMA, "properties": {"a": {"type": "string"}}},
    }
    assert body == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "What is one?"}],
        "max_tokens": 33,
        "temperature": 0.25,
        "seed": 11,
        "stream": True,
        "stream_options": {"include_usage": True},
        "logprobs": True,
        "top_logprobs": 20,
    }


REFUSALS: dict[str, tuple[dict[str, str], str, dict[str, int]]] = {
    "cloud": (
        {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."},
        "max_tokens",
        {"max_completion_tokens": 33},
    ),
    "logprobs": ({"message": "logprobs are not supported with this model."}, "logprobs", {}),
    "usage": ({"message": "Unrecognized request argument supplied: stream_options"}, "stream_options", {}),
    "seed": ({"message": "Extra inputs are not permitted", "param": "seed"}, "seed", {}),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_field_that_a_server_refuses_is_learnt_once_and_remembered(case: str) -> None:
    error, field, instead = REFUSALS[case]
    double = OpenAIDouble(answers=(Refused(status=400, body={"error": error}), WELL))
    async with double.connected() as service:
        await service.complete(REQUEST)
        await service.complete(REQUEST)
        health = await service.health()
    first, second, third = double.bodies
    assert field in first
    assert field not in second
    assert second.items() >= instead.items()
    assert second == third, "it is not tried again"
    names = {"logprobs": "token probabilities", "seed": "SEED", "usage": "usage"}
    assert names.get(case, "") in health.detail


async def test_a_refused_temperature_is_an_error_never_left_out() -> None:
    error = {"message": "Unsupported value: 'temperature' does not support 0.25 with this model."}
    double = OpenAIDouble(answers=(Refused(status=400, body={"error": error}),))
    async with double.connected() as service:
        with pytest.raises(ReplyInvalid, match=r"does not support 0\.25") as refused:
            await service.complete(REQUEST)
    assert "Set TEMPERATURE" in refused.value.remedy
    assert len(double.bodies) == 1


@pytest.mark.requirement("LLM-31")
async def test_tools_and_earlier_calls_go_out_in_the_servers_notation() -> None:
    asked = ToolRequest(id="c1", tool="finance.snapshot", arguments='{"symbol":"A"}')
    garbled = ToolRequest(id="c2", tool="no such tool!", arguments="{not json")
    messages = (
        Message(role="user", content="Price?"),
        Message(role="assistant", content="", tool_requests=(asked, garbled)),
        Message(role="tool", content="190", answers=asked),
    )
    double = OpenAIDouble()
    async with double.connected() as service:
        await service.complete(replace(REQUEST, messages=messages, output_schema=None, tools=(TOOL,)))
    (body,) = double.bodies
    (tool,) = body["tools"]
    assert tool["function"]["name"] == "finance_snapshot"
    assert tool["function"]["parameters"]["properties"] == {"symbol": {"type": "string"}}
    _, called, answered = body["messages"]
    assert called["content"] is None
    assert [(each["id"], each["function"]) for each in called["tool_calls"]] == [
        ("c1", {"name": "finance_snapshot", "arguments": '{"symbol":"A"}'}),
        ("c2", {"name": "no_such_tool_", "arguments": "{}"}),
    ]
    assert answered == {"role": "tool", "tool_call_id": "c1", "content": "190"}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (SCHEMA, True),
        ({**SCHEMA, "required": []}, False),
        ({**SCHEMA, "additionalProperties": True}, False),
        ({**SCHEMA, "properties": {"a": {"type": "array", "items": {"type": "object"}}}}, False),
    ],
)
async def test_a_schema_is_strict_only_where_clouds_take_it_so(schema: Any, strict: bool) -> None:
    assert is_strict(schema) is strict


# ---- the key -----------------------------------------------------------------------------------------


@pytest.mark.requirement("LLM-33")
async def test_only_the_set_key_and_nothing_of_the_environment_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "ambient")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Ambient: ambient\nAuthorization: Bearer ambient")
    double = OpenAIDouble()
    async with double.connected(api_key=KEY) as service:
        await service.complete(REQUEST)
    for received in double.received:
        assert received.headers["authorization"] == f"Bearer {KEY}"
        assert "ambient" not in str(received.headers)
        assert not [name for name in received.headers if name.startswith("x-")]
    keyless = OpenAIDouble()
    async with keyless.connected() as service:
        await service.complete(REQUEST)
    assert all("authorization" not in received.headers for received in keyless.received)


@pytest.mark.requirement("LLM-33")
async def test_a_key_that_the_server_repeats_stands_in_no_error_log_or_representation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said = {"error": {"message": f"Incorrect API key provided: {KEY}. Find yours on the site."}}
    broken = {"error": {"message": f"no memory for {KEY}"}}
    double = OpenAIDouble(answers=(Refused(status=401, body=said), (broken,), WELL))
    async with double.connected(api_key=KEY, key_variable="PLANNER_LLM__API_KEY") as service:
        with pytest.raises(ModelUnavailable, match=r"refused the key.*\*\*\*") as refused:
            await service.complete(REQUEST)
        assert refused.value.remedy == "Set PLANNER_LLM__API_KEY to a key that this server takes."
        with pytest.raises(ModelUnavailable) as failed:
            await service.complete(REQUEST)
        await service.complete(REQUEST)
        shown = f"{service!r} {vars(service)} {service.identity} {await service.health()}"
    assert KEY not in f"{shown} {refused.value} {failed.value} {caplog.text}"


@pytest.mark.requirement("LLM-33")
async def test_a_redirect_takes_the_key_nowhere() -> None:
    async with OpenAIDouble().serve() as other:
        to = {"Location": f"{other.url}/v1/chat/completions"}
        double = OpenAIDouble(answers=(Refused(status=307, body="moved", headers=to),))
        async with double.connected(api_key=KEY) as service:
            with pytest.raises(ModelUnavailable, match="redirects"):
                await service.complete(REQUEST)
        assert other.received == []


@pytest.mark.requirement("LLM-33")
async def test_a_server_on_this_machine_is_never_asked_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with OpenAIDouble().serve() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        double = OpenAIDouble()
        async with double.connected() as service:
            assert (await service.complete(REQUEST)).text == "Well."
        assert proxy.received == []


async def test_a_bare_host_stands_for_its_v1() -> None:
    double = OpenAIDouble(answers=((chunk({"content": "a"}, "stop"),),))
    async with double.connected() as service:
        assert service.identity.endpoint == f"{double.url}/v1"
        await service.complete(REQUEST)
    assert {each.path for each in double.received} == {"/v1/models", "/v1/chat/completions"}
