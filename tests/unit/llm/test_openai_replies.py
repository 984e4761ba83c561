"""Each way in which an OpenAI-compatible server answers is a whole reply or its own error."""

from dataclasses import replace

import pytest
from openai_double import MODEL, WELL, OpenAIDouble, Refused, chunk, usage

from planwarden.contracts.model import Message
from planwarden.contracts.specs import ToolSpec
from planwarden.errors import (
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
    ToolCallingUnsupported,
)
from planwarden.llm.openai_chat.stream import within_text
from planwarden.llm.service import LLMRequest, ModelNotReady, ReplyBroken, TokenAlternative, TokenChoice

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-34")]

REQUEST = LLMRequest(messages=(Message(role="user", content="What is one?"),), timeout_s=30)
TOOL = ToolSpec(name="finance.snapshot", description="Price.", effect="read", parameters={"type": "object"})


async def test_text_usage_and_probabilities_are_read() -> None:
    token = {"token": "One", "logprob": -0.1, "top_logprobs": [{"token": "One", "logprob": -0.1}]}
    parts = (chunk({"content": "One"}, logprobs={"content": [token]}), chunk({}, "stop"), usage(9, 1, 4))
    async with OpenAIDouble(answers=(parts,)).connected() as service:
        reply = await service.complete(replace(REQUEST, top_logprobs=1))
    assert reply.text == "One"
    alternative = TokenAlternative(text="One", logprob=-0.1)
    assert reply.tokens == (TokenChoice(text="One", logprob=-0.1, alternatives=(alternative,)),)
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens, reply.usage.output_tokens) == (9, 4, 1)


@pytest.mark.requirement("LLM-31")
async def test_calls_that_come_in_pieces_are_joined_by_index() -> None:
    def piece(index: int, **call: object) -> dict[str, object]:
        return chunk({"tool_calls": [{"index": index, **call}]})

    parts = (
        piece(0, id="c1", type="function", function={"name": "finance_snapshot", "arguments": ""}),
        piece(1, id="c2", function={"name": "made_up", "arguments": '{"b"'}),
        piece(0, function={"arguments": '{"symbol":'}),
        piece(1, function={"arguments": ":1}"}),
        piece(0, function={"arguments": '"A"}'}),
        chunk({}, "tool_calls"),
    )
    async with OpenAIDouble(answers=(parts,)).connected() as service:
        reply = await service.complete(replace(REQUEST, tools=(TOOL,)))
    assert [(each.id, each.tool, each.arguments) for each in reply.tool_requests] == [
        ("c1", "finance.snapshot", '{"symbol":"A"}'),
        ("c2", "made_up", '{"b":1}'),
    ]
    assert reply.text == ""


@pytest.mark.requirement("LLM-31")
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (500, "tools param requires --jinja flag"),
        (400, "registry.ollama.ai/library/tiny does not support tools"),
        (404, "No endpoints found that support tool use"),
    ],
)
async def test_a_server_that_takes_no_tools_is_said_to_take_none(status: int, said: str) -> None:
    answers = (Refused(status=status, body={"error": {"message": said}}),)
    async with OpenAIDouble(answers=answers).connected() as service:
        with pytest.raises(ToolCallingUnsupported, match="takes no tools"):
            await service.complete(replace(REQUEST, tools=(TOOL,)))
        with pytest.raises((ReplyInvalid, ModelUnavailable)) as plain:
            await service.complete(REQUEST)
    assert not isinstance(plain.value, ToolCallingUnsupported)


@pytest.mark.requirement("LLM-3")
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "too big", "code": "context_length_exceeded"}),
        (400, {"message": "request (9 tokens) exceeds the available context size (4 tokens)"}),
        (400, {"message": "too big", "type": "exceed_context_size_error", "code": 400}),
        (400, {"message": "This model's maximum context length is 4 tokens. However, you requested 9."}),
        (400, {"message": "The decoder prompt (length 9) is longer than the maximum model length of 4."}),
        (500, {"message": "the context size has been exceeded"}),
    ],
)
async def test_a_prompt_that_is_too_long_is_recognised(status: int, error: object) -> None:
    answers = (Refused(status=status, body={"error": error}), ({"error": error},))
    async with OpenAIDouble(answers=answers).connected() as service:
        for _ in ("refused at once", "refused inside the stream"):
            with pytest.raises(PromptTooLong) as refused:
                await service.complete(REQUEST)
    assert "NUM_CTX" in refused.value.remedy


@pytest.mark.requirement("LLM-3")
async def test_a_prompt_that_the_server_cut_is_an_error() -> None:
    words = Message(role="user", content="word " * 50)
    parts = (chunk({"content": "a"}, "stop"), usage(20, 1))
    async with OpenAIDouble(answers=(parts,)).connected() as service:
        with pytest.raises(ReplyInvalid, match="read 20 tokens of at least 50"):
            await service.complete(replace(REQUEST, messages=(words,)))


