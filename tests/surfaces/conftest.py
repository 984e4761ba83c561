"""The command line with a fake Ollama behind it: a mind that plans, fills in and answers as it is told."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from planwarden.cli import main as command_line
from planwarden.llm.service import LLMRequest
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.scripted_llm import FunctionLLM

MODELS = ("llama3.2:1b", "llama3.1:8b")


@dataclass(slots=True, kw_only=True)
class Mind:
    """What the fake models say, and what they were asked."""

    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    arguments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """For each tool whose parameters these are; the first that fits is said."""
    answer: str = "Here it is."
    planned: list[str] = field(default_factory=list[str])
    """The last message of each request for a plan."""
    on_answer: Callable[[], None] = lambda: None
    server: FakeOllama | None = None

    def reply(self, request: LLMRequest) -> str:
        """Answer as a model would."""
        schema = json.dumps(request.output_schema or {})
        if '"handoff"' in schema or '"none"' in schema:
            self.planned.append(request.messages[-1].content)
            return json.dumps({"steps": self.steps, "handoff": "sequential"})
        if request.output_schema:
            known = set(dict(request.output_schema).get("properties") or {})
            return json.dumps(next(each for each in self.arguments if set(each) <= known))
        self.on_answer()
        return self.answer


def wire_step(agent: str, *tools: str, fallbacks: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"agent": agent, "tools": [*tools], "fallback_tools": [*fallbacks], "reason": "as it was asked"}


@pytest.fixture
def mind() -> Iterator[Mind]:
    """Serve a fake Ollama from a thread of its own for as long as the test runs."""
    mind = Mind(
        steps=[wire_step("finance_agent", "finance.snapshot")],
        arguments=[
            {"symbol": "IBM"},
            {"path": "notes.md", "content": "hello"},
            {"expression": "6*7"},
            {"text": "hi"},
        ],
        answer="IBM stood at 125.55 [s1.1].",
    )
    mind.server = FakeOllama(service=FunctionLLM(mind.reply), models=MODELS)
    ready, over = threading.Event(), threading.Event()

    async def serve(server: FakeOllama) -> None:
        async with server.serve():
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve(mind.server)), daemon=True)  # pyright: ignore[reportArgumentType] - set above
    thread.start()
    assert ready.wait(20)
    yield mind
    over.set()
    thread.join(20)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the command line a home, a cache and a working directory of its own, and no model."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLANWARDEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PLANWARDEN_CONFIG", raising=False)
    monkeypatch.delenv("PLANWARDEN_WORKSPACE", raising=False)
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__PROVIDER", "ollama")
        monkeypatch.setenv(f"{role}__BASE_URL", "http://127.0.0.1:1")
        monkeypatch.setenv(f"{role}__RETRIES", "0")
    return tmp_path / "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read stdout as the one JSON document that it is."""
        return json.loads(self.out)

    def error(self, code: int, kind: str) -> dict[str, str]:
        """Check that it ended in an error with a remedy, said to people too; give what was said."""
        assert self.code == code, self
        assert "Traceback" not in self.err + self.out
        told: dict[str, str] = self.json["error"]
        assert set(told) == {"code", "message", "remedy"}
        assert told["code"] == kind, told
        assert told["message"]
        assert told["remedy"]
        assert kind in self.err or kind == "usage_error"
        return told


Cli = Callable[..., Said]


@pytest.fixture
def offline(home: Path) -> Cli:
    """Run a command of the command line in this process, with no model behind it."""

    def run(*arguments: str, stdin: bytes | None = None) -> Said:
        result = CliRunner().invoke(command_line.app, list(arguments), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(code=result.exit_code, out=result.stdout, err=result.stderr)

    return run


@pytest.fixture
def cli(offline: Cli, mind: Mind, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command of the command line in this process, with the fake Ollama behind it."""
    assert mind.server is not None
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__BASE_URL", mind.server.url)
    return offline


@pytest.fixture
def program(home: Path) -> list[str]:
    """Give the start of a command line for a real process."""
    return [sys.executable, "-c", "from planwarden.cli.main import main; main()"]


def plan_file(folder: Path, *steps: dict[str, Any]) -> str:
    """Write a plan as a person would bring it along."""
    path = folder / "plan.json"
    metadata = {"source": "edited", "handoff_strategy": "sequential"}
    path.write_text(json.dumps({"schema_version": 2, "steps": steps, "metadata": metadata, "confidence": 1}))
    return str(path)
