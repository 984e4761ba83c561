"""A circuit opens after failures in a row, refuses at once, and lets one request try again."""

import asyncio
from datetime import UTC, datetime

import pytest

from planwarden.contracts.model import Message
from planwarden.errors import (
    ModelCircuitOpen,
    ModelError,
    ModelTimedOut,
    ModelUnavailable,
    PromptTooLong,
    ReplyIncomplete,
    ReplyInvalid,
    ToolCallingUnsupported,
)
from planwarden.llm.service import LLMReply, LLMRequest, ModelNotReady, ReplyBroken
from planwarden.llm.wrappers.circuit import CircuitLLM
from planwarden.llm.wrappers.resilience import Resilience, resilient
from planwarden.testing.scripted_llm import FunctionLLM, ScriptedLLM

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-23")]

REQUEST = LLMRequest(messages=(Message(role="user", content="plan"),), timeout_s=10.0)
OUTAGES: list[type[ModelError]] = [ModelUnavailable, ModelNotReady, ModelTimedOut, ReplyBroken, ReplyInvalid]
OF_A_WORKING_MODEL: list[type[ModelError]] = [ReplyIncomplete, PromptTooLong, ToolCallingUnsupported]


class HandClock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


def down(kind: type[ModelError] = ModelNotReady) -> ModelError:
    return kind("Nobody home.", remedy="Start it.")


async def outcome(service: CircuitLLM) -> str:
    try:
        return (await service.complete(REQUEST)).text
    except ModelError as error:
        return error.code


@pytest.mark.parametrize("kind", OUTAGES)
async def test_failures_in_a_row_open_it_and_then_the_model_is_not_asked(kind: type[ModelError]) -> None:
    clock = HandClock()
    with ScriptedLLM(*[down(kind)] * 3) as inner:
        service = CircuitLLM(inner, clock=clock, failures=3, pause_s=30)
        assert [await outcome(service) for _ in range(3)] == [kind.code] * 3
        clock.seconds += 10
        with pytest.raises(
            ModelCircuitOpen, match=r"failed 3 times.*again in 20\.0 s.*Nobody home"
        ) as refused:
            await service.complete(REQUEST)
    assert refused.value.remedy == "Start it."
    assert len(inner.requests) == 3


@pytest.mark.parametrize("kind", OF_A_WORKING_MODEL)
async def test_an_error_that_only_a_working_model_gives_ends_the_row(kind: type[ModelError]) -> None:
    with ScriptedLLM(down(), down(kind), down(), "up") as inner:
        service = CircuitLLM(inner, clock=HandClock(), failures=2)
        seen = [await outcome(service) for _ in range(4)]
    assert seen == ["model_unavailable", kind.code, "model_unavailable", "up"]


async def test_a_reply_ends_the_row() -> None:
    with ScriptedLLM(down(), "up", down(), "up") as inner:
        service = CircuitLLM(inner, clock=HandClock(), failures=2)
        assert "model_circuit_open" not in [await outcome(service) for _ in range(4)]


async def test_after_the_pause_a_reply_closes_it() -> None:
    clock = HandClock()
    with ScriptedLLM(down(), "up", "up again") as inner:
        service = CircuitLLM(inner, clock=clock, failures=1, pause_s=30)
        assert await outcome(service) == "model_unavailable"
        clock.seconds += 30
        assert [await outcome(service) for _ in range(2)] == ["up", "up again"]


async def test_after_the_pause_a_failure_opens_it_for_another_whole_pause() -> None:
    clock = HandClock()
    with ScriptedLLM(down(), down(), down(), "up") as inner:
        service = CircuitLLM(inner, clock=clock, failures=2, pause_s=30)
        assert [await outcome(service) for _ in range(2)] == ["model_unavailable"] * 2
        clock.seconds += 30
        assert await outcome(service) == "model_unavailable"
        clock.seconds += 29
        assert await outcome(service) == "model_circuit_open"
        clock.seconds += 1
        assert await outcome(service) == "up"


class Gate(FunctionLLM):
    """Fails at once; of those that come while `waits`, the first waits for `go` and is answered."""

    def __init__(self) -> None:
        super().__init__(lambda _: down())
        self.waits = False
        self.asked = 0
        self.go = asyncio.Event()
        self.inside = asyncio.Event()

    async def complete(self, request: LLMRequest) -> LLMReply:
        self.asked += 1
        if self.waits and not self.inside.is_set():
            self.inside.set()
            await self.go.wait()
            return await FunctionLLM(lambda _: "up").complete(request)
        return await super().complete(request)


async def test_while_one_request_tries_the_others_are_refused() -> None:
    clock, inner = HandClock(), Gate()
    service = CircuitLLM(inner, clock=clock, failures=1, pause_s=30)
    assert await outcome(service) == "model_unavailable"
    clock.seconds += 30
    inner.waits = True
    trial = asyncio.ensure_future(outcome(service))
    await inner.inside.wait()
    with pytest.raises(ModelCircuitOpen, match="being tried again now"):
        await service.complete(REQUEST)
    assert inner.asked == 2
    inner.go.set()
    assert await trial == "up"
    assert await outcome(service) == "model_unavailable", "asked again: it is closed"


async def test_a_trial_whose_caller_left_says_nothing_and_the_next_one_tries() -> None:
    clock, inner = HandClock(), Gate()
    service = CircuitLLM(inner, clock=clock, failures=1, pause_s=30)
    assert await outcome(service) == "model_unavailable"
    clock.seconds += 30
    inner.waits = True
    trial = asyncio.ensure_future(outcome(service))
    await inner.inside.wait()
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    assert await outcome(service) == "model_unavailable", "asked again, at once"


async def test_stragglers_that_were_asked_before_it_opened_do_not_prolong_the_pause() -> None:
    clock = HandClock()
    fails = asyncio.Event()

    class Late(FunctionLLM):
        async def complete(self, request: LLMRequest) -> LLMReply:
            if request.seed == 1:
                await fails.wait()
            return await super().complete(request)

    service = CircuitLLM(Late(lambda _: down()), clock=clock, failures=1, pause_s=30)
    late = asyncio.ensure_future(service.complete(LLMRequest(messages=(), seed=1)))
    await asyncio.wait({late}, timeout=0)
    assert await outcome(service) == "model_unavailable"
    clock.seconds += 29
    fails.set()
    with pytest.raises(ModelNotReady):
        await late
    clock.seconds += 1
    assert await outcome(service) == "model_unavailable", "asked again, 30 s after it opened"


async def test_retries_count_and_stop_when_it_opens() -> None:
    inner = FunctionLLM(lambda _: down())
    clock = HandClock()

    async def sleep(seconds: float) -> None:
        clock.seconds += seconds

    knobs = Resilience(retries=9, circuit_failures=4)
    service = resilient(inner, clock=clock, resilience=knobs, sleep=sleep)
    with pytest.raises(ModelCircuitOpen, match=r"Nobody home\. Tried 5 times\."):
        await service.complete(REQUEST)
    assert len(inner.requests) == 4


async def test_with_0_failures_it_never_opens() -> None:
    inner = FunctionLLM(lambda _: down())
    service = resilient(inner, clock=HandClock(), resilience=Resilience(retries=0, circuit_failures=0))
    for _ in range(20):
        with pytest.raises(ModelNotReady):
            await service.complete(REQUEST)
    assert len(inner.requests) == 20


async def test_it_is_the_model_it_wraps() -> None:
    inner = ScriptedLLM()
    service = CircuitLLM(inner, clock=HandClock())
    assert service.identity is inner.identity
    assert (await service.health()).present
    await service.aclose()
    assert inner.closed
