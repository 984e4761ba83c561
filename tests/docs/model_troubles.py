"""Reproductions of docs/troubleshooting.md: models, their servers and their settings."""

from __future__ import annotations

from scene import TASK, Scene, printed, reproduces

from command_line import in_a_thread
from planwarden.llm.embedded.model_file import SMOLLM2
from planwarden.testing.model_server import MisbehavingServer


@reproduces("No Ollama at http://127.0.0.1:1 (connection refused).")
def no_ollama(scene: Scene) -> str:
    scene.nobody_there()
    return printed(scene.cli("run", TASK))


@reproduces("does not have the model qwen3:8b.")
def not_pulled(scene: Scene) -> str:
    scene.set(LLM__MODEL="qwen3:8b")
    return printed(scene.cli("run", TASK))


@reproduces("Ollama 0.5.7 is too old: it would cut a long prompt silently.")
def too_old(scene: Scene) -> str:
    assert scene.mind.server is not None
    scene.mind.server.version = "0.5.7"
    return printed(scene.cli("run", TASK))


@reproduces("The embedded model's file is not in")
def no_file(scene: Scene) -> str:
    scene.for_both(PROVIDER="embedded")
    return printed(scene.cli("run", TASK))


@reproduces(f"{SMOLLM2.file_name} is not the pinned model: expected {SMOLLM2.digest}")
def other_bytes(scene: Scene) -> str:
    folder = scene.folder / "cache" / "models"
    folder.mkdir(parents=True)
    (folder / SMOLLM2.file_name).write_bytes(b"GGUF, but cut")
    return no_file(scene)


@reproduces(
    "LLM__PROVIDER: Input should be 'auto', 'ollama', 'openai', 'pydantic-ai' or 'embedded' (it is 'llama')."
)
def wrong_provider(scene: Scene) -> str:
    scene.set(LLM__PROVIDER="llama")
    return printed(scene.cli("run", TASK))


@reproduces("PLANNER_LLM__MODLE: there is no such setting (it is 'llama3.2:3b').")
def unknown_variable(scene: Scene) -> str:
    scene.set(PLANNER_LLM__MODLE="llama3.2:3b")
    return printed(scene.cli("run", TASK))


@reproduces("PLANNER_LLM__PROVIDER is openai, but PLANNER_LLM__BASE_URL is not set.")
def no_address(scene: Scene) -> str:
    scene.set(PLANNER_LLM__PROVIDER="openai")
    scene.monkeypatch.delenv("PLANNER_LLM__BASE_URL")
    return printed(scene.cli("run", TASK))


@reproduces("LLM__BASE_URL is 'localhost:11434': it needs http:// or https:// and a host.")
def no_scheme(scene: Scene) -> str:
    scene.set(LLM__BASE_URL="localhost:11434")
    return printed(scene.cli("run", TASK))


@reproduces("No answer from http://127.0.0.1:1/v1 (connection refused).")
def no_openai_server(scene: Scene) -> str:
    scene.nobody_there()
    scene.set(PLANNER_LLM__PROVIDER="openai", PLANNER_LLM__MODEL="mine")
    return printed(scene.cli("run", TASK))


@reproduces("does not list the model yours; it has: mine.")
def no_such_model(scene: Scene) -> str:
    with scene.openai(MisbehavingServer(model="mine")):
        scene.set(PLANNER_LLM__MODEL="yours")
        return printed(scene.cli("plan", TASK))


@reproduces("refused the key (HTTP 401): no such key.")
def wrong_key(scene: Scene) -> str:
    with scene.openai(MisbehavingServer(model="mine", fault="status_401")):
        scene.set(PLANNER_LLM__API_KEY="sk-wrong")
        return printed(scene.cli("plan", TASK))


@reproduces("answered with text/html; charset=utf-8 where JSON is promised.")
def a_proxys_page(scene: Scene) -> str:
    return scene.planner_fails("html_200")


@reproduces(
    "The prompt does not fit the context of 4096 tokens:"
    " request (9000 tokens) exceeds the available context size (4096 tokens)."
)
def prompt_too_long(scene: Scene) -> str:
    return scene.planner_fails("prompt_too_long")


@reproduces("Ollama gave no whole reply from llama3.2:1b within 0.5 s.")
def no_reply_in_time(scene: Scene) -> str:
    scene.set(PLANNER_LLM__TIMEOUT_S="0.5")
    return scene.planner_fails("silent")


@reproduces("The reply was cut after 8 tokens (limit 320,")
def cut_at_the_limit(scene: Scene) -> str:
    return scene.planner_fails("cut_at_limit")


@reproduces("llama3.2:1b was not asked: it failed 5 times in a row")
def circuit_open(scene: Scene) -> str:
    server = MisbehavingServer(fault="status_500")
    with in_a_thread(server):
        scene.set(PLANNER_LLM__BASE_URL=server.url)
        lines = f"{TASK}\n" * 6
        return printed(scene.cli("chat", stdin=lines.encode()))


@reproduces("LLM__MODEL is 'claude-sonnet-4-5', which names no provider.")
def library_model(scene: Scene) -> str:
    scene.set(LLM__PROVIDER="pydantic-ai", LLM__MODEL="claude-sonnet-4-5")
    return printed(scene.cli("run", TASK))
