"""Requests and replies in pydantic-ai's words."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from planwarden.contracts.model import Message, ModelUsage, ToolRequest
from planwarden.errors import ReplyIncomplete, ReplyInvalid
from planwarden.llm.openai_chat.refusals import Server
from planwarden.llm.openai_chat.wire import is_strict, object_text, wire_name
from planwarden.llm.service import LLMReply, LLMRequest, ReplyBroken
from planwarden.llm.wire.json_format import servable_schema
from planwarden.llm.wire.tools import own_name, wire_names

REPLY = "reply"
"""The name under which the schema of a reply goes; to models without structured output, as a tool."""


def sent_messages(request: LLMRequest) -> list[ModelMessage]:
    """Give the messages, those of one side joined as the library has them."""
    names = wire_names(request.tools)
    sent: list[ModelMessage] = []
    for message in request.messages:
        if message.role == "assistant":
            sent.append(ModelResponse(parts=_said(message, names)))
            continue
        last = sent[-1] if sent else None
        earlier = list(last.parts) if isinstance(last, ModelRequest) else []
        if earlier:
            sent.pop()
        sent.append(ModelRequest(parts=[*earlier, _asked(message, names)]))
    return sent


def _asked(message: Message, names: Mapping[str, str]) -> ModelRequestPart:
    if message.answers is not None:
        name = wire_name(message.answers.tool, names)
        return ToolReturnPart(tool_name=name, content=message.content, tool_call_id=message.answers.id)
    if message.role == "system":
        return SystemPromptPart(content=message.content)
    return UserPromptPart(content=message.content)


def _said(message: Message, names: Mapping[str, str]) -> list[ModelResponsePart]:
    parts: list[ModelResponsePart] = [TextPart(content=message.content)] if message.content else []
    for each in message.tool_requests:
        arguments = object_text(each.arguments)
        name = wire_name(each.tool, names)
        parts.append(ToolCallPart(tool_name=name, args=arguments, tool_call_id=each.id))
    return parts


def parameters_of(request: LLMRequest, *, native: bool) -> ModelRequestParameters:
    """Give tools and output schema; a model without structured output is made to call `reply` instead."""
    names = wire_names(request.tools)
    tools = [
        ToolDefinition(
            name=names[spec.name],
            description=spec.description,
            parameters_json_schema=servable_schema(spec.parameters),
        )
        for spec in request.tools
    ]
    if request.output_schema is None:
        return ModelRequestParameters(function_tools=tools)
    schema = servable_schema(request.output_schema)
    if native:
        described = OutputObjectDefinition(json_schema=schema, name=REPLY, strict=is_strict(schema))
        return ModelRequestParameters(
            function_tools=tools, output_mode="native", output_object=described, allow_text_output=True
        )
    output = ToolDefinition(name=REPLY, parameters_json_schema=schema, description="Reply.", kind="output")
    return ModelRequestParameters(
        function_tools=tools, output_mode="tool", output_tools=[output], allow_text_output=False
    )


def reply_of(response: ModelResponse, request: LLMRequest, server: Server, *, latency_s: float) -> LLMReply:
    """Read the reply.

    Raises:
        ReplyIncomplete: cut at the limit, or (`ReplyBroken`) not whole.
        ReplyInvalid: filtered, or nothing was said.
    """
    usage = ModelUsage(
        prompt_tokens=response.usage.input_tokens,
        cached_tokens=response.usage.cache_read_tokens,
        output_tokens=response.usage.output_tokens,
        latency_s=latency_s,
    )
    _refuse_other_ends(response, request, server, usage)
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    if request.output_schema is not None:
        text = next((call.args_as_json_str() for call in calls if call.tool_name == REPLY), text)
        calls = [call for call in calls if call.tool_name != REPLY]
    requests = tuple(
        ToolRequest(
            id=call.tool_call_id,
            tool=own_name(call.tool_name, request.tools),
            arguments=call.args if isinstance(call.args, str) else json.dumps(call.args or {}),
        )
        for call in calls
    )
    if not text and not requests:
        raise ReplyInvalid(f"{server.model} said nothing.", remedy="Try again, or use another model.")
    return LLMReply(text=text, usage=usage, tool_requests=requests)


def _refuse_other_ends(
    response: ModelResponse, request: LLMRequest, server: Server, usage: ModelUsage
) -> None:
    if response.finish_reason == "length":
        raise ReplyIncomplete(
            f"The reply was cut after {usage.output_tokens} tokens (limit {request.max_output_tokens},"
            f" prompt {usage.prompt_tokens}).",
            remedy="Raise MAX_OUTPUT_TOKENS.",
            prompt_tokens=usage.prompt_tokens,
            output_tokens=usage.output_tokens,
        )
    if response.state != "complete" or response.finish_reason == "error":
        raise ReplyBroken(f"The reply of {server.model} is not whole.", remedy="Try again.")
    if response.finish_reason == "content_filter":
        raise ReplyInvalid(
            f"{server.model} ended the reply by a content filter.",
            remedy="Put the task differently, or use another model.",
        )
