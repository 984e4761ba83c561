"""Traces through the command line: where they go, whose trace they are in, what model servers are told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from command_line import in_a_thread
from planwarden.testing.model_server.loopback import Loopback, Received, Wire
from surfaces_kit import Cli, Mind, plan_file
from traces_kit import CALLER, Receiver

TASK = "What is the latest price of IBM?"


@pytest.fixture(autouse=True)
def no_traces_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OTEL_", "TELEMETRY_", "TRACEPARENT")):
            monkeypatch.delenv(name)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver().serve() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("TELEMETRY__TRACES", "otlp")
        yield receiver


def spans_in(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [line["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in lines]


@pytest.mark.requirement("TRC-8", "TRC-4")
def test_a_run_is_sent_to_the_receiver_in_the_trace_of_who_started_the_command(
    cli: Cli, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", CALLER)
    said = cli("run", TASK, "--json")
    assert said.code == 0
    assert {span.trace_id.hex() for span in receiver.spans} == {"c" * 32}
    (run,) = [span for span in receiver.spans if span.name == "invoke_workflow"]
    assert run.parent_span_id.hex() == "d" * 16
    assert sorted(set(receiver.names)) == [
        "chat llama3.1:8b",
        "chat llama3.2:1b",
        "execute_tool finance.snapshot",
        "invoke_agent finance_agent",
        "invoke_workflow",
        "plan",
    ]
    dossier = cli("dossier", "show", said.json["run_id"], "--format", "json").json
    assert dossier["task"]["traceparent"] == CALLER


@pytest.mark.requirement("TRC-4")
@pytest.mark.parametrize("wrong", ["x", CALLER.upper(), CALLER[:-1], "00-" + "0" * 32 + CALLER[35:]])
def test_a_variable_that_is_no_place_in_a_trace_is_ignored(
    cli: Cli, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("TRACEPARENT", wrong)
    assert cli("plan", TASK, "--json").code == 0
    (plan,) = [span for span in receiver.spans if span.name == "plan"]
    assert plan.parent_span_id == b""


@pytest.mark.requirement("TRC-5")
def test_a_run_resolved_by_another_process_stays_in_its_trace(
    cli: Cli, receiver: Receiver, program: list[str], tmp_path: Path
) -> None:
    Path("planwarden.yaml").write_text(
        "version: 1\nagents:\n  finance_agent: {description: Prices, tools: [finance.snapshot]}\n"
        "policies:\n  finance_agent:\n    rules: [{name: ask, ask: [finance.snapshot], reason: first}]\n"
    )
    step = {"id": "s1", "agent": "finance_agent", "tools": ["finance.snapshot"]}
    run_id = cli("run", TASK, "--json", "--plan", plan_file(tmp_path, step)).json["run_id"]
    (began,) = [span for span in receiver.spans if span.name == "invoke_workflow"]
    done = subprocess.run(
        [*program, "resolve", run_id, "--approve", "--json"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    resumed = [span for span in receiver.spans if span.name == "invoke_workflow"][-1]
    assert resumed.span_id != began.span_id
    assert resumed.trace_id == began.trace_id
    assert [link.span_id for link in resumed.links] == [began.span_id]
    assert "execute_tool finance.snapshot" in receiver.names


@pytest.mark.requirement("TRC-6")
@pytest.mark.parametrize("propagate", ["true", "false"])
def test_ollama_is_told_the_trace_where_that_is_configured(
    cli: Cli, mind: Mind, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, propagate: str
) -> None:
    assert mind.server is not None
    monkeypatch.setenv("TELEMETRY__PROPAGATE", propagate)
    assert cli("run", TASK, "--json").code == 0
    told = {headers.get("traceparent", "none-none-none").split("-")[2] for headers in mind.server.headers}
    chats = {span.span_id.hex() for span in receiver.spans if span.name.startswith("chat")}
    assert told == (chats if propagate == "true" else {"none"})


@pytest.mark.requirement("TRC-7")
def test_off_by_default_opentelemetry_is_not_even_loaded_and_nothing_is_left_behind(
    cli: Cli, home: Path, tmp_path: Path, program: list[str]
) -> None:
    code = "import sys; import planwarden.cli.main as m\ntry: m.main()\nfinally: print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", TASK, "--json"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "opentelemetry.sdk" not in done.stdout
    assert "'traceparent': '" not in done.stdout
    assert [path.name for path in home.iterdir() if path.name in ("spool", "traces.jsonl")] == []


@pytest.mark.requirement("TRC-7")
def test_without_the_library_the_error_says_what_to_install(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY__TRACES", "file")
    monkeypatch.delitem(sys.modules, "planwarden.telemetry.pipeline", raising=False)
    monkeypatch.delattr("planwarden.telemetry.pipeline", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    told = cli("run", TASK, "--json").error(2, "settings_rejected")
    assert "`pip install '.[telemetry]'` in a checkout" in told["remedy"]
    monkeypatch.setenv("TELEMETRY__TRACES", "off")
    assert cli("run", TASK, "--json").code == 0


@pytest.mark.requirement("TRC-10")
@pytest.mark.parametrize("answers", ["error", "silence"])
def test_a_receiver_that_is_no_good_changes_nothing_about_a_run(
    cli: Cli, receiver: Receiver, home: Path, answers: Any
) -> None:
    receiver.answers = answers
    said = cli("run", TASK, "--json")
    assert said.code == 0
    assert said.json["status"] == "completed"
    assert len(list((home / "spool").iterdir())) == 1
    receiver.answers = "taken"
    receiver.over.set()
    assert cli("plan", TASK, "--json").code == 0
    assert receiver.names.count("invoke_workflow") == 1
    assert list((home / "spool").iterdir()) == []


@pytest.mark.requirement("TRC-11")
def test_a_file_gets_a_line_of_otlp_for_each_span_and_is_appended_to(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY__TRACES", "file")
    assert cli("run", TASK, "--json").code == 0
    first = spans_in(home / "traces.jsonl")
    assert first[-1]["name"] == "invoke_workflow"
    assert cli("plan", TASK, "--json").code == 0
    assert spans_in(home / "traces.jsonl")[: len(first)] == first
    assert TASK not in (home / "traces.jsonl").read_text("utf-8")
    elsewhere = home / "own" / "spans.jsonl"
    monkeypatch.setenv("TELEMETRY__FILE", str(elsewhere))
    monkeypatch.setenv("TELEMETRY__CONTENT", "true")
    assert cli("run", TASK, "--json").code == 0
    assert TASK in elsewhere.read_text("utf-8")


@pytest.mark.requirement("TRC-11")
def test_a_file_that_cannot_be_written_is_refused_with_what_to_do(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("TELEMETRY__TRACES", "file")
    monkeypatch.setenv("TELEMETRY__FILE", str(home))
    cli("run", TASK, "--json").error(2, "settings_rejected")


@pytest.mark.requirement("TRC-11")
def test_on_the_console_spans_go_to_stderr_and_stdout_stays_one_document(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY__TRACES", "console")
    said = cli("run", TASK, "--json")
    assert said.json["status"] == "completed"
    spans = [line for line in said.err.splitlines() if line.startswith("span ")]
    assert "invoke_workflow" in spans[-1]
    assert any("execute_tool finance.snapshot" in line for line in spans)


# ---- the log beside --------------------------------------------------------------------------------

KEYS = {
    "PLANNER_LLM__API_KEY": "first-hunter2-0123456789",
    "LLM__API_KEY": "second/hunter2+0123456789=",
    "OPENAI_API_KEY": "third-hunter2-0123456789",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20fourth-hunter2-0123456789",
    "TOOLS__QUOTES_URL": "http://user:fifth-hunter2@127.0.0.1:1/q?s={symbol}&key=sixth-hunter2",
}
PARTS = ("first-h", "second/", "third-h", "fourth-h", "fifth-h", "sixth-h", "hunter2")


@dataclass(slots=True)
class EchoingServer:
    """Lists a model, and answers every chat with an error that quotes all that it was sent."""

    url: str = ""

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[EchoingServer]:
        async with Loopback(handler=self._answer).serve() as loopback:
            self.url = loopback.url
            yield self

    async def _answer(self, received: Received, wire: Wire) -> None:
        if received.path == "/v1/models":
            await wire.send(200, b'{"object": "list", "data": [{"id": "m"}]}', kind="application/json")
            return
        told = f"{dict(received.headers)} {received.body.decode()} {' '.join(KEYS.values())}"
        body = json.dumps({"error": {"message": told, "code": told, "type": told}})
        await wire.send(400, body.encode(), kind="application/json")


@pytest.mark.requirement("LOG2-3")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("command", ["plan", "run"])
def test_with_keys_everywhere_and_a_server_that_quotes_them_no_line_holds_one(
    program: list[str], home: Path, form: str, command: str
) -> None:
    echoing = EchoingServer()
    with in_a_thread(echoing), Receiver(answers="error").serve() as receiver:
        env = {
            **os.environ,
            **KEYS,
            "PLANWARDEN_LOG": form,
            "TELEMETRY__TRACES": "otlp",
            "TELEMETRY__CONTENT": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            **{
                f"{role}__{name}": value
                for role in ("PLANNER_LLM", "LLM")
                for name, value in (("PROVIDER", "openai"), ("BASE_URL", f"{echoing.url}/v1"), ("MODEL", "m"))
            },
        }
        task = f"What is the price of {' '.join(KEYS.values())}?"
        done = subprocess.run(
            [*program, command, task, "--json"],
            capture_output=True, text=True, check=False, timeout=120, env=env,
        )  # fmt: skip
    written = re.compile(r"\{" if form == "json" else r"\d{4}-\d\d-\d\dT")
    lines = [line for line in done.stderr.splitlines() if written.match(line)]
    wanted = ("plan_validation_failed", "traces_not_exported")
    assert all(any(event in line for line in lines) for event in wanted), done.stderr
    assert not [part for part in PARTS for line in lines if part in line]
    spooled = "".join(path.read_text("utf-8") for path in (home / "spool").iterdir())
    assert "gen_ai.input.messages" in spooled
    assert not [part for part in PARTS if part in spooled]
