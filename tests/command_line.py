"""Fixtures: the command line with a fake Ollama behind it, a mind that plans and answers as it is told."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from typer.testing import CliRunner

from planwarden.cli import main as command_line
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.scripted_llm import FunctionLLM
from surfaces_kit import Cli, Mind, Said

MODELS = ("llama3.2:1b", "llama3.1:8b")


class Serves(Protocol):
    """A server that listens for as long as a context lasts."""

    def serve(self) -> AbstractAsyncContextManager[object]: ...


@contextmanager
def in_a_thread(server: Serves) -> Generator[None]:
    """Serve from a thread of its own, so that the command line can run its own loop in this one."""
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with server.serve():
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        over.set()
        thread.join(20)


@pytest.fixture
def mind() -> Iterator[Mind]:
    """Serve a fake Ollama for as long as the test runs."""
    mind = Mind(
        steps=["finance.snapshot"],
        arguments=[
            {"symbol": "IBM"},
            {"path": "notes.md", "content": "hello"},
            {"expression": "6*7"},
            {"text": "hi"},
        ],
        answer="IBM stood at 125.55 [s1.1].",
    )
    server = mind.server = FakeOllama(service=FunctionLLM(mind.reply, calls_tools=True), models=MODELS)
    with in_a_thread(server):
        yield mind


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
    monkeypatch.setenv("PLANNER_LLM__MODE", "model")  # what the fake planner says is what is planned
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__PROVIDER", "ollama")
        monkeypatch.setenv(f"{role}__BASE_URL", "http://127.0.0.1:1")
        monkeypatch.setenv(f"{role}__RETRIES", "0")
    return tmp_path / "home"


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
