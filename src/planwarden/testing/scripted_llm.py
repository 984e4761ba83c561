"""Doubles for a model: one follows a script to the letter, one is a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from planwarden.contracts.model import AnswerStyle, ArgumentStyle, ModelIdentity, ModelUsage, ToolRequest
from planwarden.contracts.value import Json
from planwarden.errors import ModelError, ToolCallingUnsupported
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth, TokenChoice

Matcher = Callable[[LLMRequest], bool]
Reply = str | LLMReply | ModelError


def asking(*calls: tuple[str, Mapping[str, Json] | str], text: str = "") -> LLMReply:
    """Make a reply that asks natively for these calls, (tool, arguments); a text is sent as it is, unread."""
    return LLMReply(
        text=text,
        usage=ModelUsage(output_tokens=1),
        tool_requests=tuple(
            ToolRequest(
                id=f"call_{number}",
                tool=tool,
                arguments=arguments if isinstance(arguments, str) else json.dumps(dict(arguments)),
            )
            for number, (tool, arguments) in enumerate(calls, 1)
        ),
    )


class ScriptBroken(AssertionError):
    """The code under test asked something that the script does not hold, or left replies unused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """One reply of a script, used once."""

    reply: Reply
    """The text, the whole reply (with tokens and their alternatives), or the error to raise."""
    when: Matcher | str | None = None
    """Which request it is for: a test of the request, a text that one of its messages contains, or any."""

    def fits(self, request: LLMRequest) -> bool:
        """Say whether this reply is for that request."""
        if isinstance(self.when, str):
            return any(self.when in message.content for message in request.messages)
        return self.when is None or self.when(request)


class ScriptedLLM:
    """Gives each request the first unused reply that fits; leaving its context checks that all were used."""

    def __init__(
        self,
        *script: Scripted | str | LLMReply | ModelError | tuple[Matcher | str | None, Reply],
        answer_style: AnswerStyle = "prose",
        argument_style: ArgumentStyle = "free",
        calls_tools: bool = False,
    ) -> None:
        """Take the script; a bare text, reply or error fits any request, a pair is (when, reply)."""
        self._unused = [_entry(each) for each in script]
        self._identity = _identity("scripted", answer_style, argument_style, calls_tools=calls_tools)
        self.requests: list[LLMRequest] = []
        self.closed = False

    @property
    def identity(self) -> ModelIdentity:
        """Say that this is a script."""
        return self._identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Give the scripted reply, or raise ScriptBroken."""
        _refuse_tools(self._identity, request)
        self.requests.append(request)
        for place, entry in enumerate(self._unused):
            if entry.fits(request):
                del self._unused[place]
                return _as_reply(entry.reply, request)
        asked = "\n".join(f"{each.role}: {each.content}" for each in request.messages)
        raise ScriptBroken(f"unexpected request {len(self.requests)}, {len(self._unused)} unused:\n{asked}")

    async def health(self) -> ModelHealth:
        """Say that all is well."""
        return ModelHealth(reachable=True, present=True, context_tokens=None, detail="scripted")

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def assert_exhausted(self) -> None:
        """Raise ScriptBroken when replies are left."""
        if self._unused:
            raise ScriptBroken(f"{len(self._unused)} replies were never asked for: {self._unused}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.assert_exhausted()


class FunctionLLM:
    """Answers by a function of the request; an error that it returns is raised."""

    def __init__(
        self,
        answer: Callable[[LLMRequest], Reply],
        *,
        answer_style: AnswerStyle = "prose",
        argument_style: ArgumentStyle = "free",
        calls_tools: bool = False,
    ) -> None:
        """Take the function."""
        self._answer = answer
        self._identity = _identity("function", answer_style, argument_style, calls_tools=calls_tools)
        self.requests: list[LLMRequest] = []

    @property
    def identity(self) -> ModelIdentity:
        """Say that this is a function."""
        return self._identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Give what the function gives."""
        _refuse_tools(self._identity, request)
        self.requests.append(request)
        return _as_reply(self._answer(request), request)

    async def health(self) -> ModelHealth:
        """Say that all is well."""
        return ModelHealth(reachable=True, present=True, context_tokens=None, detail="function")

    async def aclose(self) -> None:
        """Hold nothing, give nothing back."""


def _identity(
    provider: str, answer_style: AnswerStyle, argument_style: ArgumentStyle, *, calls_tools: bool
) -> ModelIdentity:
    return ModelIdentity(
        provider=provider,
        model=provider,
        chosen_because="a test double",
        answer_style=answer_style,
        argument_style=argument_style,
        calls_tools=calls_tools,
    )


def _refuse_tools(identity: ModelIdentity, request: LLMRequest) -> None:
    if request.tools and not identity.calls_tools:
        raise ToolCallingUnsupported(f"The {identity.model} model takes no tools.", remedy="Script it so.")


def _entry(
    given: Scripted | Reply | tuple[Matcher | str | None, Reply],
) -> Scripted:
    match given:
        case Scripted():
            return given
        case (when, reply):
            return Scripted(when=when, reply=reply)
        case _:
            return Scripted(reply=given)


def _as_reply(reply: Reply, request: LLMRequest) -> LLMReply:
    match reply:
        case ModelError():
            raise reply
        case LLMReply():
            return reply
        case _:
            words = sum(len(message.content.split()) for message in request.messages)
            tokens = (TokenChoice(text=reply, logprob=0.0),) if request.top_logprobs else ()
            usage = ModelUsage(prompt_tokens=words + 1, output_tokens=len(reply.split()) + 1)
            return LLMReply(text=reply, usage=usage, tokens=tokens)
