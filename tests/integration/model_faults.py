"""The stack that the product asks models through, in front of a server that misbehaves."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from planwarden.contracts.clock import Clock
from planwarden.contracts.model import Message
from planwarden.llm.library_model.opening import open_library_model
from planwarden.llm.ollama.service import OllamaLLM
from planwarden.llm.openai_chat.service import OpenAIChatLLM
from planwarden.llm.service import LLMRequest, LLMService
from planwarden.llm.wrappers.resilience import Resilience, resilient
from planwarden.testing.model_server import FAULTS, Fault, MisbehavingServer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "model-faults.md"


async def _library(*, base_url: str, model: str, clock: Clock) -> LLMService:
    return open_library_model(
        f"openai-chat:{model}", clock=clock, api_key="k", base_url=f"{base_url}/v1", setting="LLM__{}".format
    )


PROVIDERS: Mapping[str, Callable[..., Awaitable[LLMService]]] = {
    "ollama": OllamaLLM.connect,
    "openai": OpenAIChatLLM.connect,
    "pydantic-ai": _library,
}
"""Provider → how its adapter is opened."""
ROW = re.compile(
    r"^\| `(?P<fault>\w+)` \| .+ \| `(?P<ends>\w+)`(?: \(openai: `(?P<openai>\w+)`\))?"
    r" \| (?P<again>yes|no) \| (?P<counts>yes|no) \|$",
    re.MULTILINE,
)
DIFFERS = re.compile(
    r"^\| `(?P<fault>\w+)` \| `(?P<ends>\w+)` \| (?P<again>yes|no) \| (?P<counts>yes|no) \|$", re.MULTILINE
)
UNBOUNDED = frozenset({"gzip_bomb", "flood", "endless_line", "endless_error"})
"""What pydantic-ai reads without bounds, as the guide says: how that ends depends on the machine."""
GUARD_S = 60.0
"""Against tests that hang; nothing depends on it otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What the guide says of one fault."""

    ends: str
    tried_again: bool
    counts: bool


def documented(provider: str) -> dict[str, Documented]:
    """Read the guide's table, and below it what differs by provider."""
    page = PAGE.read_text("utf-8")
    rows = {
        row["fault"]: _row(row, row[provider] if provider == "openai" else None) for row in ROW.finditer(page)
    }
    if provider == "pydantic-ai":
        rows |= {row["fault"]: _row(row) for row in DIFFERS.finditer(page)}
    return rows


def matrix() -> list[tuple[str, Fault]]:
    """Give every provider with every fault whose end does not depend on the machine."""
    return [
        (provider, fault)
        for provider in PROVIDERS
        for fault in FAULTS
        if not (provider == "pydantic-ai" and fault in UNBOUNDED)
    ]


def _row(row: re.Match[str], ends: str | None = None) -> Documented:
    return Documented(
        ends=ends or row["ends"], tried_again=row["again"] == "yes", counts=row["counts"] == "yes"
    )


@dataclass(slots=True)
class HandClock:
    """Stands still until somebody sleeps by it."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list[float])

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def request(*, timeout_s: float = GUARD_S) -> LLMRequest:
    return LLMRequest(messages=(Message(role="user", content="Is it so?"),), timeout_s=timeout_s)


@asynccontextmanager
async def asked_through(
    provider: str, clock: HandClock, resilience: Resilience | None = None
) -> AsyncGenerator[tuple[MisbehavingServer, LLMService]]:
    """Open a provider's adapter on a server that works so far, in the product's own stack."""
    async with MisbehavingServer().serve() as server:
        adapter = await PROVIDERS[provider](base_url=server.url, model=server.model, clock=clock)
        service = resilient(adapter, clock=clock, resilience=resilience or Resilience(), sleep=clock.sleep)
        try:
            yield server, service
        finally:
            await service.aclose()
