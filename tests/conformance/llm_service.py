"""What every LLMService does, whichever model is behind it. Used by test_llm_services.py, one class each."""

import asyncio
import json
from dataclasses import replace

import jsonschema
import pytest

from planwarden.contracts.model import Message, ToolRequest
from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.errors import ModelTimedOut, PromptTooLong, ReplyIncomplete, ToolCallingUnsupported
from planwarden.llm.service import LLMRequest, LLMService

CONTEXT_TOKENS = 768
"""What each service of the suite is opened with."""

SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {
        "tools": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": {"enum": ["finance.snapshot", "research.search"]},
        },
        "agent": {"enum": ["finance_agent", "research_agent"]},
    },
    "required": ["tools", "agent"],
    "additionalProperties": False,
}


TOOL = ToolSpec(
    name="finance.snapshot",
    description="Give the price of a share.",
    effect="read",
    parameters={
        "type": "object",
        "properties": {"symbol": {"type": "string", "pattern": "^[A-Z]{1,5}$"}},
        "required": ["symbol"],
        "additionalProperties": False,
    },
)


def request(prompt: str = "Choose the agent for the price of AAPL.") -> LLMRequest:
    return LLMRequest(
        messages=(Message(role="system", content="You plan."), Message(role="user", content=prompt)),
        output_schema=SCHEMA,
        max_output_tokens=120,
        top_logprobs=3,
        timeout_s=120,
    )


class LLMServiceSuite:
    """Subclasses give the fixture `service`, and say what their provider cannot tell."""

    reports_tokens = True
    tells_context = True
    tells_digest = True

    @pytest.mark.requirement("LLM-1")
    async def test_a_constrained_reply_is_json_that_fits_the_schema(self, service: LLMService) -> None:
        reply = await service.complete(request())
        found = json.loads(reply.text)
        jsonschema.validate(found, SCHEMA)
        assert list(found) == ["tools", "agent"], "properties come in the schema's order"

    @pytest.mark.requirement("LLM-1")
    async def test_tokens_with_alternatives_add_up_to_the_reply(self, service: LLMService) -> None:
        reply = await service.complete(request())
        if not self.reports_tokens:
            assert reply.tokens == ()
            return
        assert "".join(token.text for token in reply.tokens) == reply.text
        assert all(token.logprob <= 0 for token in reply.tokens)
        assert max(len(token.alternatives) for token in reply.tokens) == 3

    async def test_no_tokens_are_reported_when_none_are_asked_for(self, service: LLMService) -> None:
        reply = await service.complete(replace(request(), top_logprobs=0))
        assert reply.tokens == ()

    async def test_usage_is_counted(self, service: LLMService) -> None:
        usage = (await service.complete(request())).usage
        assert usage.prompt_tokens > 10
        assert usage.output_tokens > 5
        assert usage.latency_s > 0

    async def test_the_same_seed_without_temperature_says_the_same_again(self, service: LLMService) -> None:
        first = await service.complete(request())
        again = await service.complete(request())
        assert first.text == again.text

    @pytest.mark.requirement("LLM-2")
    async def test_a_reply_cut_at_the_limit_is_an_error(self, service: LLMService) -> None:
        with pytest.raises(ReplyIncomplete, match="limit 3") as cut:
            await service.complete(
                replace(request("Count to fifty."), output_schema=None, max_output_tokens=3)
            )
        assert "MAX_OUTPUT_TOKENS" in cut.value.remedy

    @pytest.mark.requirement("LLM-3")
    async def test_a_prompt_that_does_not_fit_is_refused_not_cut(self, service: LLMService) -> None:
        with pytest.raises(PromptTooLong, match=str(CONTEXT_TOKENS)) as refused:
            await service.complete(request("word " * 2 * CONTEXT_TOKENS))
        assert "NUM_CTX" in refused.value.remedy

    @pytest.mark.requirement("LLM-4")
    async def test_a_deadline_that_passes_is_an_error_and_the_next_request_works(
        self, service: LLMService
    ) -> None:
        with pytest.raises(ModelTimedOut, match=r"0\.001 s"):
            await service.complete(replace(request(), timeout_s=0.001))
        assert (await service.complete(request())).text

    @pytest.mark.requirement("LLM-4")
    async def test_a_cancelled_request_leaves_the_service_usable(self, service: LLMService) -> None:
        long = replace(request("Tell a long story."), output_schema=None, max_output_tokens=700)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await service.complete(long)
        assert (await service.complete(request())).text

    async def test_any_script_goes_in_and_comes_out_whole(self, service: LLMService) -> None:
        word = "日本語 ünïcödé 🦙"
        schema: JsonSchema = {
            "type": "object",
            "properties": {"word": {"enum": [word]}},
            "required": ["word"],
            "additionalProperties": False,
        }
        reply = await service.complete(replace(request(f"Was heißt {word}؟ \u202e"), output_schema=schema))
        assert json.loads(reply.text) == {"word": word}
        if self.reports_tokens:
            assert "".join(token.text for token in reply.tokens) == reply.text

    @pytest.mark.requirement("LLM-31")
    async def test_tools_are_taken_by_a_model_that_says_so_and_else_refused(
        self, service: LLMService
    ) -> None:
        offered = replace(request(), output_schema=None, tools=(TOOL,), top_logprobs=0)
        if not service.identity.calls_tools:
            with pytest.raises(ToolCallingUnsupported):
                await service.complete(offered)
            return
        asked = ToolRequest(id="c1", tool=TOOL.name, arguments='{"symbol":"AAPL"}')
        earlier = (
            Message(role="assistant", content="", tool_requests=(asked,)),
            Message(role="tool", content='{"price": 190.5}', answers=asked),
        )
        reply = await service.complete(replace(offered, messages=(*offered.messages, *earlier)))
        assert reply.text or reply.tool_requests
        assert {each.tool for each in reply.tool_requests} <= {TOOL.name}

    @pytest.mark.requirement("LLM-14")
    async def test_a_model_that_takes_no_tools_says_so_and_one_that_does_may_ask_for_those_offered(
        self, service: LLMService
    ) -> None:
        parameters: JsonSchema = {"type": "object", "properties": {}, "additionalProperties": False}
        tool = ToolSpec(
            name="utils.clock", description="Say what time it is.", effect="read", parameters=parameters
        )
        offered = replace(request("What time is it?"), output_schema=None, top_logprobs=0, tools=(tool,))
        if not service.identity.calls_tools:
            with pytest.raises(ToolCallingUnsupported) as refused:
                await service.complete(offered)
            assert "directed" in refused.value.remedy
        else:
            reply = await service.complete(offered)
            assert reply.text or reply.tool_requests
            assert all(each.id for each in reply.tool_requests)

    async def test_health_names_the_context_in_force(self, service: LLMService) -> None:
        health = await service.health()
        assert health.reachable
        assert health.present
        assert health.context_tokens == (CONTEXT_TOKENS if self.tells_context else None)
        assert bool(service.identity.digest) == self.tells_digest
