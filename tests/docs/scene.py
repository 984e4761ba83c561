"""What provokes an error as its user would: the command line, its home, and whatever stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from command_line import MODELS, in_a_thread
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.model_server import Fault, MisbehavingServer
from surfaces_kit import Cli, Mind, Said

TASK = "What is the latest price of IBM?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One test's command line; the fake Ollama behind `cli` can be told what to say by `mind`."""

    cli: Cli
    mind: Mind
    home: Path
    folder: Path
    program: list[str]
    monkeypatch: pytest.MonkeyPatch

    def set(self, **variables: str) -> None:
        """Set environment variables."""
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def for_both(self, **variables: str) -> None:
        """Set the variables of the planner's model and of the agents'."""
        for name, value in variables.items():
            self.set(**{f"PLANNER_LLM__{name}": value, f"LLM__{name}": value})

    def nobody_there(self) -> None:
        """Point both models at an address where nothing listens."""
        self.for_both(BASE_URL="http://127.0.0.1:1")

    def catalog(self, text: str) -> None:
        """Write a catalog file where the command line looks for it."""
        Path("planwarden.yaml").write_text(text, "utf-8")

    def a_run(self) -> str:
        """Carry out a task that goes well; give the run's id."""
        said = self.cli("run", TASK, "--json")
        assert said.code == 0, said
        return said.json["run_id"]

    @contextmanager
    def beside(self) -> Generator[None]:
        """Put a second server with the same models behind both."""
        assert self.mind.server is not None
        server = FakeOllama(service=self.mind.server.service, models=MODELS)
        with in_a_thread(server), self.monkeypatch.context() as patch:
            for role in ("PLANNER_LLM", "LLM"):
                patch.setenv(f"{role}__BASE_URL", server.url)
            yield

    def planner_fails(self, fault: Fault) -> str:
        """Plan with a server that goes wrong so; give all that is printed."""
        server = MisbehavingServer(fault=fault)
        with in_a_thread(server):
            self.set(PLANNER_LLM__BASE_URL=server.url)
            return printed(self.cli("plan", TASK))

    @contextmanager
    def openai(self, server: MisbehavingServer) -> Generator[None]:
        """Put an OpenAI-compatible server behind the planner."""
        with in_a_thread(server):
            self.set(PLANNER_LLM__PROVIDER="openai", PLANNER_LLM__BASE_URL=f"{server.url}/v1")
            self.set(PLANNER_LLM__MODEL=server.model)
            yield


def printed(said: Said) -> str:
    """Give what a terminal would show."""
    return said.out + said.err


Reproduction = Callable[[Scene], str]
REPRODUCTIONS: dict[str, Reproduction] = {}


def reproduces(heading: str) -> Callable[[Reproduction], Reproduction]:
    """Register what really provokes the error under this heading; it gives the text that was printed."""

    def register(reproduction: Reproduction) -> Reproduction:
        assert heading not in REPRODUCTIONS
        REPRODUCTIONS[heading] = reproduction
        return reproduction

    return register
