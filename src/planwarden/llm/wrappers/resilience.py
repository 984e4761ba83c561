"""How the product asks a model: adapter, circuit, retries and stand-in, put together in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from planwarden.contracts.clock import Clock
from planwarden.llm.service import LLMService
from planwarden.llm.wrappers.circuit import CircuitLLM
from planwarden.llm.wrappers.retrying import RetryingLLM
from planwarden.llm.wrappers.stand_in import StandInLLM


@dataclass(frozen=True, slots=True, kw_only=True)
class Resilience:
    """What is done about a model that fails."""

    retries: int = 2
    circuit_failures: int = 5
    """0: the circuit never opens."""
    circuit_pause_s: float = 30.0


def resilient(
    adapter: LLMService,
    *,
    clock: Clock,
    resilience: Resilience,
    stand_in: LLMService | None = None,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> LLMService:
    """Wrap an adapter as the product does; each try counts for the circuit, all share one deadline."""
    service = adapter
    if resilience.circuit_failures:
        service = CircuitLLM(
            service,
            clock=clock,
            failures=resilience.circuit_failures,
            pause_s=resilience.circuit_pause_s,
        )
    service = RetryingLLM(service, clock=clock, attempts=resilience.retries + 1, sleep=sleep)
    return service if stand_in is None else StandInLLM(service, stand_in, clock=clock)
