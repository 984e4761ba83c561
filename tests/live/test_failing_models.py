"""A server that misbehaves in front of the whole product, with the real embedded model beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden import Planwarden, Settings, Task, load_settings
from planwarden.contracts.plan import PlanMetadata, PlannedAgentStep, PlannerPlan
from planwarden.errors import ModelFileRejected
from planwarden.testing.model_server import Fault, MisbehavingServer

pytestmark = [pytest.mark.live, pytest.mark.anyio]

TASK = Task(prompt="What is the latest price of IBM?")
PLAN = PlannerPlan(
    steps=(PlannedAgentStep(id="s1", agent="finance_agent", tools=("finance.snapshot",)),),
    metadata=PlanMetadata(source="edited"),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__PROVIDER", "ollama")
        monkeypatch.setenv(f"{role}__MODEL", "llama3.2:1b")
        monkeypatch.setenv(f"{role}__RETRIES", "0")
        monkeypatch.setenv(f"{role}__STAND_IN", "embedded")
    return tmp_path


def settings_for(url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__BASE_URL", url)
    return load_settings()


@pytest.mark.requirement("LLM-24")
@pytest.mark.parametrize("fault", ["status_500", "no_end_mark"])
async def test_the_embedded_model_carries_a_whole_run_in_place_of_a_server_that_broke(
    fault: Fault, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        MisbehavingServer().serve() as server,
        Planwarden.open(settings_for(server.url, monkeypatch)) as planwarden,
    ):
        server.strike(fault)
        result = await planwarden.route_task(TASK)
        assert await planwarden.record.verify(result.run_id) == ()
    assert result.status == "completed"
    assert result.plan is not None
    assert result.plan.metadata.source in (
        "planner",
        "prior",
    )  # the model was asked; it may agree with the prior
    assert result.plan.metadata.model == "smollm2-135m-instruct+planner"
    assert [call.call.tool for call in result.state.calls] == ["finance.snapshot"]
    answer = result.answer
    assert answer is not None
    assert (answer.style, answer.rendered_because, answer.evidence) == ("evidence", "stand_in", ("s1.1",))
    assert {each.exchange.purpose for each in result.dossier.exchanges} == {"plan", "arguments", "answer"}
    for each in result.dossier.exchanges:
        assert each.exchange.answered_by is not None
        assert each.exchange.answered_by.provider == "embedded"
    assert result.dossier.planner.provider == "ollama"


@pytest.mark.requirement("LLM-24")
async def test_a_server_that_is_down_from_the_start_pins_the_run_to_the_embedded_model(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MisbehavingServer().serve() as server:
        gone = server.url
    async with Planwarden.open(settings_for(gone, monkeypatch)) as planwarden:
        result = await planwarden.route_task(TASK)
    assert result.status == "completed"
    assert result.dossier.planner.provider == "embedded"
    assert "PLANNER_LLM__STAND_IN is embedded" in result.dossier.planner.chosen_because
    assert "No Ollama at" in result.dossier.planner.chosen_because


@pytest.mark.requirement("LLM-23")
async def test_the_settings_of_the_circuit_are_in_force(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM__STAND_IN", "none")
    monkeypatch.setenv("LLM__CIRCUIT_FAILURES", "1")
    async with (
        MisbehavingServer().serve() as server,
        Planwarden.open(settings_for(server.url, monkeypatch)) as planwarden,
    ):
        server.strike("status_500")
        first = await planwarden.route_task(TASK, PLAN)
        second = await planwarden.route_task(TASK, PLAN)
    codes = [result.dossier.steps[0].failure_code for result in (first, second)]
    assert codes == ["model_unavailable", "model_circuit_open"]
    assert len(server.chats) == 1


@pytest.mark.requirement("LLM-20")
@pytest.mark.parametrize("content", [b"GGUF" + b"\x00" * 4096, b"not a model", b""])
async def test_a_corrupt_model_file_is_refused_by_name(
    content: bytes, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "own.gguf"
    path.write_bytes(content)
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__PROVIDER", "embedded")
        monkeypatch.setenv(f"{role}__MODEL_FILE", str(path))
    async with Planwarden.open(load_settings()) as planwarden:
        with pytest.raises(ModelFileRejected, match=r"own\.gguf"):
            await planwarden.route_task(TASK)
