"""Every adapter × every fault, through the product's own stack: each row of the guide's table is true."""

import asyncio
from contextlib import suppress

import pytest
from model_faults import GUARD_S, PROVIDERS, HandClock, asked_through, documented, matrix, request

from planwarden.errors import ModelCircuitOpen, ModelError, ModelTimedOut
from planwarden.llm.wrappers.resilience import Resilience
from planwarden.testing.model_server import FAULTS, Fault

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-20")]

SAID = {provider: documented(provider) for provider in PROVIDERS}
HANGS: frozenset[Fault] = frozenset({"silent", "stalled", "slow"})
SHORT_S = 0.3
SECONDS_AND_DATES = [
    ("7", 7.0),
    ("Thu, 01 Jan 2026 00:00:05 GMT", 5.0),
    ("0", 0.2),
]
DATED = [provider for provider in PROVIDERS if provider != "pydantic-ai"]
"""Those that understand a date by the clock they are given; the library goes by the machine's."""
each_provider = pytest.mark.parametrize("provider", PROVIDERS)
each_fault = pytest.mark.parametrize(("provider", "fault"), matrix())


def asked(fault: Fault) -> float:
    """Give a deadline: only a fault that hangs is waited for."""
    return SHORT_S if fault in HANGS else GUARD_S


def test_the_guide_has_a_row_for_every_fault() -> None:
    assert set(SAID["ollama"]) == set(FAULTS)


@each_fault
async def test_each_fault_ends_as_the_guide_says(provider: str, fault: Fault) -> None:
    clock, said = HandClock(), SAID[provider][fault]
    async with asyncio.timeout(GUARD_S), asked_through(provider, clock) as (server, service):
        server.strike(fault)
        ends, told = "reply", ""
        try:
            reply = await service.complete(request(timeout_s=asked(fault)))
        except ModelError as error:
            ends, told = error.code, error.message
            remedy = error.remedy
        else:
            remedy = reply.text
        assert remedy
        assert ends == said.ends, told
        assert len(clock.slept) == (2 if said.tried_again else 0), told
        assert ("Tried 3 times." in told) is said.tried_again
        if fault != "refused":
            assert len(server.chats) == (3 if said.tried_again else 1)


@pytest.mark.requirement("LLM-23")
@each_fault
async def test_each_fault_counts_for_the_circuit_as_the_guide_says(provider: str, fault: Fault) -> None:
    once = Resilience(retries=0, circuit_failures=1)
    async with (
        asyncio.timeout(GUARD_S),
        asked_through(provider, HandClock(), once) as (server, service),
    ):
        server.strike(fault)
        outcomes: list[str] = []
        for _ in range(2):
            try:
                await service.complete(request(timeout_s=asked(fault)))
                outcomes.append("reply")
            except ModelError as error:
                outcomes.append(error.code)
    first = SAID[provider][fault].ends
    assert outcomes == [first, ModelCircuitOpen.code if SAID[provider][fault].counts else first]


@pytest.mark.requirement("LLM-21")
@each_fault
async def test_no_fault_leaves_a_connection_or_a_task_behind(provider: str, fault: Fault) -> None:
    before = asyncio.all_tasks()
    async with asyncio.timeout(GUARD_S):
        async with asked_through(provider, HandClock()) as (server, service):
            server.strike(fault)
            with suppress(ModelError):
                await service.complete(request(timeout_s=asked(fault)))
            await server.all_left()
            assert server.open_connections == 0
        while closing := asyncio.all_tasks() - before:  # of httpcore's own generators: they end at once
            await asyncio.wait(closing)


@pytest.mark.requirement("LLM-21")
@each_provider
async def test_a_caller_who_leaves_takes_the_connection_along(provider: str) -> None:
    async with (
        asyncio.timeout(GUARD_S),
        asked_through(provider, HandClock()) as (server, service),
    ):
        server.strike("stalled")
        asking = asyncio.ensure_future(service.complete(request()))
        await server.asked()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.all_left()


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("provider", "fault"),
    [(name, fault) for name, fault in matrix() if SAID[name][fault].tried_again and fault != "refused"],
)
async def test_a_storm_that_passes_is_lived_through(provider: str, fault: Fault, times: int) -> None:
    clock = HandClock()
    async with asyncio.timeout(GUARD_S), asked_through(provider, clock) as (server, service):
        server.strike(fault, times=times)
        reply = await service.complete(request())
        assert reply.text == "".join(server.reply)
        assert len(server.chats) == times + 1
    assert clock.slept == [0.2, 0.4][:times]


@pytest.mark.requirement("LLM-22")
@pytest.mark.parametrize("fault", ["status_429", "status_503"])
@pytest.mark.parametrize(
    ("provider", "header", "waits"),
    [
        (provider, header, waits)
        for provider in PROVIDERS
        for header, waits in SECONDS_AND_DATES
        if header.isdigit() or provider in DATED
    ],
)
async def test_a_server_that_says_when_is_asked_again_then(
    provider: str, fault: Fault, header: str, waits: float
) -> None:
    clock = HandClock()
    async with asyncio.timeout(GUARD_S), asked_through(provider, clock) as (server, service):
        server.strike(fault, times=1, retry_after=header)
        assert (await service.complete(request())).text
    assert clock.slept == [waits]


@pytest.mark.requirement("LLM-22")
@pytest.mark.parametrize(
    ("provider", "header"),
    [
        *((provider, "3600") for provider in PROVIDERS),
        *((provider, "Thu, 01 Jan 2026 01:00:00 GMT") for provider in DATED),
    ],
)
async def test_a_server_that_says_a_time_past_the_deadline_is_not_waited_for(
    provider: str, header: str
) -> None:
    clock = HandClock()
    async with asyncio.timeout(GUARD_S), asked_through(provider, clock) as (server, service):
        server.strike("status_429", retry_after=header)
        with pytest.raises(ModelTimedOut, match=r"after 1 try \(the server asks to wait 3600 s\)"):
            await service.complete(request())
        assert len(server.chats) == 1
    assert clock.slept == []


@each_provider
async def test_a_request_without_time_is_not_sent(provider: str) -> None:
    async with asked_through(provider, HandClock()) as (server, service):
        for timeout_s in (0.0, -3.0, float("nan")):
            with pytest.raises(ModelTimedOut, match="was not asked"):
                await service.complete(request(timeout_s=timeout_s))
        assert server.chats == []