@pytest.mark.requirement("LLM-2")
async def test_a_reply_without_a_finish_reason_is_broken_and_one_with_it_is_whole() -> None:
    async with OpenAIDouble(answers=((chunk({"content": "half"}),),)).connected() as service:
        with pytest.raises(ReplyBroken, match="no end mark"):
            await service.complete(REQUEST)
    async with OpenAIDouble(answers=(WELL,), end_mark=False).connected() as service:
        assert (await service.complete(REQUEST)).text == "Well."


@pytest.mark.parametrize(
    ("parts", "error", "says"),
    [
        ((chunk({"content": "a"}, "length"), usage(9, 256)), ReplyIncomplete, "cut after 256 tokens"),
        ((chunk({"content": "a"}, "content_filter"),), ReplyInvalid, "content_filter"),
        ((chunk({"refusal": "I cannot."}), chunk({}, "stop")), ReplyInvalid, "I cannot"),
        ((chunk({}, "stop"),), ReplyInvalid, "said nothing"),
        (({"choices": "none"},), ReplyInvalid, "no part of a chat"),
        (({"error": {"message": "no memory"}},), ModelNotReady, "no memory"),
    ],
)
async def test_each_other_end_of_a_reply_is_an_error(
    parts: tuple[dict[str, object], ...], error: type[Exception], says: str
) -> None:
    async with OpenAIDouble(answers=(parts,)).connected() as service:
        with pytest.raises(error, match=says):
            await service.complete(REQUEST)


@pytest.mark.requirement("LLM-22")
@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0), ("soon", None)]
)
async def test_how_long_the_server_asks_to_wait_is_carried(header: str, seconds: float | None) -> None:
    busy = Refused(status=429, body={"error": {"message": "slow down"}}, headers={"Retry-After": header})
    async with OpenAIDouble(answers=(busy,)).connected() as service:
        with pytest.raises(ModelNotReady, match="slow down") as refused:
            await service.complete(REQUEST)
    assert refused.value.retry_after_s == seconds


@pytest.mark.parametrize(
    ("status", "code", "error", "says"),
    [
        (429, "insufficient_quota", ModelUnavailable, "quota is used up"),
        (404, "model_not_found", ModelUnavailable, "model"),
        (403, "forbidden", ModelUnavailable, "refused the key"),
        (503, "busy", ModelNotReady, "HTTP 503"),
        (400, "bad", ReplyInvalid, "HTTP 400"),
    ],
)
async def test_each_refusal_names_who_must_react(
    status: int, code: str, error: type[Exception], says: str
) -> None:
    body = {"error": {"message": "no such model here", "code": code}}
    async with OpenAIDouble(answers=(Refused(status=status, body=body),)).connected() as service:
        with pytest.raises(error, match=says) as refused:
            await service.complete(REQUEST)
    assert type(refused.value) is error


# ---- what the server says about its models -------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({"id": MODEL, "max_model_len": 4096}, 4096),
        ({"id": "path.gguf", "aliases": [MODEL], "meta": {"n_ctx": 8192}}, 8192),
        ({"id": MODEL}, None),
    ],
)
async def test_health_tells_the_context_as_the_server_tells_it(entry: object, context: int | None) -> None:
    async with OpenAIDouble(models={"data": [entry]}).connected(num_ctx=2048) as service:
        health = await service.health()
    assert health.context_tokens == context
    assert health.remedy == ""
    told = f"context {context} tokens" if context else "does not tell its context (NUM_CTX=2048 is not sent)"
    assert told in health.detail


async def test_the_context_of_one_slot_counts_not_that_of_all_of_them() -> None:
    models = {"data": [{"id": MODEL, "owned_by": "llamacpp", "meta": {"n_ctx": 16384}}]}
    props = {"default_generation_settings": {"n_ctx": 4096}}
    async with OpenAIDouble(models=models, props=props).connected() as service:
        assert (await service.health()).context_tokens == 4096


async def test_a_server_that_lists_no_models_is_used_and_health_says_so() -> None:
    double = OpenAIDouble(models=Refused(status=404, body="nothing here"))
    async with double.connected() as service:
        assert (await service.complete(REQUEST)).text == "Well."
        assert "does not list its models" in (await service.health()).detail


@pytest.mark.parametrize("models", ["<html>Log in</html>", {"data": "none"}, ["a"]])
async def test_something_that_is_no_such_server_is_refused(models: object) -> None:
    with pytest.raises(ReplyInvalid, match="ends in /v1"):
        async with OpenAIDouble(models=models).connected():
            pytest.fail("it was taken for a model server")


def test_tokens_that_the_server_took_off_the_front_are_left_out() -> None:
    tokens = [TokenChoice(text=text, logprob=-1.0) for text in ("```", "\n{", '"a"', "}")]
    assert [token.text for token in within_text(tokens, '{"a"}')] == ["{", '"a"', "}"]
    assert within_text(tokens, "another text") == ()
