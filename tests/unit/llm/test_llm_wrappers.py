"""Retries share one deadline; a limit keeps the rest in line; the doubles are strict."""

import asyncio
from datetime import UTC, datetime

import pytest

from planwarden.contracts.model import Message
from planwarden.errors import (
    ModelError,
    ModelTimedOut,
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
)
from planwarden.llm.service import LLMReply, LLMRequest, ModelNotReady, ReplyBroken
from planwarden.llm.wrappers.limited import LimitedLLM
from planwarden.llm.wrappers.retrying import RetryingLLM
from planwarden.testing.scripted_llm import FunctionLLM, ScriptBroken, Scripted, ScriptedLLM

pytestmark = pytest.mark.anyio

REQUEST = LLMRequest(messages=(Message(role="user", content="plan AAPL"),), timeout_s=10.0)
TRANSIENT: list[type[ModelError]] = [ModelNotReady, ReplyInvalid, ReplyBroken]
FINAL: list[type[ModelError]] = [ModelUnavailable, ReplyIncomplete, PromptTooLong, ModelTimedOut]


class HandClock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def retrying(inner: ScriptedLLM | FunctionLLM, clock: HandClock, **more: float) -> RetryingLLM:
    return RetryingLLM(inner, clock=clock, sleep=clock.sleep, pause_s=more.get("pause_s", 0.5))


@pytest.mark.requirement("LLM-11")
class TestRetrying:
    @pytest.mark.parametrize("lost", TRANSIENT)
    async def test_a_lost_reply_is_asked_for_again_with_the_time_that_is_left(
        self, lost: type[ModelError]
    ) -> None:
        clock = HandClock()
        with ScriptedLLM(lost("lost", remedy=""), lost("lost", remedy=""), "whole") as inner:
            reply = await retrying(inner, clock).complete(REQUEST)
        assert reply.text == "whole"
        assert [request.timeout_s for request in inner.requests] == [10.0, 9.5, 8.5]

    @pytest.mark.parametrize("final", FINAL)
    async def test_what_another_try_cannot_mend_is_not_tried_again(self, final: type[ModelError]) -> None:
        with ScriptedLLM(final("no", remedy="")) as inner, pytest.raises(final):
            await retrying(inner, HandClock()).complete(REQUEST)

    async def test_the_last_error_comes_through_when_tries_are_used_up(self) -> None:
        errors = [ReplyInvalid(f"try {number}", remedy="") for number in (1, 2, 3)]
        with ScriptedLLM(*errors) as inner, pytest.raises(ReplyInvalid, match="try 3"):
            await retrying(inner, HandClock()).complete(REQUEST)

    async def test_the_deadline_covers_all_tries(self) -> None:
        clock = HandClock()

        def slow(_: LLMRequest) -> ModelError:
            clock.seconds += 6
            return ReplyBroken("cut off", remedy="look")

        inner = FunctionLLM(slow)
        with pytest.raises(ModelTimedOut, match=r"10 s, after 2 tries: cut off") as late:
            await retrying(inner, clock).complete(REQUEST)
        assert (len(inner.requests), late.value.remedy) == (2, "look")

    async def test_it_is_the_model_it_wraps(self) -> None:
        inner = ScriptedLLM()
        service = retrying(inner, HandClock())
        assert service.identity is inner.identity
        assert (await service.health()).present
        await service.aclose()
        assert inner.closed


class Slow(FunctionLLM):
    """Answers only when told to; counts how many are in at once."""

    def __init__(self) -> None:
        super().__init__(lambda _: "done")
        self.go = asyncio.Event()
        self.full = asyncio.Event()
        self.inside = self.most = 0

    async def complete(self, request: LLMRequest) -> LLMReply:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == 2:
            self.full.set()
        await self.go.wait()
        self.inside -= 1
        return await super().complete(request)


@pytest.mark.requirement("LLM-11")
class TestLimited:
    async def test_no_more_than_the_limit_are_in_at_once_and_all_get_through(self) -> None:
        inner = Slow()
        service = LimitedLLM(inner, clock=HandClock(), concurrent=2)
        asking = asyncio.gather(*(service.complete(REQUEST) for _ in range(5)))
        await inner.full.wait()
        inner.go.set()
        assert [reply.text for reply in await asking] == ["done"] * 5
        assert inner.most == 2

    async def test_waiting_in_line_spends_the_requests_own_time(self) -> None:
        inner, clock = Slow(), HandClock()
        service = LimitedLLM(inner, clock=clock, concurrent=2)
        held = asyncio.gather(service.complete(REQUEST), service.complete(REQUEST))
        await inner.full.wait()
        with pytest.raises(ModelTimedOut, match="in line"):
            await service.complete(LLMRequest(messages=(), timeout_s=0.01))
        third = asyncio.ensure_future(service.complete(REQUEST))
        await asyncio.wait({third}, timeout=0)
        clock.seconds += 4
        inner.go.set()
        await asyncio.gather(held, third)
        assert sorted(request.timeout_s for request in inner.requests) == [6.0, 10.0, 10.0]

    async def test_a_failure_and_a_cancelled_wait_give_their_places_back(self) -> None:
        inner = FunctionLLM(lambda _: ReplyInvalid("no", remedy=""))
        service = LimitedLLM(inner, clock=HandClock(), concurrent=1)
        for _ in range(3):
            with pytest.raises(ReplyInvalid):
                await service.complete(REQUEST)

    async def test_it_is_the_model_it_wraps(self) -> None:
        inner = ScriptedLLM()
        service = LimitedLLM(inner, clock=HandClock(), concurrent=1)
        assert service.identity is inner.identity
        assert (await service.health()).present
        await service.aclose()
        assert inner.closed


@pytest.mark.requirement("LLM-12")
class TestScriptedLLM:
    async def test_each_request_gets_the_first_unused_reply_that_fits(self) -> None:
        script = (
            ("MSFT", "for MSFT"),
            Scripted(when=lambda request: request.temperature > 0, reply="warm"),
            "any",
        )
        with ScriptedLLM(*script) as llm:
            assert (await llm.complete(REQUEST)).text == "any"
            assert (await llm.complete(LLMRequest(messages=(), temperature=1))).text == "warm"
            asked = LLMRequest(messages=(Message(role="user", content="plan MSFT"),), top_logprobs=2)
            reply = await llm.complete(asked)
        assert "".join(token.text for token in reply.tokens) == reply.text == "for MSFT"
        assert reply.usage.output_tokens

    async def test_an_unexpected_request_fails_and_shows_what_was_asked(self) -> None:
        llm = ScriptedLLM(("MSFT", "for MSFT"))
        with pytest.raises(ScriptBroken, match="plan AAPL"):
            await llm.complete(REQUEST)

    async def test_unused_replies_fail(self) -> None:
        with pytest.raises(ScriptBroken, match="1 replies were never asked for"), ScriptedLLM("unused"):
            pass

    async def test_a_failure_inside_is_not_hidden_by_unused_replies(self) -> None:
        with pytest.raises(ZeroDivisionError), ScriptedLLM("unused"):
            raise ZeroDivisionError

    async def test_a_scripted_error_is_raised(self) -> None:
        with ScriptedLLM(PromptTooLong("long", remedy="")) as llm, pytest.raises(PromptTooLong):
            await llm.complete(REQUEST)
