"""A stand-in answers when the first model cannot be had, in the same request's time, and says so."""

from datetime import UTC, datetime

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
    ToolCallingUnsupported,
)
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth, ModelNotReady, Question, ReplyBroken
from planwarden.llm.wrappers.stand_in import StandInLLM
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-24")]

SMALL = Question(messages=(Message(role="user", content="simply"),), output_schema={"enum": [1]})
REQUEST = LLMRequest(
    messages=(Message(role="user", content="plan"),), output_schema={"enum": [2]}, timeout_s=60, simpler=SMALL
)


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    "kind", [ModelUnavailable, ModelCircuitOpen, ModelTimedOut, ModelNotReady, ReplyBroken]
)
async def test_it_answers_when_the_first_model_cannot_be_had(kind: type[ModelError]) -> None:
    with ScriptedLLM(kind("Nobody home.", remedy="")) as first, ScriptedLLM("I do") as second:
        reply = await StandInLLM(first, second, clock=HandClock()).complete(REQUEST)
    assert reply.text == "I do"
    assert reply.answered_by is not None
    assert reply.answered_by.model == "scripted"
    assert reply.answered_by.chosen_because == f"stands in for scripted ({kind.code}): Nobody home."


@pytest.mark.parametrize("kind", [ReplyIncomplete, PromptTooLong, ToolCallingUnsupported])
async def test_it_is_not_asked_what_the_first_model_could_answer_otherwise(kind: type[ModelError]) -> None:
    with ScriptedLLM(kind("no", remedy="")) as first, ScriptedLLM() as second, pytest.raises(kind):
        await StandInLLM(first, second, clock=HandClock()).complete(REQUEST)


async def test_a_reply_of_the_first_model_is_its_own() -> None:
    with ScriptedLLM("mine") as first, ScriptedLLM() as second:
        service = StandInLLM(first, second, clock=HandClock())
        reply = await service.complete(REQUEST)
    assert (reply.text, reply.answered_by, service.identity) == ("mine", None, first.identity)


@pytest.mark.parametrize(("timeout_s", "first_gets"), [(60.0, 40.0), (180.0, 150.0)])
async def test_some_of_the_time_is_kept_back_for_it(timeout_s: float, first_gets: float) -> None:
    clock = HandClock()

    def stalls(request: LLMRequest) -> ModelError:
        clock.seconds += request.timeout_s
        return ModelTimedOut("late", remedy="")

    first, second = FunctionLLM(stalls), FunctionLLM(lambda _: "in time")
    request = LLMRequest(messages=REQUEST.messages, timeout_s=timeout_s)
    await StandInLLM(first, second, clock=clock).complete(request)
    assert first.requests[0].timeout_s == pytest.approx(first_gets)
    assert second.requests[0].timeout_s == pytest.approx(timeout_s - first_gets)


@pytest.mark.parametrize(("style", "asked"), [("grounded", SMALL.messages), ("free", REQUEST.messages)])
async def test_a_small_one_is_asked_the_simpler_question(style: str, asked: tuple[Message, ...]) -> None:
    down = FunctionLLM(lambda _: ModelUnavailable("gone", remedy=""))
    second = FunctionLLM(lambda _: "1", argument_style="grounded" if style == "grounded" else "free")
    await StandInLLM(down, second, clock=HandClock()).complete(REQUEST)
    assert second.requests[0].messages == asked
    assert second.requests[0].output_schema == ({"enum": [1]} if style == "grounded" else {"enum": [2]})


@pytest.mark.parametrize(
    "error", [ReplyIncomplete("cut", remedy=""), ModelFileRejected("no weights", remedy="")]
)
async def test_when_it_fails_too_the_first_models_error_names_both(
    error: ModelError | ModelFileRejected,
) -> None:
    class Failing(FunctionLLM):
        async def complete(self, request: LLMRequest) -> LLMReply:
            raise error

    first = ScriptedLLM(ModelNotReady("Nobody home.", remedy="Start it.", retry_after_s=3))
    service = StandInLLM(first, Failing(lambda _: ""), clock=HandClock())
    with pytest.raises(ModelNotReady, match=f"Nobody home.*stand-in.*{error.message}") as both:
        await service.complete(REQUEST)
    assert (both.value.remedy, both.value.retry_after_s) == ("Start it.", 3)


async def test_that_it_takes_no_tools_is_said_so_that_the_step_can_go_on_without() -> None:
    first = ScriptedLLM(ModelUnavailable("Nobody home.", remedy=""))
    second = ScriptedLLM(ToolCallingUnsupported("takes none", remedy=""))
    with pytest.raises(ToolCallingUnsupported, match="Nobody home"):
        await StandInLLM(first, second, clock=HandClock()).complete(REQUEST)


async def test_health_says_what_would_answer() -> None:
    class Gone(ScriptedLLM):
        async def health(self) -> ModelHealth:
            return ModelHealth(reachable=False, present=False, context_tokens=None, detail="Nobody home.")

    health = await StandInLLM(Gone(), ScriptedLLM(), clock=HandClock()).health()
    assert (health.present, health.detail) == (False, "Nobody home. scripted stands in")
    assert (await StandInLLM(ScriptedLLM(), ScriptedLLM(), clock=HandClock()).health()).detail == "scripted"


async def test_both_are_closed_with_it() -> None:
    first, second = ScriptedLLM(), ScriptedLLM()
    await StandInLLM(first, second, clock=HandClock()).aclose()
    assert first.closed
    assert second.closed
