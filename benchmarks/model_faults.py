"""How each fault of a model server ends for each adapter, and how long that takes against its deadline.

Ends with 1 when any fault ends without a typed error or later than 1.2 times its deadline.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from planwarden.app.system import SystemClock
from planwarden.contracts.clock import Clock
from planwarden.contracts.model import Message
from planwarden.errors import ModelError
from planwarden.llm.library_model.opening import open_library_model
from planwarden.llm.ollama.service import OllamaLLM
from planwarden.llm.openai_chat.service import OpenAIChatLLM
from planwarden.llm.service import LLMRequest, LLMService
from planwarden.llm.wrappers.resilience import Resilience, resilient
from planwarden.testing.model_server import FAULTS, Fault, MisbehavingServer

DEADLINE_S = 5.0
MOST = 1.2
RETRY_AFTER: dict[Fault, str] = {"status_429": "1", "status_503": "3600"}


async def _library(*, base_url: str, model: str, clock: Clock) -> LLMService:
    return open_library_model(
        f"openai-chat:{model}", clock=clock, api_key="k", base_url=f"{base_url}/v1", setting="LLM__{}".format
    )


ADAPTERS: Mapping[str, Callable[..., Awaitable[LLMService]]] = {
    "ollama": OllamaLLM.connect,
    "openai": OpenAIChatLLM.connect,
    "pydantic-ai": _library,
}


async def main() -> int:
    """Print the table; say how many rows are wrong."""
    wrong = 0
    chosen = os.environ.get("PLANWARDEN_BENCH_ADAPTERS", ",".join(ADAPTERS)).split(",")
    print(f"faults of a model server, deadline {DEADLINE_S:g} s, 3 tries at most")
    print(f"{'adapter':12} {'fault':20} {'ends as':20} {'tries':>5} {'seconds':>8} {'× deadline':>10}")
    for provider in chosen:
        for fault in FAULTS:
            ends, tries, took = await _measured(provider, fault)
            share = took / DEADLINE_S
            good = share <= MOST and not ends.startswith("untyped")
            wrong += not good
            mark = "" if good else "  WRONG"
            print(f"{provider:12} {fault:20} {ends:20} {tries:5} {took:8.2f} {share:10.2f}{mark}")
    return min(wrong, 1)


async def _measured(provider: str, fault: Fault) -> tuple[str, int, float]:
    """Give how it ended, how often the server was asked, and the seconds."""
    clock = SystemClock()
    async with MisbehavingServer().serve() as server, _opened(provider, server) as service:
        server.strike(fault, retry_after=RETRY_AFTER.get(fault))
        request = LLMRequest(messages=(Message(role="user", content="Is it so?"),), timeout_s=DEADLINE_S)
        began = clock.monotonic()
        try:
            await service.complete(request)
            ends = "reply"
        except ModelError as error:
            ends = error.code
        except Exception as error:  # noqa: BLE001 - an untyped error is what is looked for; the exit code says it
            ends = f"untyped {type(error).__name__}"
        return ends, len(server.chats), clock.monotonic() - began


@asynccontextmanager
async def _opened(provider: str, server: MisbehavingServer) -> AsyncGenerator[LLMService]:
    clock = SystemClock()
    adapter = await ADAPTERS[provider](base_url=server.url, model=server.model, clock=clock)
    service = resilient(adapter, clock=clock, resilience=Resilience())
    try:
        yield service
    finally:
        await service.aclose()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
