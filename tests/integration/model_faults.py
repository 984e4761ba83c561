"""The stack that the product asks models through, in front of a server that misbehaves."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from planwarden.contracts.model import Message
from planwarden.llm.ollama import OllamaLLM
from planwarden.llm.openai_chat.service import OpenAIChatLLM
from planwarden.llm.resilience import Resilience, resilient
from planwarden.llm.service import LLMRequest, LLMService
from planwarden.testing.model_server import MisbehavingServer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "model-faults.md"
PROVIDERS: Mapping[str, Callable[..., Awaitable[LLMService]]] = {
    "ollama": OllamaLLM.connect,
    "openai": OpenAIChatLLM.connect,
}
"""Provider → how its adapter is opened."""
ROW = re.compile(
    r"^\| `(?P<fault>\w+)` \| .+ \| `(?P<ends>\w+)`(?: \(openai: `(?P<openai>\w+)`\))?"
    r" \| (?P<again>yes|no) \| (?P<counts>yes|no) \|$",
    re.MULTILINE,
)
GUARD_S = 60.0
"""Against tests that hang; nothing depends on it otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What the guide says of one fault."""

    ends: str
    ends_for_openai: str
    tried_again: bool
    counts: bool

    def ends_for(self, provider: str) -> str:
        return self.ends_for_openai if provider == "openai" else self.ends


def documented() -> dict[str, Documented]:
    """Read the guide's table."""
    return {
        row["fault"]: Documented(
            ends=row["ends"],
            ends_for_openai=row["openai"] or row["ends"],
            tried_again=row["again"] == "yes",
            counts=row["counts"] == "yes",
        )
        for row in ROW.finditer(PAGE.read_text("utf-8"))
    }


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
